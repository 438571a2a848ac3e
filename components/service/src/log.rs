//! One JSON line a request, on standard error. Nothing of a path, a query, a header or a body is in it.

use std::sync::Once;

use crate::Context;

static START: Once = Once::new();

pub(crate) async fn start() {
    if START.is_completed() {
        return;
    }
    let level = spin_sdk::variables::get("log_level").await.unwrap_or_default();
    let level = level.parse().unwrap_or(tracing::Level::INFO);
    START.call_once(|| {
        let lines = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_target(false)
            .with_writer(std::io::stderr)
            .with_max_level(level)
            .finish();
        // Somebody else may have been first in a test; a guest has nobody else.
        drop(tracing::subscriber::set_global_default(lines));
    });
}

/// `code` says why somebody was refused, `cause` what is wrong here.
pub(crate) fn request(
    cx: &Context,
    status: u16,
    code: Option<&str>,
    cause: Option<&str>,
    began: std::time::Instant,
) {
    let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let organization = cx.organization().unwrap_or_else(|| "-".to_owned());
    let (method, route, request_id) = (cx.method().as_str(), cx.route(), cx.request_id());
    match cause {
        Some(cause) => {
            tracing::error!(
                method,
                route,
                status,
                duration_ms,
                request_id,
                organization,
                code,
                cause,
                "request failed"
            );
        }
        // A timer calls every second, and nearly always finds nothing to do.
        None if route.starts_with("/tasks/") && status < 400 => {
            tracing::debug!(method, route, status, duration_ms, request_id, organization, "request");
        }
        None => tracing::info!(method, route, status, duration_ms, request_id, organization, code, "request"),
    }
}

/// A line beside the request's own. What it says is written in the program, and so of nobody.
pub(crate) fn remark(cx: &Context, what: &'static str) {
    let (method, route, request_id) = (cx.method().as_str(), cx.route(), cx.request_id());
    tracing::warn!(method, route, request_id, "{what}");
}

//! Critical findings: `/api/critical-findings`; which statements of structured reports raise one: `/api/finding-rules`;
//! and how an organization follows them: `/api/settings/critical-results`.

mod acknowledge;
mod change;
mod decline;
mod figures;
mod list;
mod of_study;
mod pending;
mod raise;
mod read;
mod refusal;
mod rules;
mod settings;

use service::{Context, Error, Method, Reply, Result};
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    service::serve(request, routes).await
}

async fn routes(cx: &Context) -> Result<Reply> {
    match (cx.segments().as_slice(), cx.method()) {
        (["api", "critical-findings"], &Method::GET) => list::list(cx).await,
        (["api", "critical-findings"], &Method::POST) => raise::raise(cx).await,
        (["api", "critical-findings"], _) => Err(Error::MethodNotAllowed("GET, POST")),
        (["api", "critical-findings", "pending"], &Method::GET) => pending::pending(cx).await,
        (["api", "critical-findings", "metrics"], &Method::GET) => figures::figures(cx).await,
        (["api", "critical-findings", "pending" | "metrics"], _) => Err(Error::MethodNotAllowed("GET")),
        (["api", "critical-findings", "study", study], &Method::GET) => {
            of_study::of_study(cx, cx.id(study)?).await
        }
        (["api", "critical-findings", "severity", severity], &Method::GET) => {
            list::list_of_severity(cx, severity).await
        }
        (["api", "critical-findings", "study" | "severity", _], _) => Err(Error::MethodNotAllowed("GET")),
        (["api", "critical-findings", id], &Method::GET) => read::read(cx, cx.id(id)?).await,
        (["api", "critical-findings", id], &Method::PATCH) => change::change(cx, cx.id(id)?).await,
        (["api", "critical-findings", _], _) => Err(Error::MethodNotAllowed("GET, PATCH")),
        (["api", "critical-findings", id, "acknowledge"], &Method::POST) => {
            acknowledge::acknowledge(cx, cx.id(id)?).await
        }
        (["api", "critical-findings", id, "decline"], &Method::POST) => {
            decline::decline(cx, cx.id(id)?).await
        }
        (["api", "critical-findings", _, "acknowledge" | "decline"], _) => {
            Err(Error::MethodNotAllowed("POST"))
        }
        (["api", "finding-rules"], &Method::GET) => rules::read(cx).await,
        (["api", "finding-rules"], &Method::PUT) => rules::change(cx).await,
        (["api", "finding-rules"], _) => Err(Error::MethodNotAllowed("GET, PUT")),
        (["api", "settings", "critical-results"], &Method::GET) => settings::read(cx).await,
        (["api", "settings", "critical-results"], &Method::PUT) => settings::change(cx).await,
        (["api", "settings", "critical-results"], _) => Err(Error::MethodNotAllowed("GET, PUT")),
        _ => Err(Error::NotFound),
    }
}

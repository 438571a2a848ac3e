//! From the runtime's request to its response: the frame around every family's route table.

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use spin_sdk::http::Request;

use crate::{Context, Failure, Reply, Result, log};

/// Answers one request by a family's route table, and logs one line about it.
pub async fn serve(
    request: Request,
    routes: impl AsyncFnOnce(&Context) -> Result<Reply>,
) -> Response<Full<Bytes>> {
    serve_in(Failure::as_json, request, routes).await
}

/// The same for a family whose clients read failures in another form.
pub async fn serve_in(
    form: fn(&Failure, &str) -> Reply,
    request: Request,
    routes: impl AsyncFnOnce(&Context) -> Result<Reply>,
) -> Response<Full<Bytes>> {
    let began = std::time::Instant::now();
    log::start().await;
    let cx = Context::new(request);
    let (reply, code, cause) = match routes(&cx).await {
        Ok(reply) => (reply, None, None),
        Err(error) => {
            let logged = error.logged_code().map(str::to_owned);
            let mut cause = error.cause();
            if let Some(code) = error.refusal() {
                // Nothing was disclosed: the refusal stands although nobody can write it down at the moment.
                cause = cx.audit_refusal(code).await.err().and_then(|error| error.cause());
            }
            (error.into_failure().reply(cx.request_id(), form), logged, cause)
        }
    };
    log::request(&cx, reply.status(), code.as_deref(), cause.as_deref(), began);
    reply.into_response(&cx)
}

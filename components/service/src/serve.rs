//! From the runtime's request to its response: the frame around every family's route table.

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use spin_sdk::http::Request;

use crate::{Context, Reply, Result, log};

/// Answers one request by a family's route table, and logs one line about it.
pub async fn serve(
    request: Request,
    routes: impl AsyncFnOnce(&Context) -> Result<Reply>,
) -> Response<Full<Bytes>> {
    let began = std::time::Instant::now();
    log::start().await;
    let cx = Context::new(request);
    let (reply, cause) = match routes(&cx).await {
        Ok(reply) => (reply, None),
        Err(error) => {
            let cause = error.cause();
            (error.into_reply(cx.request_id()), cause)
        }
    };
    log::request(&cx, reply.status(), cause.as_deref(), began);
    reply.into_response(&cx)
}

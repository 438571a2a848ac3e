//! The audit: `/api/audit-events` for auditors, and the task that seals what was written so that nothing can be changed
//! unnoticed. The events themselves are written by every function with its act: `audit.append` in `service`.

mod list;
mod seal;

use service::{Context, Error, Method, Reply, Result};
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    service::serve(request, routes).await
}

async fn routes(cx: &Context) -> Result<Reply> {
    match (cx.segments().as_slice(), cx.method()) {
        (["api", "audit-events"], &Method::GET) => list::list(cx).await,
        (["api", "audit-events"], _) => Err(Error::MethodNotAllowed("GET")),
        (["tasks", "seal"], &Method::POST) => seal::seal(cx).await,
        (["tasks", "seal"], _) => Err(Error::MethodNotAllowed("POST")),
        _ => Err(Error::NotFound),
    }
}

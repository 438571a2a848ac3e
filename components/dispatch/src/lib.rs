//! Dispatch: the task that tells other systems what happened, and what became of each delivery: `/api/deliveries`.
//! The only component that calls other services.

mod ask;
mod deliver;
mod expand;
mod list;
mod message;
mod receiver;
mod retry;
mod tidy;
mod work;

use service::{Context, Error, Method, Reply, Result};
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    service::serve(request, routes).await
}

async fn routes(cx: &Context) -> Result<Reply> {
    match (cx.segments().as_slice(), cx.method()) {
        (["api", "deliveries"], &Method::GET) => list::list(cx).await,
        (["api", "deliveries"], _) => Err(Error::MethodNotAllowed("GET")),
        (["api", "deliveries", id, "retry"], &Method::POST) => retry::retry(cx, cx.id(id)?).await,
        (["api", "deliveries", _, "retry"], _) => Err(Error::MethodNotAllowed("POST")),
        (["tasks", "dispatch"], &Method::POST) => work::work(cx).await,
        (["tasks", "dispatch"], _) => Err(Error::MethodNotAllowed("POST")),
        _ => Err(Error::NotFound),
    }
}

//! What this is, is it well, and the JSON answer to a path that is not there.

mod about;
mod health;

use service::{Context, Error, Method, Reply, Result};
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    service::serve(request, routes).await
}

async fn routes(cx: &Context) -> Result<Reply> {
    match (cx.segments().as_slice(), cx.method()) {
        ([], &Method::GET) => Ok(about::about()),
        (["health"], &Method::GET) => health::health(cx).await,
        (["health", "live"], &Method::GET) => Ok(health::live()),
        ([] | ["health"] | ["health", "live"], _) => Err(Error::MethodNotAllowed("GET")),
        _ => Err(Error::NotFound),
    }
}

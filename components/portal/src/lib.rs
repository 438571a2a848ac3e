//! What this is, how it is used, is it well, and the JSON answer to a path that is not there. Anybody may ask: none of
//! it needs a token, the documentation included.

mod about;
mod docs;
mod health;
mod openapi;

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
        (["openapi.json"], &Method::GET) => Ok(openapi::openapi()),
        (["docs"], &Method::GET) => Ok(docs::docs()),
        ([] | ["health"] | ["health", "live"] | ["openapi.json"] | ["docs"], _) => {
            Err(Error::MethodNotAllowed("GET"))
        }
        _ => Err(Error::NotFound),
    }
}

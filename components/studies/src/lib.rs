//! Studies: `/api/studies`, but for their images.

mod change;
mod list;
mod read;
mod refusal;
mod register;

use service::{Context, Error, Method, Reply, Result};
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    service::serve(request, routes).await
}

async fn routes(cx: &Context) -> Result<Reply> {
    match (cx.segments().as_slice(), cx.method()) {
        (["api", "studies"], &Method::GET) => list::list(cx).await,
        (["api", "studies"], &Method::POST) => register::register(cx).await,
        (["api", "studies"], _) => Err(Error::MethodNotAllowed("GET, POST")),
        (["api", "studies", "accession", number], &Method::GET) => read::read_by_accession(cx, number).await,
        (["api", "studies", "accession", _], _) => Err(Error::MethodNotAllowed("GET")),
        (["api", "studies", id], &Method::GET) => read::read(cx, cx.id(id)?).await,
        (["api", "studies", id], &Method::PATCH) => change::change(cx, cx.id(id)?).await,
        (["api", "studies", _], _) => Err(Error::MethodNotAllowed("GET, PATCH")),
        (["api", "studies", id, "status"], &Method::PATCH) => change::change_status(cx, cx.id(id)?).await,
        (["api", "studies", _, "status"], _) => Err(Error::MethodNotAllowed("PATCH")),
        _ => Err(Error::NotFound),
    }
}

//! Ingest: uploads and what became of them, storage's events, and the sweep that finds what no event announced.
//! However a blob is found, [`take::take`] is what reads and files it.

mod compare;
mod dry_run;
mod event;
mod filing;
mod header;
mod invoke;
mod list;
mod offer;
mod read;
mod resolve;
mod settings;
mod statements;
mod sweep;
mod take;

use service::{Context, Error, Method, Reply, Result};
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    service::serve(request, routes).await
}

async fn routes(cx: &Context) -> Result<Reply> {
    match (cx.segments().as_slice(), cx.method()) {
        (["api", "uploads"], &Method::POST) => offer::offer(cx).await,
        (["api", "uploads"], _) => Err(Error::MethodNotAllowed("POST")),
        (["api", "ingest"], &Method::GET) => list::list(cx).await,
        (["api", "ingest"], _) => Err(Error::MethodNotAllowed("GET")),
        (["api", "ingest", id], &Method::GET) => read::read(cx, cx.id(id)?).await,
        (["api", "ingest", _], _) => Err(Error::MethodNotAllowed("GET")),
        (["api", "ingest", id, "resolve"], &Method::POST) => resolve::resolve(cx, cx.id(id)?).await,
        (["api", "ingest", _, "resolve"], _) => Err(Error::MethodNotAllowed("POST")),
        (["api", "settings", "ingest"], &Method::GET) => settings::read(cx).await,
        (["api", "settings", "ingest"], &Method::PUT) => settings::change(cx).await,
        (["api", "settings", "ingest"], _) => Err(Error::MethodNotAllowed("GET, PUT")),
        (["api", "finding-rules", "dry-run"], &Method::POST) => dry_run::dry_run(cx).await,
        (["api", "finding-rules", "dry-run"], _) => Err(Error::MethodNotAllowed("POST")),
        (["events", "blob"], &Method::OPTIONS) => event::handshake(cx).await,
        (["events", "blob"], &Method::POST) => event::receive(cx).await,
        (["events", "blob"], _) => Err(Error::MethodNotAllowed("OPTIONS, POST")),
        (["blob-created"], &Method::POST) => invoke::invoke(cx).await,
        (["blob-created"], _) => Err(Error::MethodNotAllowed("POST")),
        (["tasks", "sweep"], &Method::POST) => sweep::sweep(cx).await,
        (["tasks", "sweep"], _) => Err(Error::MethodNotAllowed("POST")),
        _ => Err(Error::NotFound),
    }
}

//! Images: `/api/images`, and the images of a study or a series. Their bytes travel between client and storage;
//! this component only signs the URLs.

mod annotate;
mod list;
mod read;
mod refusal;
mod register;
mod remove;
mod url;

use service::{Context, Error, Method, Reply, Result};
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    service::serve(request, routes).await
}

async fn routes(cx: &Context) -> Result<Reply> {
    match (cx.segments().as_slice(), cx.method()) {
        (["api", "studies", id, "images"], &Method::GET) => list::of_study(cx, cx.id(id)?).await,
        (["api", "studies", id, "images"], &Method::POST) => register::register(cx, cx.id(id)?).await,
        (["api", "studies", _, "images"], _) => Err(Error::MethodNotAllowed("GET, POST")),
        (["api", "studies", id, "series", series, "images"], &Method::GET) => {
            list::of_series(cx, cx.id(id)?, series).await
        }
        (["api", "studies", _, "series", _, "images"], _) => Err(Error::MethodNotAllowed("GET")),
        (["api", "images", id], &Method::GET) => read::read(cx, cx.id(id)?).await,
        (["api", "images", id], &Method::DELETE) => remove::remove(cx, cx.id(id)?).await,
        (["api", "images", _], _) => Err(Error::MethodNotAllowed("GET, DELETE")),
        (["api", "images", id, "url"], &Method::GET) => url::url(cx, cx.id(id)?).await,
        (["api", "images", _, "url"], _) => Err(Error::MethodNotAllowed("GET")),
        (["api", "images", id, "metadata"], &Method::PATCH) => annotate::annotate(cx, cx.id(id)?).await,
        (["api", "images", _, "metadata"], _) => Err(Error::MethodNotAllowed("PATCH")),
        _ => Err(Error::NotFound),
    }
}

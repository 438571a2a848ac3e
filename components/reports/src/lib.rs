//! Reports: `/api/reports`. Every version of a report is kept as it was written, with who wrote it and when.

mod amend;
mod change;
mod content;
mod of_radiologist;
mod of_study;
mod read;
mod refusal;
mod remove;
mod revise;
mod sign;
mod write;

use service::{Context, Error, Method, Reply, Result};
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    service::serve(request, routes).await
}

async fn routes(cx: &Context) -> Result<Reply> {
    match (cx.segments().as_slice(), cx.method()) {
        (["api", "reports"], &Method::POST) => write::write(cx).await,
        (["api", "reports"], _) => Err(Error::MethodNotAllowed("POST")),
        (["api", "reports", "study", study], &Method::GET) => of_study::of_study(cx, cx.id(study)?).await,
        (["api", "reports", "study", _], _) => Err(Error::MethodNotAllowed("GET")),
        (["api", "reports", "radiologist", radiologist], &Method::GET) => {
            of_radiologist::of_radiologist(cx, radiologist).await
        }
        (["api", "reports", "radiologist", _], _) => Err(Error::MethodNotAllowed("GET")),
        (["api", "reports", id], &Method::GET) => read::read(cx, cx.id(id)?).await,
        (["api", "reports", id], &Method::PATCH) => change::change(cx, cx.id(id)?).await,
        (["api", "reports", id], &Method::DELETE) => remove::remove(cx, cx.id(id)?).await,
        (["api", "reports", _], _) => Err(Error::MethodNotAllowed("GET, PATCH, DELETE")),
        (["api", "reports", id, "sign"], &Method::POST) => sign::sign(cx, cx.id(id)?).await,
        (["api", "reports", _, "sign"], _) => Err(Error::MethodNotAllowed("POST")),
        (["api", "reports", id, "amend"], &Method::POST) => amend::amend(cx, cx.id(id)?).await,
        (["api", "reports", _, "amend"], _) => Err(Error::MethodNotAllowed("POST")),
        (["api", "reports", id, "versions", number], &Method::GET) => {
            read::read_version(cx, cx.id(id)?, number).await
        }
        (["api", "reports", _, "versions", _], _) => Err(Error::MethodNotAllowed("GET")),
        _ => Err(Error::NotFound),
    }
}

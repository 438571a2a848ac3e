//! Imaging orders: `/api/imaging-orders`.

mod cancel;
mod change;
mod list;
mod of_patient;
mod place;
mod read;
mod refusal;

use service::{Context, Error, Method, Reply, Result};
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    service::serve(request, routes).await
}

async fn routes(cx: &Context) -> Result<Reply> {
    match (cx.segments().as_slice(), cx.method()) {
        (["api", "imaging-orders"], &Method::GET) => list::list(cx).await,
        (["api", "imaging-orders"], &Method::POST) => place::place(cx).await,
        (["api", "imaging-orders"], _) => Err(Error::MethodNotAllowed("GET, POST")),
        (["api", "imaging-orders", "patient", patient], &Method::GET) => {
            of_patient::of_patient(cx, patient).await
        }
        (["api", "imaging-orders", "patient", _], _) => Err(Error::MethodNotAllowed("GET")),
        (["api", "imaging-orders", id], &Method::GET) => read::read(cx, cx.id(id)?).await,
        (["api", "imaging-orders", id], &Method::PATCH) => change::change(cx, cx.id(id)?).await,
        (["api", "imaging-orders", id], &Method::DELETE) => cancel::cancel(cx, cx.id(id)?).await,
        (["api", "imaging-orders", _], _) => Err(Error::MethodNotAllowed("GET, PATCH, DELETE")),
        _ => Err(Error::NotFound),
    }
}

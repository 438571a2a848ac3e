//! What other systems of the hospital read and say in FHIR R4: `/fhir`.

mod acknowledge;
mod capabilities;
mod describe;
mod form;
mod place;
mod read;
mod refusal;
mod search;

use service::{Context, Error, Method, Reply, Result};
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    service::serve_in(form::failure, request, routes).await
}

async fn routes(cx: &Context) -> Result<Reply> {
    match (cx.segments().as_slice(), cx.method()) {
        (["fhir", "metadata"], &Method::GET) => capabilities::capabilities(cx),
        (["fhir", "metadata"], _) => Err(Error::MethodNotAllowed("GET")),
        (["fhir", "ServiceRequest"], &Method::GET) => search::orders(cx).await,
        (["fhir", "ServiceRequest"], &Method::POST) => place::place(cx).await,
        (["fhir", "ServiceRequest"], _) => Err(Error::MethodNotAllowed("GET, POST")),
        (["fhir", "ServiceRequest", id], &Method::GET) => read::order(cx, cx.id(id)?).await,
        (["fhir", "ServiceRequest", _], _) => Err(Error::MethodNotAllowed("GET")),
        (["fhir", "ImagingStudy"], &Method::GET) => search::studies(cx).await,
        (["fhir", "ImagingStudy"], _) => Err(Error::MethodNotAllowed("GET")),
        (["fhir", "ImagingStudy", id], &Method::GET) => read::study(cx, cx.id(id)?).await,
        (["fhir", "ImagingStudy", _], _) => Err(Error::MethodNotAllowed("GET")),
        (["fhir", "DiagnosticReport"], &Method::GET) => search::reports(cx).await,
        (["fhir", "DiagnosticReport"], _) => Err(Error::MethodNotAllowed("GET")),
        (["fhir", "DiagnosticReport", id], &Method::GET) => read::report(cx, cx.id(id)?).await,
        (["fhir", "DiagnosticReport", _], _) => Err(Error::MethodNotAllowed("GET")),
        (["fhir", "Patient"], &Method::POST) => describe::describe(cx).await,
        (["fhir", "Patient"], _) => Err(Error::MethodNotAllowed("POST")),
        (["fhir", "Communication"], &Method::POST) => acknowledge::acknowledge(cx).await,
        (["fhir", "Communication"], _) => Err(Error::MethodNotAllowed("POST")),
        _ => Err(Error::NotFound),
    }
}

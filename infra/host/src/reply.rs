//! What the host itself answers, in the shape of the application's own replies.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use wasmtime_wasi_http::WasiBody;

/// Why there is no reply of a component.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Code {
    BadRequest,
    DeadlineExceeded,
    InternalError,
    MethodNotAllowed,
    NotFound,
    Overloaded,
}

impl Code {
    fn say(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, "bad_request", "The request cannot be understood."),
            Self::DeadlineExceeded => {
                (StatusCode::GATEWAY_TIMEOUT, "deadline_exceeded", "The request took too long and was ended.")
            }
            Self::InternalError => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "Something went wrong on our side.")
            }
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This can only be read.")
            }
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "There is nothing here."),
            Self::Overloaded => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "Too many requests at once; try again shortly.",
            ),
        }
    }
}

pub fn failure(code: Code, id: &str) -> Response<WasiBody> {
    let (status, word, message) = code.say();
    let body = serde_json::json!({ "status": "error", "code": word, "message": message, "requestId": id });
    let mut response = json(status, &body);
    match code {
        Code::Overloaded => response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1")),
        Code::MethodNotAllowed => response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD")),
        _ => None,
    };
    response
}

/// `/health/live`: the host serves, whatever its components do.
pub fn live(method: &Method, id: &str) -> Response<WasiBody> {
    if method != Method::GET && method != Method::HEAD {
        return failure(Code::MethodNotAllowed, id);
    }
    json(StatusCode::OK, &serde_json::json!({ "status": "success", "data": { "live": true } }))
}

fn json(status: StatusCode, body: &serde_json::Value) -> Response<WasiBody> {
    let body = body.to_string();
    let length = HeaderValue::from(body.len());
    let body = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}

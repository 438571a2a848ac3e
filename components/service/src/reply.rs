//! Replies: JSend on success, and always with their length, since a reply without one stalls a kept-alive connection.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use crate::Context;

pub struct Reply {
    status: StatusCode,
    headers: http::HeaderMap,
    body: Bytes,
}

impl Reply {
    pub fn json(status: u16, body: &Value) -> Self {
        Self::content(status, "application/json", body.to_string())
    }

    /// A body of some media type.
    pub fn content(status: u16, media_type: &str, body: impl Into<Bytes>) -> Self {
        let mut reply = Self::empty(status);
        reply.body = body.into();
        reply.header("content-type", media_type)
    }

    pub fn empty(status: u16) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            headers: http::HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    /// A success with `data` as it is.
    pub fn success(status: u16, data: &Value) -> Self {
        Self::json(status, &json!({"status": "success", "data": data}))
    }

    /// 200 with what was asked for under its key.
    pub fn ok(key: &str, document: Value) -> Self {
        Self::success(200, &json!({key: document}))
    }

    /// 200 with one resource under its key, and an ETag of its version.
    pub fn resource(key: &str, document: Value) -> Self {
        let version = version_of(&document);
        Self::ok(key, document).etag(version)
    }

    /// 201 with a new resource under its key, where it is, and an ETag of its version.
    pub fn created(key: &str, document: Value, location: &str) -> Self {
        let version = version_of(&document);
        Self::success(201, &json!({key: document})).header("location", location).etag(version)
    }

    pub fn etag(self, version: Option<i64>) -> Self {
        match version {
            Some(version) => self.header("etag", &format!("\"{version}\"")),
            None => self,
        }
    }

    pub fn no_content() -> Self {
        Self::empty(204)
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    pub fn with_status(self, status: u16) -> Self {
        Self { status: StatusCode::from_u16(status).unwrap_or(self.status), ..self }
    }

    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// The body as text, for tests and for looking at.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn into_response(self, cx: &Context) -> Response<http_body_util::Full<Bytes>> {
        let reply = self.header("x-request-id", cx.request_id()).header("cache-control", "no-store");
        let length = HeaderValue::from(reply.body.len());
        let has_length = reply.status != StatusCode::NO_CONTENT;
        let mut response = Response::new(http_body_util::Full::new(reply.body));
        *response.status_mut() = reply.status;
        *response.headers_mut() = reply.headers;
        if has_length {
            response.headers_mut().insert(http::header::CONTENT_LENGTH, length);
        }
        response
    }
}

fn version_of(document: &Value) -> Option<i64> {
    document.get("version").and_then(Value::as_i64)
}

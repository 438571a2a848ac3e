//! One request: who asks, what for, and the ways to answer it.

use std::cell::{OnceCell, RefCell};

use domain::{Caller, Reach, Right};
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use spin_sdk::http::Request;

use crate::{Body, Error, FieldFault, Query, Result, auth, body, db, seal::Seal};

pub struct Context {
    method: Method,
    path: String,
    segments: Vec<String>,
    query: String,
    headers: HeaderMap,
    route: String,
    request_id: String,
    body: RefCell<Option<Request>>,
    organization: OnceCell<String>,
}

impl Context {
    pub(crate) fn new(request: Request) -> Self {
        let headers = request.headers().clone();
        let path = request.uri().path();
        Self {
            method: request.method().clone(),
            path: path.to_owned(),
            segments: path.split('/').filter(|segment| !segment.is_empty()).map(decode).collect(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            route: text(&headers, "spin-component-route")
                .or(text(&headers, "spin-matched-route"))
                .unwrap_or("-")
                .to_owned(),
            request_id: request_id(&headers),
            headers,
            body: RefCell::new(Some(request)),
            organization: OnceCell::new(),
        }
    }

    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// The path, split at its slashes and decoded. A segment that is no UTF-8 matches nothing.
    pub fn segments(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        text(&self.headers, name)
    }

    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    pub(crate) fn route(&self) -> &str {
        &self.route
    }

    /// Whose request it is, once that is known.
    pub(crate) fn organization(&self) -> Option<&str> {
        self.organization.get().map(String::as_str)
    }

    /// An id in the path; one that cannot be read is malformed.
    pub fn id<T: std::str::FromStr<Err = domain::Fault>>(&self, segment: &str) -> Result<T> {
        segment.parse().map_err(|fault| Error::Malformed(vec![FieldFault::new("id", fault)]))
    }

    /// The parameters after the question mark, to be taken one by one.
    pub fn query(&self) -> Query {
        Query::new(&self.query)
    }

    /// This request's own path and query, with another cursor.
    pub(crate) fn path_with_cursor(&self, cursor: &str) -> String {
        let others = self.query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
        let query: Vec<String> =
            others.map(str::to_owned).chain(std::iter::once(format!("cursor={cursor}"))).collect();
        format!("{}?{}", self.path, query.join("&"))
    }

    /// The JSON body, to be taken field by field.
    pub async fn body(&self) -> Result<Body> {
        body::read(self).await.and_then(Body::object)
    }

    /// The JSON body where leaving it out is fine.
    pub async fn body_if_any(&self) -> Result<Body> {
        Ok(body::read_if_any(self).await?.map(Body::object).transpose()?.unwrap_or_default())
    }

    /// The JSON body of a machine, whatever its shape.
    pub async fn document(&self) -> Result<Value> {
        body::read(self).await
    }

    pub(crate) fn take_request(&self) -> Option<Request> {
        self.body.borrow_mut().take()
    }

    /// The version that the caller believes to be current (RFC 9110 13.1.1), or none.
    pub fn if_version(&self) -> Result<Option<i64>> {
        let Some(header) = self.header("if-match") else { return Ok(None) };
        if header == "*" {
            return Ok(None);
        }
        header
            .strip_prefix('"')
            .and_then(|header| header.strip_suffix('"'))
            .and_then(|version| version.parse().ok())
            .map(Some)
            .ok_or_else(|| {
                Error::Malformed(vec![FieldFault::new("If-Match", "must be an ETag that this service gave")])
            })
    }

    /// The caller, who has a right at least on some rows; the reach says on which.
    pub async fn require(&self, right: Right) -> Result<Authorized<'_>> {
        let caller = auth::caller(self).await?;
        drop(self.organization.set(caller.organization.as_str().to_owned()));
        let reach = caller.reach(right).ok_or(Error::Forbidden("Your role may not do this."))?;
        let seal = Seal::of(caller.organization.as_str()).await?;
        Ok(Authorized { cx: self, caller, reach, seal })
    }

    /// A machine that proves itself with the event key: storage, a timer.
    pub async fn require_event_key(&self) -> Result<()> {
        auth::event_key(self).await
    }

    /// One call of one SQL function, as a machine that acts for one organization, or for none in particular.
    pub async fn call_as(
        &self,
        machine: &str,
        organization: &str,
        function: &str,
        ask: Value,
    ) -> Result<Value> {
        db::call(function, self.database_context(organization, machine, "machine"), ask).await
    }

    /// What every SQL function is told of the request.
    fn database_context(&self, organization: &str, actor: &str, role: &str) -> Value {
        json!({
            "organization": organization,
            "actor": actor,
            "role": role,
            "requestId": self.request_id,
            "trace": self.header("traceparent").filter(|trace| is_traceparent(trace)),
            "source": self.header("spin-client-addr"),
        })
    }
}

/// A caller who may do what the action requires.
pub struct Authorized<'a> {
    cx: &'a Context,
    pub caller: Caller,
    /// The rows on which the required right holds.
    pub reach: Reach,
    /// Seals and opens what is about this organization's patients.
    pub seal: Seal,
}

impl Authorized<'_> {
    /// The rows on which a further right holds; without it the act is forbidden.
    pub fn also(&self, right: Right) -> Result<Reach> {
        self.caller.reach(right).ok_or(Error::Forbidden("Your role may not do this."))
    }

    /// The rows on which a further right holds, as the SQL functions read it: null when there are none.
    pub fn reach_of(&self, right: Right) -> Value {
        self.caller.reach(right).map_or(Value::Null, |reach| json!(reach))
    }

    /// One call of one SQL function. What is sealed in its answer comes back open.
    pub async fn call(&self, function: &str, ask: Value) -> Result<Value> {
        let caller = &self.caller;
        let context =
            self.cx.database_context(caller.organization.as_str(), caller.id.as_str(), caller.role.as_str());
        let mut document = db::call(function, context, ask).await?;
        self.seal.open_document(&mut document)?;
        Ok(document)
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn decode(segment: &str) -> String {
    percent_encoding::percent_decode_str(segment)
        .decode_utf8()
        .ok()
        .filter(|segment| !segment.contains('\0'))
        .map_or_else(|| "\u{fffd}".to_owned(), std::borrow::Cow::into_owned)
}

/// Whether a header has the form of a trace context (W3C Trace Context 3.2).
fn is_traceparent(text: &str) -> bool {
    text.len() == 55 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// The id that the caller gave the request, if it is fit for a log, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let fit = |id: &&str| {
        (1..=128).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
    };
    text(headers, "x-request-id").filter(fit).map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned)
}

//! One request: who asks, what for, and the ways to answer it.

use std::cell::{OnceCell, RefCell};

use domain::{Caller, ExternalId, Line, Reach, Right};
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use spin_sdk::http::Request;
use uuid::Uuid;

use crate::{
    Body, Error, FieldFault, Query, Result,
    attempt::{Attempt, Named},
    auth, body, db, log, query,
    seal::Seal,
};

/// The header under which a POST is done once, however often it is sent.
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// The header with which a caller breaks the glass; it says why.
const BREAK_GLASS: &str = "x-break-glass";

pub struct Context {
    method: Method,
    path: String,
    segments: Vec<String>,
    query: String,
    headers: HeaderMap,
    route: String,
    request_id: String,
    body: RefCell<Option<Request>>,
    /// Of the body that was read, what tells it from another. The body itself is let go of.
    body_digest: OnceCell<[u8; 32]>,
    attempt: RefCell<Option<Attempt>>,
    named: RefCell<Named>,
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
            route: told(&headers, "spin-component-route")
                .or(told(&headers, "spin-matched-route"))
                .unwrap_or("-")
                .to_owned(),
            request_id: request_id(&headers),
            headers,
            body: RefCell::new(Some(request)),
            body_digest: OnceCell::new(),
            attempt: RefCell::new(None),
            named: RefCell::default(),
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

    /// Whether a header was sent, be it one that is not text.
    pub fn has_header(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    pub(crate) fn route(&self) -> &str {
        &self.route
    }

    /// Writes a line into the log about a request that is answered with success and is of no use: what, and nothing that
    /// it holds.
    pub fn remark(&self, what: &'static str) {
        log::remark(self, what);
    }

    /// Whose request it is, once that is known.
    pub(crate) fn organization(&self) -> Option<String> {
        self.attempt.borrow().as_ref().map(|attempt| attempt.caller.organization.as_str().to_owned())
    }

    /// An id in the path; one that cannot be read is malformed.
    pub fn id<T: std::str::FromStr<Err = domain::Fault>>(&self, segment: &str) -> Result<T> {
        segment.parse().map_err(|fault| Error::Malformed(vec![FieldFault::new("id", fault)]))
    }

    /// Where this service is, as the client calls it: `https://imaging.example.org`. Nothing when the runtime does not say.
    pub fn origin(&self) -> Option<String> {
        let url: http::Uri = told(&self.headers, "spin-full-url")?.parse().ok()?;
        let scheme = self.header("x-forwarded-proto").filter(|scheme| *scheme == "https");
        Some(format!("{}://{}", scheme.or(url.scheme_str())?, url.authority()?))
    }

    /// Says whom a request is about, where its body does not say so by the names of this service.
    pub fn concerns(&self, patient: Option<ExternalId>, id: Option<Uuid>) {
        self.named.borrow_mut().also(patient, id);
    }

    /// The parameters after the question mark, to be taken one by one.
    pub fn query(&self) -> Query {
        Query::new(&self.query)
    }

    /// This request's own path and query.
    pub fn path_and_query(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }

    /// The same with another cursor.
    pub fn path_with_cursor(&self, cursor: &str) -> String {
        format!("{}?{}", self.path, query::with(&self.query, "cursor", cursor))
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

    /// Keeps of the body whom it is about and, if the request can be asked again under a key, what tells it from another.
    pub(crate) fn remember_body(&self, body: &Value) {
        self.named.replace(Named::of(body));
        if self.method == Method::POST && self.headers.contains_key(IDEMPOTENCY_KEY) {
            // The members of an object are in order, however they were sent.
            self.body_digest.get_or_init(|| Sha256::digest(body.to_string()).into());
        }
    }

    /// What tells this request from another that is sent under the same key.
    fn asked(&self) -> impl serde::Serialize {
        (self.method.as_str(), &self.path, &self.query, self.body_digest.get())
    }

    /// The key under which a POST is done once, or nothing.
    fn idempotency_key(&self) -> Result<Option<&str>> {
        let mut keys = self.headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(key) = keys.next().filter(|_| self.method == Method::POST) else { return Ok(None) };
        key.to_str()
            .ok()
            .filter(|key| (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()))
            .filter(|_| keys.next().is_none())
            .map(Some)
            .ok_or_else(|| {
                let fault = FieldFault::new(IDEMPOTENCY_KEY, "must be 1 to 255 visible ASCII characters");
                Error::Malformed(vec![fault])
            })
    }

    /// The versions of which the caller believes that one is current (RFC 9110 13.1.1); none when any will do.
    /// A weak ETag never matches: of such alone there is a list without a version in it.
    pub fn if_version(&self) -> Result<Option<Vec<i64>>> {
        let headers = self.headers.get_all("If-Match").iter();
        let etags: Vec<&str> = headers
            .flat_map(|header| header.to_str().unwrap_or_default().split(','))
            .map(str::trim)
            .collect();
        if etags.is_empty() || etags == ["*"] {
            return Ok(None);
        }
        let is_weak = |etag: &str| etag.starts_with("W/\"") && etag.ends_with('"');
        let strong = etags.into_iter().filter(|etag| !is_weak(etag));
        strong.map(version_of).collect::<Option<_>>().map(Some).ok_or_else(|| {
            Error::Malformed(vec![FieldFault::new("If-Match", "must be an ETag that this service gave")])
        })
    }

    /// The caller, who has a right at least on some rows; the reach says on which.
    pub async fn require(&self, right: Right) -> Result<Authorized<'_>> {
        let mut caller = auth::caller(self).await?;
        self.attempt.replace(Some(Attempt { caller: caller.clone(), right, emergency: Value::Null }));
        let reason = self.emergency()?;
        caller.emergency = reason.is_some();
        let seal = Seal::of(caller.organization.as_str()).await?;
        let emergency = match reason {
            Some(reason) => {
                seal.fields("emergencies", self.request_id(), [("reason", Some(json!(reason)))])?
            }
            None => Value::Null,
        };
        self.attempt.replace(Some(Attempt { caller: caller.clone(), right, emergency: emergency.clone() }));
        let reach = caller.reach(right).ok_or_else(|| forbidden(&caller))?;
        Ok(Authorized { cx: self, caller, reach, seal, emergency })
    }

    /// Why the caller breaks the glass (DICOM PS3.15 A.5.3: emergency override), or nothing.
    fn emergency(&self) -> Result<Option<Line>> {
        let Some(reason) = self.headers.get(BREAK_GLASS) else { return Ok(None) };
        let reason = std::str::from_utf8(reason.as_bytes())
            .map_err(|_| domain::Fault::new("must be UTF-8 text"))
            .and_then(Line::try_from)
            .map_err(|fault| Error::Malformed(vec![FieldFault::new(BREAK_GLASS, fault)]))?;
        Ok(Some(reason))
    }

    /// Records in the audit that a caller was refused, when it is known who that was: a call of its own, since the
    /// call that refused has changed nothing.
    pub(crate) async fn audit_refusal(&self, code: &str) -> Result<()> {
        let Some(Attempt { caller, right, emergency }) = self.attempt.borrow().clone() else { return Ok(()) };
        let ask = self.named.borrow().ask(right, code, &self.segments, &self.query);
        db::call("audit.refuse", self.context_of(&caller, &emergency), ask).await.map(drop)
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

    /// What a SQL function is told of a caller's request.
    fn context_of(&self, caller: &Caller, emergency: &Value) -> Value {
        let mut context =
            self.database_context(caller.organization.as_str(), caller.id.as_str(), caller.role.as_str());
        if let Value::Object(context) = &mut context {
            context.insert("emergency".to_owned(), emergency.clone());
        }
        context
    }

    /// What every SQL function is told of the request.
    fn database_context(&self, organization: &str, actor: &str, role: &str) -> Value {
        json!({
            "organization": organization,
            "actor": actor,
            "role": role,
            "requestId": self.request_id,
            "trace": self.header("traceparent").filter(|trace| is_traceparent(trace)),
            "source": told(&self.headers, "spin-client-addr"),
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
    /// Why the caller broke the glass, sealed; null when it is whole.
    emergency: Value,
}

impl Authorized<'_> {
    /// The rows on which a further right holds; without it the act is forbidden.
    pub fn also(&self, right: Right) -> Result<Reach> {
        if let Some(attempt) = self.cx.attempt.borrow_mut().as_mut() {
            attempt.right = right;
        }
        self.caller.reach(right).ok_or_else(|| forbidden(&self.caller))
    }

    /// The rows on which a further right holds, as the SQL functions read it: null when there are none.
    pub fn reach_of(&self, right: Right) -> Value {
        self.caller.reach(right).map_or(Value::Null, |reach| json!(reach))
    }

    /// One call of one SQL function. What is sealed in its answer comes back open.
    pub async fn call(&self, function: &str, ask: Value) -> Result<Value> {
        let context = self.cx.context_of(&self.caller, &self.emergency);
        let mut document = db::call(function, context, ask).await?;
        self.seal.open_document(&mut document)?;
        Ok(document)
    }

    /// The same for a POST that makes or does something: with an `Idempotency-Key`, the same request is answered what
    /// it was answered at first, within a day. What goes into the reply is therefore taken from the answer, not from
    /// what was minted for the call; and nothing may refuse before it because of what the first has done.
    pub async fn once(&self, function: &str, ask: Value) -> Result<Value> {
        let Some(key) = self.cx.idempotency_key()? else { return self.call(function, ask).await };
        let fingerprints = self.seal.digests("request", self.cx.asked())?;
        let ask = json!({"function": function, "ask": ask, "key": key, "fingerprints": fingerprints});
        self.call("idempotency.once", ask).await
    }
}

fn forbidden(caller: &Caller) -> Error {
    Error::Forbidden(if caller.emergency {
        "Breaking the glass lets providers and radiologists read, and allows nothing else."
    } else {
        "Your role may not do this."
    })
}

/// The version that an ETag of this service names.
fn version_of(etag: &str) -> Option<i64> {
    etag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// What the runtime says of a request. Spin puts it behind what the client may have sent under the same name.
fn told<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get_all(name).iter().next_back().and_then(|value| value.to_str().ok())
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

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn the_runtime_is_believed_and_not_who_speaks_in_its_name() {
        let mut headers = HeaderMap::new();
        headers.append("spin-client-addr", HeaderValue::from_static("6.6.6.6:6"));
        headers.append("spin-client-addr", HeaderValue::from_static("10.0.0.1:4711"));
        assert_eq!(told(&headers, "spin-client-addr"), Some("10.0.0.1:4711"));
    }
}

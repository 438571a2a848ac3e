//! The application: its routes, its components, and what happens to a request between the two.

use crate::admission::Admission;
use crate::call::{Admitted, Call, Finished, millis};
use crate::guest::{Handler, Shared};
use crate::reply::{self, Code};
use crate::route::{Match, Router};
use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderName, HeaderValue};
use http::{Method, Request, Response, Uri};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use wasmtime_wasi_http::handler::{ExpirationError, InstantiationError, TrapOrPanicError};
use wasmtime_wasi_http::{Error, WasiBody};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PROFILE: HeaderName = HeaderName::from_static("x-profile");

/// How much later than its deadline a request is given up by the host, should all else have failed.
const GRACE: Duration = Duration::from_millis(500);

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Origin {
    Client(SocketAddr),
    /// A client for whose connection there was no room any more.
    Latecomer(SocketAddr),
    /// A component of this application.
    Own,
    /// The host's own timers, whose requests are logged for debugging only.
    Timer,
}

pub struct Application {
    pub router: Router<Handler>,
    pub admission: Admission,
    pub deadline: Duration,
    pub profile: bool,
    pub shared: Arc<Shared>,
}

impl Application {
    /// Answers a request; whatever goes wrong has an answer too.
    pub async fn answer(&self, mut request: Request<WasiBody>, origin: Origin) -> Response<WasiBody> {
        let started = Instant::now();
        let id = request_id(&mut request);
        let path = request.uri().path().to_owned();
        let mut record =
            Record { started, method: request.method().clone(), origin, profile: self.profile, own: true };
        if path == "/health/live" {
            return record.finish(&id, "/health/live", reply::live(request.method(), &id), None);
        }
        let Some(found) = self.router.find(&path) else {
            return record.finish(&id, "", reply::failure(Code::NotFound, &id), None);
        };
        let route = found.route.pattern.as_str();
        let deadline = started + self.deadline;
        let Some(place) = self.admission.enter(&path, origin).await else {
            // It is logged with all the others.
            record.own = false;
            return record.finish(&id, route, reply::failure(Code::Overloaded, &id), None);
        };

        let call = Arc::new(Call::new(id, deadline));
        let admitted = Admitted { call: Arc::clone(&call), place: Arc::new(place) };
        let finished = Finished(admitted.clone());
        let handler = found.target.clone();
        if prepare(&mut request, &found, &call.id, origin).is_err() {
            return record.finish(&call.id, route, reply::failure(Code::BadRequest, &call.id), None);
        }
        let handled = handler.handle(admitted, request);
        let response = match tokio::time::timeout_at((deadline + GRACE).into(), handled).await {
            Ok(Ok(response)) => {
                record.own = false;
                response
            }
            Ok(Err(error)) => reply::failure(why(&error, &call), &call.id),
            Err(_) => reply::failure(Code::DeadlineExceeded, &call.id),
        };
        record.finish(&call.id, route, response, Some(finished))
    }
}

/// What an error of the handler means to a client. The instance's own error is logged where it ends.
fn why(error: &wasmtime::Error, call: &Call) -> Code {
    if let Some(error) = error.downcast_ref::<InstantiationError<Admitted>>() {
        tracing::warn!(request_id = call.id, error = %format!("{:#}", error.error), "cannot make an instance");
        return Code::Overloaded;
    }
    // A guest that only computes is ended from outside, which looks like a trap.
    if error.is::<ExpirationError>() || Instant::now() >= call.deadline {
        return Code::DeadlineExceeded;
    }
    if !error.is::<TrapOrPanicError>() {
        tracing::warn!(request_id = call.id, error = %format!("{error:#}"), "the component gave no reply");
    }
    Code::InternalError
}

/// The id that the client sent, if it is one that may stand in a log, else a new one.
fn request_id(request: &mut Request<WasiBody>) -> String {
    let sent = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    let plain = |char: char| char.is_ascii_alphanumeric() || "-_.:".contains(char);
    if !sent.is_empty() && sent.len() <= 128 && sent.chars().all(plain) {
        return sent.to_owned();
    }
    uuid::Uuid::now_v7().to_string()
}

/// What Spin tells a component of a request beside what the client sent.
fn prepare(
    request: &mut Request<WasiBody>,
    found: &Match<'_, Handler>,
    id: &str,
    origin: Origin,
) -> anyhow::Result<()> {
    let host = request.headers().get(HOST).map(HeaderValue::to_str).transpose()?;
    let host = host.or(request.uri().authority().map(http::uri::Authority::as_str)).unwrap_or("localhost");
    let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let url = format!("http://{host}{path}");
    *request.uri_mut() = url.parse::<Uri>()?;

    let headers = request.headers_mut();
    headers.remove(CONNECTION);
    // A client must not say what only the host knows.
    let forged: Vec<_> = headers.keys().filter(|name| name.as_str().starts_with("spin-")).cloned().collect();
    for name in forged {
        headers.remove(name);
    }
    let client = match origin {
        Origin::Client(address) | Origin::Latecomer(address) => address.to_string(),
        Origin::Own | Origin::Timer => "127.0.0.1:0".to_owned(),
    };
    let told = [
        ("spin-path-info", found.rest.as_str()),
        ("spin-full-url", url.as_str()),
        ("spin-matched-route", found.route.pattern.as_str()),
        ("spin-base-path", "/"),
        ("spin-raw-component-route", found.route.pattern.as_str()),
        ("spin-component-route", found.route.prefix()),
        ("spin-client-addr", client.as_str()),
    ];
    for (name, value) in told {
        headers.insert(name, HeaderValue::from_str(value)?);
    }
    for (name, value) in &found.named {
        let name = format!("spin-path-match-{}", name.to_ascii_lowercase().replace('_', "-"));
        headers.insert(HeaderName::try_from(name)?, HeaderValue::from_str(value)?);
    }
    headers.insert(REQUEST_ID, HeaderValue::from_str(id)?);
    Ok(())
}

/// What the log will say of a request.
struct Record {
    started: Instant,
    method: Method,
    origin: Origin,
    profile: bool,
    /// The reply is the host's own, and has not been logged yet.
    own: bool,
}

impl Record {
    /// The reply with the request's id on it, logged once it is sent.
    fn finish(
        self,
        id: &str,
        route: &str,
        mut response: Response<WasiBody>,
        finished: Option<Finished>,
    ) -> Response<WasiBody> {
        let headers = response.headers_mut();
        if !headers.contains_key(REQUEST_ID)
            && let Ok(id) = HeaderValue::from_str(id)
        {
            headers.insert(REQUEST_ID, id);
        }
        if self.profile
            && let Some(Finished(admitted)) = &finished
            && let Ok(profile) = HeaderValue::from_str(&admitted.call.cost.profile().header())
        {
            headers.insert(PROFILE, profile);
        }
        let status = response.status().as_u16();
        let (id, route) = (id.to_owned(), route.to_owned());
        let sent = Sent { record: self, id, route, status, finished };
        response.map(|body| Watched { body, sent }.boxed_unsync())
    }
}

/// Logs the request when dropped.
struct Sent {
    record: Record,
    id: String,
    route: String,
    status: u16,
    finished: Option<Finished>,
}

impl Drop for Sent {
    fn drop(&mut self) {
        let Self { record, id, route, status, finished } = self;
        let method = record.method.as_str();
        let duration_ms = millis(record.started.elapsed());
        let profile = finished.as_ref().map(|finished| finished.0.call.cost.profile()).unwrap_or_default();
        match record.origin {
            Origin::Timer => tracing::debug!(method, route, status, duration_ms, request_id = id, "request"),
            _ if record.profile => tracing::info!(
                method,
                route,
                status,
                duration_ms,
                request_id = id,
                db_calls = profile.db_calls,
                db_prepares = profile.db_prepares,
                db_ms = profile.db_ms,
                http_calls = profile.http_calls,
                http_bytes_in = profile.http_bytes_in,
                http_ms = profile.http_ms,
                "request"
            ),
            _ if record.own => tracing::info!(method, route, status, duration_ms, request_id = id, "request"),
            // Somebody else has logged it who knows more of it.
            _ => tracing::debug!(method, route, status, duration_ms, request_id = id, "request"),
        }
    }
}

/// A body whose end is noticed, be it the body's own or the client's or the instance's.
struct Watched {
    body: WasiBody,
    sent: Sent,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(task);
        let broken = self.sent.finished.as_ref().is_some_and(|finished| finished.0.call.is_broken());
        // A body cut short must not look like a whole one: the error closes the connection in the middle of it.
        if broken && matches!(frame, Poll::Ready(None)) {
            return Poll::Ready(Some(Err(Error::HttpResponseIncomplete)));
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

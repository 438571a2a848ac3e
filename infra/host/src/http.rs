//! `wasi:http` outbound: to allowed hosts only, over connections that are kept, or into the application itself.

use crate::application::Origin;
use crate::call::Call;
use crate::guest::Context;
use crate::tls;
use anyhow::Result;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Error as ClientError;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Poll, ready};
use std::time::{Duration, Instant};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Shorter than the 5 seconds after which servers on Node, Azurite among them, close an idle connection.
const IDLE_CONNECTION: Duration = Duration::from_secs(4);

/// Where nothing else is said, how long to wait for a reply to begin, and then for each part of it.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);

type Sent = (Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

/// The connections to other services, kept and shared by all instances.
#[derive(Clone)]
pub struct Client(hyper_util::client::legacy::Client<HttpsConnector<HttpConnector>, WasiBody>);

impl Client {
    pub fn new() -> Result<Self> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls::client(None)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_CONNECTION)
            .build(connector);
        Ok(Self(client))
    }
}

/// Sends what an instance asks to be sent.
pub struct Outbound {
    pub context: Arc<Context>,
    /// The request that the instance is answering.
    pub call: Arc<Call>,
}

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        let context = Arc::clone(&self.context);
        let call = Arc::clone(&self.call);
        Box::new(async move {
            let response = send(&context, call, request, options.unwrap_or_default()).await?;
            // The connection is driven by the client: there is no I/O left to do here.
            let done: Box<dyn Future<Output = Result<(), Error>> + Send> = Box::new(async { Ok(()) });
            Ok((response, done))
        })
    }
}

async fn send(
    context: &Context,
    call: Arc<Call>,
    request: Request<WasiBody>,
    options: RequestOptions,
) -> Result<Response<WasiBody>, Error> {
    let host = request.uri().host().unwrap_or_default();
    if matches!(host, "" | "self" | "self.alt") {
        return send_to_self(context, request).await;
    }
    let scheme = request.uri().scheme_str().unwrap_or("https");
    let port = request.uri().port_u16();
    if !context.allowed_hosts.allows(scheme, host, port) {
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        tracing::warn!(
            component = context.name,
            request_id = call.id,
            "refused {scheme}://{host}{port}: add it to allowed_outbound_hosts"
        );
        return Err(Error::HttpRequestDenied);
    }

    call.cost.request();
    let started = Instant::now();
    let reply = context.shared.client.0.request(request);
    let wait = options.first_byte_timeout.unwrap_or(REPLY_TIMEOUT);
    let reply = tokio::time::timeout(wait, reply).await;
    call.cost.reply(0, started.elapsed());
    let reply = reply.map_err(|_| Error::ConnectionReadTimeout)?.map_err(|error| explain(&error))?;
    Ok(reply.map(|incoming| {
        Reply::new(incoming, call, options.between_bytes_timeout.unwrap_or(REPLY_TIMEOUT)).boxed_unsync()
    }))
}

/// Hands a request to the application's own router, without a socket.
async fn send_to_self(context: &Context, request: Request<WasiBody>) -> Result<Response<WasiBody>, Error> {
    if !context.allowed_hosts.allows_self() {
        tracing::warn!(component = context.name, "refused a call of the application: allow http://self");
        return Err(Error::HttpRequestDenied);
    }
    let application = context.shared.application.get().and_then(Weak::upgrade);
    let application = application.ok_or(Error::DestinationUnavailable)?;
    // Boxed, for a future that may contain itself needs a size. A task, for it has a life of its own.
    let (mut parts, body) = request.into_parts();
    parts.headers.remove(http::header::HOST);
    let request = Request::from_parts(parts, body);
    tokio::spawn(async move { application.answer(request, Origin::Own).await })
        .await
        .map_err(|_| Error::ConnectionTerminated)
}

/// What went wrong, in the words of `wasi:http`.
fn explain(error: &ClientError) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<Error>() {
            return Error::InternalError(Some(error.to_string()));
        }
        if let Some(error) = error.downcast_ref::<tokio_rustls::rustls::Error>() {
            return match error {
                tokio_rustls::rustls::Error::InvalidCertificate(_) => Error::TlsCertificateError,
                _ => Error::TlsProtocolError,
            };
        }
        if let Some(error) = error.downcast_ref::<io::Error>()
            && let Some(known) = explain_io(error)
        {
            return known;
        }
        if error.to_string().contains("dns error") {
            return Error::DnsError { rcode: None, info_code: None };
        }
        cause = error.source();
    }
    if error.is_connect() { Error::DestinationUnavailable } else { Error::ConnectionTerminated }
}

fn explain_io(error: &io::Error) -> Option<Error> {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some(Error::ConnectionRefused),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
            Some(Error::ConnectionTerminated)
        }
        io::ErrorKind::TimedOut => Some(Error::ConnectionTimeout),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Some(Error::DestinationIpUnroutable)
        }
        _ => None,
    }
}

/// The body of a reply: counted, and given up when it stalls.
struct Reply {
    incoming: Incoming,
    call: Arc<Call>,
    timeout: Duration,
    stalled: Option<Pin<Box<tokio::time::Sleep>>>,
    waiting_since: Option<Instant>,
}

impl Reply {
    fn new(incoming: Incoming, call: Arc<Call>, timeout: Duration) -> Self {
        Self { incoming, call, timeout, stalled: None, waiting_since: None }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = Pin::new(&mut this.incoming).poll_frame(task) else {
            let timeout = this.timeout;
            this.waiting_since.get_or_insert_with(Instant::now);
            let sleep = this.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
            ready!(sleep.as_mut().poll(task));
            return Poll::Ready(Some(Err(Error::ConnectionReadTimeout)));
        };
        this.stalled = None;
        let waited = this.waiting_since.take().map(|since| since.elapsed()).unwrap_or_default();
        let bytes = match &frame {
            Some(Ok(frame)) => frame.data_ref().map(|data| data.len() as u64).unwrap_or_default(),
            _ => 0,
        };
        this.call.cost.reply(bytes, waited);
        Poll::Ready(frame.map(|frame| frame.map_err(Error::from)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

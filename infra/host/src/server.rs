//! The listening socket, and the connections that come in through it.

use crate::application::{Application, Origin};
use crate::pace::{Arriving, Taken};
use anyhow::{Context, Result};
use http::header::{CONNECTION, HeaderValue};
use http_body_util::BodyExt as _;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// What bounds the connections.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How many are open at once.
    pub connections: usize,
    /// How long a client may take over the head of a request, or leave its connection without one.
    pub head: Duration,
    /// How long it may take over the body.
    pub body: Duration,
    /// How long it may take over what is sent to it, a part of a reply at a time.
    pub reply: Duration,
}

/// Files and connections to others that the host may have open beside the connections of its clients.
const OTHER_DESCRIPTORS: usize = 512;

impl Bounds {
    /// At most so many connections, if the process may have as many.
    pub fn of(connections: u16) -> Self {
        Self {
            connections: usize::from(connections).min(descriptors().saturating_sub(OTHER_DESCRIPTORS)).max(1),
            head: Duration::from_secs(30),
            body: Duration::from_secs(10),
            reply: Duration::from_secs(30),
        }
    }
}

/// How many connections beside those are accepted for one request, which is answered only when it asks how the host is.
/// Further ones wait in the system's queue.
const LATECOMERS: usize = 64;

/// How long a latecomer may take over its head.
const LATE_HEAD: Duration = Duration::from_secs(2);

/// What the head of a request may hold, in bytes; also how much is read at once.
const HEAD: usize = 64 * 1024;

/// How long running requests are waited for when the host stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// How many files this process may have open, raised to as many as it may allow itself.
fn descriptors() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let allowed = if raised.is_ok() { maximum } else { current };
    allowed.and_then(|allowed| usize::try_from(allowed).ok()).unwrap_or(usize::MAX)
}

/// An address taken, on which nothing is accepted before everything is ready.
pub fn bind(address: IpAddr, port: u16) -> Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::new(address, port)).with_context(|| {
        format!("cannot listen on {address} port {port}: stop what does, or choose another with --port")
    })?;
    Ok(socket)
}

/// Serves until told to stop, then lets running requests finish, those of the timers too.
pub async fn serve(
    application: Arc<Application>,
    listener: TcpListener,
    bounds: Bounds,
    stop: impl Future<Output = ()>,
    timers: Vec<JoinHandle<()>>,
) {
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(bounds.connections));
    let beside = Arc::new(Semaphore::new(LATECOMERS));
    let mut stop = std::pin::pin!(stop);
    loop {
        let accept = async {
            let (place, late) = tokio::select! {
                biased;
                place = Arc::clone(&room).acquire_owned() => (place, false),
                place = Arc::clone(&beside).acquire_owned() => (place, true),
            };
            let accepted = listener.accept().await;
            // There may have been made room while nobody came.
            match Arc::clone(&room).try_acquire_owned() {
                Ok(place) if late => (Ok(place), false, accepted),
                _ => (place, late, accepted),
            }
        };
        let (place, late, accepted) = tokio::select! {
            () = &mut stop => break,
            accepted = accept => accepted,
        };
        let (stream, client) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Most likely the process has no file descriptors left, which passes.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let client = if late { Origin::Latecomer(client) } else { Origin::Client(client) };
        let connection = connection(Arc::clone(&application), stream, bounds, client);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }

    drop(listener);
    let finished = async { tokio::join!(graceful.shutdown(), futures::future::join_all(timers)) };
    if tokio::time::timeout(STOP_TIMEOUT, finished).await.is_err() {
        tracing::warn!("stopped with requests still running after {STOP_TIMEOUT:?}");
    }
}

fn connection(
    application: Arc<Application>,
    stream: TcpStream,
    bounds: Bounds,
    client: Origin,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> + Send {
    // Small replies must not wait for the client's acknowledgement of the ones before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was closed at once");
    }
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let application = Arc::clone(&application);
        async move {
            let (head, body) = request.into_parts();
            let body = Arriving::new(body, bounds.body);
            let whole = body.whole();
            let request = http::Request::from_parts(head, body.boxed_unsync());
            let mut response = application.answer(request, client).await;
            if !whole.load(SeqCst) {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let late = matches!(client, Origin::Latecomer(_));
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(if late { LATE_HEAD } else { bounds.head })
        .keep_alive(!late)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(Taken::new(stream, bounds.reply)), service)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::Admission;
    use crate::guest::{self, Shared};
    use crate::route::Router;
    use crate::{http, postgres};
    use std::net::Ipv4Addr;
    use std::sync::OnceLock;
    use std::sync::atomic::AtomicBool;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// A server without a component, and a connection to it.
    async fn connect(patience: Duration) -> TcpStream {
        let deadline = Duration::from_secs(30);
        let limits = postgres::Limits { connections: 1, wait: deadline, statement: deadline };
        let shared = Shared {
            databases: postgres::Databases::new("tests".to_owned(), limits),
            client: http::Client::new().unwrap(),
            limits: guest::Limits { memory: 0, deadline, reuse: 1, idle: deadline },
            application: OnceLock::new(),
            stopped: AtomicBool::new(false),
        };
        let application = Application {
            router: Router::new([]).unwrap(),
            admission: Admission::new(1, 1, 0),
            deadline,
            profile: false,
            shared: Arc::new(shared),
        };
        let listener = bind(Ipv4Addr::LOCALHOST.into(), 0).unwrap().listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let bounds = Bounds { head: patience, reply: patience, ..Bounds::of(1) };
        tokio::spawn(serve(Arc::new(application), listener, bounds, std::future::pending(), Vec::new()));
        TcpStream::connect(address).await.unwrap()
    }

    async fn rest(mut connection: TcpStream) -> String {
        let mut bytes = Vec::new();
        // What is closed while it is written to ends with an error.
        let _ = connection.read_to_end(&mut bytes).await;
        String::from_utf8(bytes).unwrap()
    }

    #[tokio::test]
    async fn a_head_that_does_not_end_is_not_waited_for() {
        let mut connection = connect(Duration::from_millis(50)).await;
        connection.write_all(b"GET /health/live HTTP/1.1\r\nhost: h\r\nx: ").await.unwrap();
        let answered = rest(connection).await;
        assert!(!answered.contains(" 200 "), "{answered}");
    }

    #[tokio::test]
    async fn a_connection_that_nobody_uses_any_more_is_closed() {
        let mut connection = connect(Duration::from_millis(50)).await;
        connection.write_all(b"GET /health/live HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
        let answered = rest(connection).await;
        assert!(answered.starts_with("HTTP/1.1 200 ") && answered.contains(r#""live":true"#), "{answered}");
    }

    #[tokio::test]
    async fn a_client_that_does_not_take_its_replies_is_given_up() {
        let mut connection = connect(Duration::from_millis(50)).await;
        let requests = "GET /health/live HTTP/1.1\r\nhost: h\r\n\r\n".repeat(1000);
        // Until nobody reads them any more, since nobody takes the replies.
        while connection.write_all(requests.as_bytes()).await.is_ok() {}
    }

    #[tokio::test]
    async fn a_head_without_measure_is_not_held() {
        let mut connection = connect(Duration::from_secs(30)).await;
        connection.write_all(b"GET /health/live HTTP/1.1\r\nhost: h\r\nx: ").await.unwrap();
        let (mut from, mut to) = connection.split();
        let write = async { while to.write_all(&[b'x'; 4096]).await.is_ok() {} };
        let mut bytes = Vec::new();
        let (_, read) = tokio::join!(write, from.read_to_end(&mut bytes));
        let answered = String::from_utf8(bytes).unwrap();
        assert!(read.is_err() || answered.starts_with("HTTP/1.1 431 "), "{answered}");
    }
}

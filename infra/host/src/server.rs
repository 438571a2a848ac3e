//! The listening socket, and the connections that come in through it.

use crate::application::{Application, Origin};
use anyhow::{Context, Result};
use http_body_util::BodyExt as _;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use wasmtime_wasi_http::Error;

/// How long a client may take over the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long running requests are waited for when the host stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// How many connections are open at once; further ones wait in the system's queue.
const CONNECTIONS: usize = 4096;

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
    stop: impl Future<Output = ()>,
    timers: Vec<JoinHandle<()>>,
) {
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut stop = std::pin::pin!(stop);
    loop {
        let accept = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
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
        let connection = connection(Arc::clone(&application), stream, client);
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
    client: SocketAddr,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> + Send {
    // Small replies must not wait for the client's acknowledgement of the ones before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was closed at once");
    }
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let application = Arc::clone(&application);
        async move {
            let request = request.map(|body| body.map_err(Error::from).boxed_unsync());
            Ok::<_, Infallible>(application.answer(request, Origin::Client(client)).await)
        }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
}

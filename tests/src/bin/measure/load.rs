//! Clients that ask as fast as they are answered.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{
    HeaderMap, Request, StatusCode,
    client::conn::http1::{self, SendRequest},
    header::{AUTHORIZATION, HOST},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::table::percentile;

/// What came of a round.
pub(crate) struct Round {
    pub(crate) per_second: f64,
    /// What a request took of the processor in the program that answered, Postgres not included.
    pub(crate) processor: Duration,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

/// What one request was answered, and after how long.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) took: Duration,
}

/// A program that is asked.
#[derive(Clone)]
pub(crate) struct Program {
    pub(crate) address: String,
    pub(crate) process: u32,
}

/// Every client asks for its own path, over a connection that it keeps, for so long.
pub(crate) async fn round(
    program: &Program,
    paths: &[String],
    token: &str,
    lasts: Duration,
) -> Result<Round> {
    let mut clients = Vec::new();
    for path in paths {
        clients.push(Client::connect(&program.address, path, token).await?);
    }
    let processor_before = processor_time(program.process)?;
    let began = Instant::now();
    let until = began + lasts;
    let asking: Vec<_> = clients.into_iter().map(|client| tokio::spawn(client.ask(until))).collect();
    let mut took = Vec::new();
    for client in asking {
        took.extend(client.await??);
    }
    let per_second = took.len() as f64 / began.elapsed().as_secs_f64();
    let processor = (processor_time(program.process)? - processor_before) / u32::try_from(took.len().max(1))?;
    let p50 = percentile(&mut took, 50).context("nothing was answered")?;
    let p99 = percentile(&mut took, 99).context("nothing was answered")?;
    Ok(Round { per_second, processor, p50, p99 })
}

/// The processor time that a process has had so far, in steps of 10 ms.
pub(crate) fn processor_time(process: u32) -> Result<Duration> {
    let stat =
        std::fs::read_to_string(format!("/proc/{process}/stat")).context("this machine has no /proc")?;
    // The name, in parentheses, may hold anything; the 12th and 13th field after it are what is wanted (proc(5)).
    let fields = stat.rsplit_once(')').context("no name")?.1.split_ascii_whitespace();
    let ticks: u64 = fields.skip(11).take(2).map(str::parse::<u64>).sum::<Result<_, _>>()?;
    Ok(Duration::from_millis(ticks * 10))
}

/// One who asks for one path, over a connection that it keeps.
pub(crate) struct Client {
    sender: SendRequest<Empty<Bytes>>,
    request: Request<Empty<Bytes>>,
}

impl Client {
    pub(crate) async fn connect(address: &str, path: &str, token: &str) -> Result<Self> {
        let host = address.strip_prefix("http://").context("an address of this machine")?;
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = Request::get(path)
            .header(HOST, host)
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .body(Empty::new())?;
        Ok(Self { sender, request })
    }

    /// How long each answer took.
    async fn ask(mut self, until: Instant) -> Result<Vec<Duration>> {
        let mut took = Vec::new();
        while Instant::now() < until {
            let answer = self.ask_once().await?;
            let body = String::from_utf8_lossy(&answer.body);
            ensure!(answer.status == StatusCode::OK, "{}: {body}", answer.status);
            took.push(answer.took);
        }
        Ok(took)
    }

    pub(crate) async fn ask_once(&mut self) -> Result<Answer> {
        let sent = Instant::now();
        let (head, body) = self.sender.send_request(self.request.clone()).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer { status: head.status, headers: head.headers, body, took: sent.elapsed() })
    }
}

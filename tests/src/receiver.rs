//! A system that is told things over HTTP, in this process: it keeps what it is sent, and answers as a test wants it to.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// What the receiver does with a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Manner {
    /// Answers with this status.
    Answers(u16),
    /// 429, and for how many seconds it is to be left alone.
    IsBusy(u32),
    /// Answers 200 after a while.
    IsSlow(Duration),
    /// Takes it, and ends the connection instead of answering.
    CutsOff,
    /// Takes it, and does not answer while this lasts.
    Holds,
    /// Ends the connection without having read anything.
    IsAway,
}

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Received {
    pub at: Instant,
    pub method: String,
    pub path: String,
    /// The head without its first line, in lower case.
    pub head: String,
    pub text: String,
    pub body: Value,
    pub manner: Manner,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    /// By which one that came before is known.
    pub fn key(&self) -> &str {
        self.header("idempotency-key")
    }

    /// The message in it, of the one that each request to the notification service holds.
    pub fn message(&self) -> &Value {
        &self.body["notifications"][0]
    }

    pub fn recipient(&self) -> &str {
        self.message()["recipient"].as_str().unwrap_or_default()
    }

    /// Whether the receiver has it now, whatever the sender knows of that.
    pub fn was_taken(&self) -> bool {
        match self.manner {
            Manner::Answers(status) => (200..300).contains(&status),
            Manner::IsSlow(_) | Manner::CutsOff | Manner::Holds => true,
            Manner::IsBusy(_) | Manner::IsAway => false,
        }
    }
}

type Behaviour = dyn Fn(usize, &Received) -> Manner + Send + Sync;

struct Shared {
    received: Mutex<Vec<Received>>,
    /// What it answers when it is asked for a path.
    known: Mutex<BTreeMap<String, Value>>,
    behaviour: Mutex<Arc<Behaviour>>,
    /// Changes with the behaviour: what was held before is let go of.
    turns: watch::Sender<u32>,
}

/// Well at first. It ends with this handle.
pub struct Receiver {
    address: String,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Receiver {
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = Arc::new(Shared {
            received: Mutex::default(),
            known: Mutex::default(),
            behaviour: Mutex::new(Arc::new(|_, _| Manner::Answers(200))),
            turns: watch::Sender::new(0),
        });
        let serving = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let shared = Arc::clone(&shared);
                    tokio::spawn(async move { drop(serve(stream, &shared).await) });
                }
            }
        });
        Self { address, shared, serving }
    }

    /// Where it is reached.
    pub fn url(&self) -> String {
        self.address.clone()
    }

    /// From now on it does this with everything.
    pub fn is(&self, manner: Manner) {
        self.behaves(move |_, _| manner);
    }

    /// From now on it decides by what comes, and by how many came before.
    pub fn behaves(&self, behaviour: impl Fn(usize, &Received) -> Manner + Send + Sync + 'static) {
        *self.shared.behaviour.lock().expect("no panic") = Arc::new(behaviour);
        self.shared.turns.send_modify(|turn| *turn += 1);
    }

    /// From now on it knows what is asked for at a path. What it does not know is not found.
    pub fn knows(&self, path: impl Into<String>, answer: Value) {
        self.shared.known.lock().expect("no panic").insert(path.into(), answer);
    }

    /// All that has come, in this order.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().expect("no panic").clone()
    }

    /// What it has of what has come.
    pub fn taken(&self) -> Vec<Received> {
        self.received().into_iter().filter(Received::was_taken).collect()
    }
}

async fn serve(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        let mut turn = shared.turns.subscribe();
        let behaviour = Arc::clone(&shared.behaviour.lock().expect("no panic"));
        let nothing = Received {
            at: Instant::now(),
            method: String::new(),
            path: String::new(),
            head: String::new(),
            text: String::new(),
            body: Value::Null,
            manner: Manner::IsAway,
        };
        if behaviour(0, &nothing) == Manner::IsAway {
            return Ok(());
        }
        let Some(mut received) = read(&mut stream, &mut bytes).await? else { return Ok(()) };
        // What comes while it reads may have changed it.
        let behaviour = Arc::clone(&shared.behaviour.lock().expect("no panic"));
        {
            let mut all = shared.received.lock().expect("no panic");
            received.manner = behaviour(all.len(), &received);
            all.push(received.clone());
        }
        let status = match received.manner {
            Manner::Answers(200) if received.method == "GET" => {
                let known = shared.known.lock().expect("no panic").get(&received.path).cloned();
                let status = if known.is_some() { 200 } else { 404 };
                answer(&mut stream, status, "", &known.unwrap_or_default().to_string()).await?;
                continue;
            }
            Manner::Answers(status) => status,
            Manner::IsBusy(seconds) => {
                answer(&mut stream, 429, &format!("retry-after: {seconds}\r\n"), "{}").await?;
                continue;
            }
            Manner::IsSlow(pause) => {
                tokio::time::sleep(pause).await;
                200
            }
            Manner::Holds => {
                turn.mark_unchanged();
                drop(turn.changed().await);
                200
            }
            Manner::CutsOff | Manner::IsAway => return Ok(()),
        };
        answer(&mut stream, status, "", "{}").await?;
    }
}

async fn answer(stream: &mut TcpStream, status: u16, headers: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    let reply = format!("HTTP/1.1 {status} Said\r\n{headers}content-length: {length}\r\n\r\n{body}");
    stream.write_all(reply.as_bytes()).await
}

/// The next request of a connection; none when it ends. What comes after it stays in `bytes`.
async fn read(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> std::io::Result<Option<Received>> {
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(bytes).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let (first, head) = head.split_once("\r\n").unwrap_or_default();
    let head = head.to_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    while bytes.len() < end + length {
        if stream.read_buf(bytes).await? == 0 {
            return Ok(None);
        }
    }
    let text = String::from_utf8_lossy(&bytes[end..end + length]).into_owned();
    bytes.drain(..end + length);
    let mut words = first.split(' ').map(str::to_owned);
    Ok(Some(Received {
        at: Instant::now(),
        method: words.next().unwrap_or_default(),
        path: words.next().unwrap_or_default(),
        head,
        body: serde_json::from_str(&text).unwrap_or_default(),
        text,
        manner: Manner::Answers(200),
    }))
}

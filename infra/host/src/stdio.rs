//! What components write to stdout and stderr, passed on line by line: each instance writes in pieces, and pieces of
//! two lines must not be mixed.

use bytes::Bytes;
use std::io::{self, Write as _};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// A line longer than this is passed on in parts.
const LINE_LIMIT: usize = 64 * 1024;

/// One of the two streams of an instance.
#[derive(Clone)]
pub struct Lines(Arc<Mutex<Line>>);

struct Line {
    to: fn(&[u8]),
    begun: Vec<u8>,
}

impl Lines {
    pub fn stdout() -> Self {
        Self::to(|line| drop(io::stdout().write_all(line)))
    }

    pub fn stderr() -> Self {
        Self::to(|line| drop(io::stderr().write_all(line)))
    }

    fn to(to: fn(&[u8])) -> Self {
        Self(Arc::new(Mutex::new(Line { to, begun: Vec::new() })))
    }

    fn add(&self, bytes: &[u8]) {
        let mut line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        line.begun.extend_from_slice(bytes);
        let end = line.begun.iter().rposition(|byte| *byte == b'\n').map(|position| position + 1);
        let end = end.or_else(|| (line.begun.len() >= LINE_LIMIT).then_some(line.begun.len()));
        if let Some(end) = end {
            let rest = line.begun.split_off(end);
            let whole = std::mem::replace(&mut line.begun, rest);
            (line.to)(&whole);
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if !self.begun.is_empty() {
            self.begun.push(b'\n');
            (self.to)(&self.begun);
        }
    }
}

impl IsTerminal for Lines {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Lines {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for Lines {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.add(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(LINE_LIMIT)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Lines {
    async fn ready(&mut self) {}
}

impl AsyncWrite for Lines {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.add(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

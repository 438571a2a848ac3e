//! How slow a client may be, with what it sends and with what it takes. While it is, it holds a place among the requests
//! that run.

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::Error;

/// What is shorter arrives with its head as a rule, in bytes: the connection gets over it, though nobody reads it.
const SHORT: u64 = 16 << 10;

/// The body of a request, which has so long to arrive.
pub struct Arriving {
    incoming: Incoming,
    patience: Duration,
    late: Option<Pin<Box<Sleep>>>,
    whole: Arc<AtomicBool>,
}

impl Arriving {
    pub fn new(incoming: Incoming, patience: Duration) -> Self {
        let short =
            incoming.is_end_stream() || incoming.size_hint().upper().is_some_and(|upper| upper <= SHORT);
        Self { incoming, patience, late: None, whole: Arc::new(AtomicBool::new(short)) }
    }

    /// Whether all of it has arrived, or it is short. While it has not, the client may still be sending it, and once it is
    /// answered nobody reads the rest: then the connection ends, and the client has to know before it asks for more there.
    pub fn whole(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.whole)
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.incoming).poll_frame(task) {
            if frame.is_none() || this.incoming.is_end_stream() {
                this.whole.store(true, SeqCst);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Error::from)));
        }
        // Whoever has sent it all at once, as nearly all do, needs no clock.
        let patience = this.patience;
        let late = this.late.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(late.as_mut().poll(task));
        Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// How long a client that has been answered may go on with what it was sending.
const LINGER: Duration = Duration::from_secs(2);

/// And how much of it is thrown away.
const LINGER_BYTES: usize = 16 << 20;

/// A connection whose other end has so long to take what is sent to it.
pub struct Taken<S> {
    stream: S,
    patience: Duration,
    late: Option<Pin<Box<Sleep>>>,
    /// Something waits to be taken since before the last time that all was.
    waits: bool,
    /// How many bytes are still thrown away, once there is nothing more to send.
    lingers: Option<usize>,
}

impl<S> Taken<S> {
    pub fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience, late: None, waits: false, lingers: None }
    }

    /// What came of an attempt to send, unless it has been waited for long enough.
    fn within<T>(&mut self, sent: Poll<io::Result<T>>, task: &mut Context<'_>) -> Poll<io::Result<T>> {
        if sent.is_ready() {
            return sent;
        }
        if !self.waits {
            self.expect(self.patience);
            self.waits = true;
        }
        ready!(self.poll_late(task));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn expect(&mut self, patience: Duration) {
        let end = Instant::now() + patience;
        match &mut self.late {
            Some(late) => late.as_mut().reset(end),
            late => *late = Some(Box::pin(tokio::time::sleep_until(end))),
        }
    }

    fn poll_late(&mut self, task: &mut Context<'_>) -> Poll<()> {
        match &mut self.late {
            Some(late) => late.as_mut().poll(task),
            None => Poll::Ready(()),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Taken<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(task, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Taken<S> {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write(task, bytes);
        self.within(sent, task)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write_vectored(task, bytes);
        self.within(sent, task)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Asked for when all that there was to send is sent.
    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let sent = Pin::new(&mut self.stream).poll_flush(task);
        if sent.is_ready() {
            self.waits = false;
        }
        self.within(sent, task)
    }

    /// Closed at once, a connection on which the client still sends would be reset, and take the reply with it that tells
    /// why nobody reads on (RFC 9112 9.6).
    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.lingers.is_none() {
            let sent = Pin::new(&mut this.stream).poll_shutdown(task);
            ready!(this.within(sent, task))?;
            this.expect(LINGER);
            this.lingers = Some(LINGER_BYTES);
        }
        let mut thrown_away = [MaybeUninit::uninit(); 16 * 1024];
        while let Some(left) = this.lingers.filter(|left| *left > 0) {
            let mut buffer = ReadBuf::uninit(&mut thrown_away);
            match Pin::new(&mut this.stream).poll_read(task, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    this.lingers = Some(left.saturating_sub(buffer.filled().len()));
                }
                Poll::Ready(_) => break,
                Poll::Pending => {
                    ready!(this.poll_late(task));
                    break;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn who_takes_nothing_is_given_up_and_who_takes_slowly_is_not() {
        let patience = Duration::from_millis(50);
        let (near, far) = tokio::io::duplex(16);
        let mut taken = Taken::new(near, patience);
        let error = taken.write_all(&[0; 100]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(far);

        let (near, mut far) = tokio::io::duplex(16);
        let mut taken = Taken::new(near, Duration::from_secs(60));
        let take = async {
            let mut bytes = vec![0; 1000];
            far.read_exact(&mut bytes).await
        };
        let send = async {
            for _ in 0..10 {
                taken.write_all(&[0; 100]).await?;
                taken.flush().await?;
            }
            io::Result::Ok(())
        };
        let (sent, took) = tokio::join!(send, take);
        sent.unwrap();
        assert_eq!(took.unwrap(), 1000);
    }

    #[tokio::test]
    async fn who_still_sends_gets_the_reply_that_says_that_nobody_reads_on() {
        let (near, mut far) = tokio::io::duplex(16);
        let mut taken = Taken::new(near, Duration::from_secs(60));
        let answer = async {
            taken.write_all(b"413").await?;
            taken.shutdown().await
        };
        let client = async {
            far.write_all(&[0; 1000]).await?;
            far.shutdown().await?;
            let mut reply = String::new();
            far.read_to_string(&mut reply).await.map(|_| reply)
        };
        let (answered, reply) = tokio::join!(answer, client);
        answered.unwrap();
        assert_eq!(reply.unwrap(), "413");
    }
}

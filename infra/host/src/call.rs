//! One request on its way through the host, and what it cost.

use futures::task::AtomicWaker;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;

/// A request that a component is answering.
#[derive(Debug)]
pub struct Call {
    pub id: String,
    pub deadline: Instant,
    pub cost: Cost,
    slot: OnceLock<Arc<Slot>>,
    broken: AtomicBool,
}

impl Call {
    pub fn new(id: String, deadline: Instant) -> Self {
        Self { id, deadline, cost: Cost::default(), slot: OnceLock::new(), broken: AtomicBool::new(false) }
    }

    /// The instance ended before it was done: what has come of its reply is not the whole.
    pub fn break_off(&self) {
        self.broken.store(true, SeqCst);
    }

    pub fn is_broken(&self) -> bool {
        self.broken.load(SeqCst)
    }

    pub fn occupy(&self, slot: Arc<Slot>) {
        slot.busy.store(true, SeqCst);
        // A call enters one instance only, so that there is nothing to replace.
        drop(self.slot.set(slot));
    }
}

/// A call and its place among those that run. The client's side holds one and the instance another, so that the place
/// comes free when both are done: neither a client that leaves nor one that reads slowly lets more in.
#[derive(Clone, Debug)]
pub struct Admitted {
    pub call: Arc<Call>,
    pub place: Arc<OwnedSemaphorePermit>,
}

/// The client's side of a call. When dropped the whole reply is sent, or nobody waits for it any more, and the instance
/// may take the next request.
#[derive(Debug)]
pub struct Finished(pub Admitted);

impl Drop for Finished {
    fn drop(&mut self) {
        if let Some(slot) = self.0.call.slot.get() {
            slot.release();
        }
    }
}

/// Whether an instance is still busy with a request. The handler counts a request as answered when the head of the
/// reply is there; while its body is on the way the next one must not get in, for a trap would end both.
#[derive(Debug, Default)]
pub struct Slot {
    busy: AtomicBool,
    turned_away: AtomicBool,
    waker: AtomicWaker,
}

impl Slot {
    pub fn is_free(&self) -> bool {
        let busy = self.busy.load(SeqCst);
        self.turned_away.store(busy, SeqCst);
        !busy
    }

    /// Called whenever the instance has nothing to do: it wants to know when it has become free.
    pub fn wait(&self, waker: &std::task::Waker) {
        self.waker.register(waker);
        if !self.busy.load(SeqCst) && self.turned_away.swap(false, SeqCst) {
            waker.wake_by_ref();
        }
    }

    fn release(&self) {
        self.busy.store(false, SeqCst);
        self.waker.wake();
    }
}

/// What a request cost: the round trips that it made, and how long they took.
#[derive(Debug, Default)]
pub struct Cost {
    statements: AtomicU64,
    prepared: AtomicU64,
    database_micros: AtomicU64,
    requests: AtomicU64,
    bytes_in: AtomicU64,
    http_micros: AtomicU64,
}

impl Cost {
    /// A statement was executed; one that the connection did not know costs a round trip more, to prepare it.
    pub fn statement(&self, prepared: bool, took: Duration) {
        self.statements.fetch_add(1, Relaxed);
        self.prepared.fetch_add(u64::from(prepared), Relaxed);
        self.database_micros.fetch_add(micros(took), Relaxed);
    }

    /// A request to another service is sent.
    pub fn request(&self) {
        self.requests.fetch_add(1, Relaxed);
    }

    /// So much of its reply has come, after so long.
    pub fn reply(&self, bytes: u64, took: Duration) {
        self.bytes_in.fetch_add(bytes, Relaxed);
        self.http_micros.fetch_add(micros(took), Relaxed);
    }

    pub fn profile(&self) -> Profile {
        let millis = |micros: &AtomicU64| micros_to_millis(micros.load(Relaxed));
        Profile {
            db_calls: self.statements.load(Relaxed),
            db_prepares: self.prepared.load(Relaxed),
            db_ms: millis(&self.database_micros),
            http_calls: self.requests.load(Relaxed),
            http_bytes_in: self.bytes_in.load(Relaxed),
            http_ms: millis(&self.http_micros),
        }
    }
}

/// [`Cost`] at one moment, under the names of the log.
#[derive(Debug, Default, PartialEq)]
pub struct Profile {
    pub db_calls: u64,
    pub db_prepares: u64,
    pub db_ms: f64,
    pub http_calls: u64,
    pub http_bytes_in: u64,
    pub http_ms: f64,
}

impl Profile {
    /// As the header `x-profile` carries it: `name=value` parted by spaces.
    pub fn header(&self) -> String {
        let Self { db_calls, db_prepares, db_ms, http_calls, http_bytes_in, http_ms } = self;
        format!(
            "db_calls={db_calls} db_prepares={db_prepares} db_ms={db_ms:.3} \
             http_calls={http_calls} http_bytes_in={http_bytes_in} http_ms={http_ms:.3}"
        )
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "52 bits of microseconds are 142 years")]
pub fn micros_to_millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

/// Milliseconds with three decimals, for the log.
pub fn millis(duration: Duration) -> f64 {
    micros_to_millis(micros(duration))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_adds_up() {
        let cost = Cost::default();
        cost.statement(true, Duration::from_micros(1500));
        cost.statement(false, Duration::from_micros(500));
        cost.request();
        cost.reply(0, Duration::from_millis(2));
        cost.reply(65536, Duration::from_millis(1));

        let header = cost.profile().header();

        assert_eq!(
            header,
            "db_calls=2 db_prepares=1 db_ms=2.000 http_calls=1 http_bytes_in=65536 http_ms=3.000"
        );
    }

    #[test]
    fn an_instance_is_free_again_when_the_reply_is_sent() {
        let slot = Arc::new(Slot::default());
        let place = Arc::new(tokio::sync::Semaphore::new(1)).try_acquire_owned().unwrap();
        let call = Arc::new(Call::new("1".to_owned(), Instant::now()));
        assert!(slot.is_free());

        call.occupy(Arc::clone(&slot));
        assert!(!slot.is_free());
        drop(Finished(Admitted { call, place: Arc::new(place) }));
        assert!(slot.is_free());
    }
}

//! How many requests run at once, and how many may wait for their turn.

use crate::application::Origin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many health checks get in although the host is full, so that it is seen to be alive.
pub const RESERVE: usize = 4;

/// Longer in the queue than this is no better than being told to come again.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct Admission {
    running: Arc<Semaphore>,
    reserve: Arc<Semaphore>,
    waiting: AtomicUsize,
    queue: usize,
}

impl Admission {
    pub fn new(running: usize, queue: usize) -> Self {
        Self {
            running: Arc::new(Semaphore::new(running)),
            reserve: Arc::new(Semaphore::new(RESERVE)),
            waiting: AtomicUsize::new(0),
            queue,
        }
    }

    /// The right to run, or none when the host is full.
    pub async fn enter(&self, path: &str, origin: Origin) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.running).try_acquire_owned() {
            return Some(permit);
        }
        if path == "/health" {
            return Arc::clone(&self.reserve).try_acquire_owned().ok();
        }
        // Its caller holds a place already: if all of them waited for another, none would ever come free.
        if origin == Origin::Own {
            return None;
        }
        let place = Place::take(&self.waiting, self.queue)?;
        let permit = tokio::time::timeout(PATIENCE, Arc::clone(&self.running).acquire_owned()).await;
        drop(place);
        permit.ok()?.ok()
    }
}

/// A place in the queue, given back when dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize, queue: usize) -> Option<Self> {
        let place = Self(waiting);
        (waiting.fetch_add(1, SeqCst) < queue).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_host_turns_away_all_but_health_checks() {
        let admission = Admission::new(1, 0);
        let origin = Origin::Timer;
        let first = admission.enter("/api", origin).await.unwrap();

        assert!(admission.enter("/api", origin).await.is_none());
        assert!(admission.enter("/api", Origin::Own).await.is_none());
        assert!(admission.enter("/health", origin).await.is_some());

        drop(first);
        assert!(admission.enter("/api", Origin::Own).await.is_some());
    }

    #[tokio::test]
    async fn who_waits_gets_the_next_free_place() {
        let admission = Arc::new(Admission::new(1, 1));
        let first = admission.enter("/api", Origin::Timer).await.unwrap();
        let waiting = tokio::spawn({
            let admission = Arc::clone(&admission);
            async move { admission.enter("/api", Origin::Timer).await.is_some() }
        });
        while admission.waiting.load(SeqCst) == 0 {
            tokio::task::yield_now().await;
        }

        assert!(admission.enter("/api", Origin::Timer).await.is_none());
        drop(first);
        assert!(waiting.await.unwrap());
        assert_eq!(admission.waiting.load(SeqCst), 0);
    }
}

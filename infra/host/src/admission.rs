//! How many requests run at once, how many may wait for their turn, and who is turned away.

use crate::application::Origin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many health checks get in although the host is full, so that it is seen to be alive.
pub const RESERVE: usize = 4;

/// How long a request may wait for its turn: for a burst to pass, not for an overload to end. Whoever is turned away is to
/// know it within 50 ms, and most of them are a busy machine's.
const PATIENCE: Duration = Duration::from_millis(10);

/// How often it is logged how many were turned away.
const TOLD: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Admission {
    running: Arc<Semaphore>,
    reserve: Arc<Semaphore>,
    timers: Arc<Semaphore>,
    waiting: AtomicUsize,
    queue: usize,
    turned_away: Arc<AtomicU64>,
}

impl Admission {
    pub fn new(running: usize, queue: usize, timers: usize) -> Self {
        Self {
            running: Arc::new(Semaphore::new(running)),
            reserve: Arc::new(Semaphore::new(RESERVE)),
            timers: Arc::new(Semaphore::new(timers)),
            waiting: AtomicUsize::new(0),
            queue,
            turned_away: Arc::default(),
        }
    }

    /// The right to run, or none when the host is full.
    pub async fn enter(&self, path: &str, origin: Origin) -> Option<OwnedSemaphorePermit> {
        let permit = self.try_enter(path, origin).await;
        if permit.is_none() {
            self.count();
        }
        permit
    }

    async fn try_enter(&self, path: &str, origin: Origin) -> Option<OwnedSemaphorePermit> {
        let health = path == "/health";
        if matches!(origin, Origin::Latecomer(_)) && !health {
            return None;
        }
        if let Ok(permit) = Arc::clone(&self.running).try_acquire_owned() {
            return Some(permit);
        }
        if health {
            return Arc::clone(&self.reserve).try_acquire_owned().ok();
        }
        match origin {
            // What was accepted is worked on, also while no more is accepted. No timer calls twice at once.
            Origin::Timer => return Arc::clone(&self.timers).try_acquire_owned().ok(),
            // Its caller holds a place already: if all of them waited for another, none would ever come free.
            Origin::Own => return None,
            Origin::Client(_) | Origin::Latecomer(_) => {}
        }
        let place = Place::take(&self.waiting, self.queue)?;
        let permit = tokio::time::timeout(PATIENCE, Arc::clone(&self.running).acquire_owned()).await;
        drop(place);
        permit.ok()?.ok()
    }

    /// A line for each that is turned away would be work that a full host has no time for: there is one for all of a second.
    fn count(&self) {
        if self.turned_away.fetch_add(1, SeqCst) > 0 {
            return;
        }
        let turned_away = Arc::clone(&self.turned_away);
        tokio::spawn(async move {
            tokio::time::sleep(TOLD).await;
            let requests = turned_away.swap(0, SeqCst);
            tracing::warn!(requests, "the host is full: these were told to come again");
        });
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
    use std::net::{Ipv4Addr, SocketAddr};

    const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
    const CLIENT: Origin = Origin::Client(ADDRESS);
    const LATECOMER: Origin = Origin::Latecomer(ADDRESS);

    #[tokio::test]
    async fn a_full_host_turns_away_all_but_health_checks_and_its_own_timers() {
        let admission = Admission::new(1, 0, 1);
        let first = admission.enter("/api", CLIENT).await.unwrap();

        assert!(admission.enter("/api", CLIENT).await.is_none());
        assert!(admission.enter("/api", Origin::Own).await.is_none());
        assert!(admission.enter("/health", CLIENT).await.is_some());
        assert!(admission.enter("/tasks/sweep", CLIENT).await.is_none());
        let timer = admission.enter("/tasks/sweep", Origin::Timer).await;
        assert!(timer.is_some() && admission.enter("/tasks/sweep", Origin::Timer).await.is_none());
        assert_eq!(admission.turned_away.load(SeqCst), 4);

        drop(first);
        assert!(admission.enter("/api", Origin::Own).await.is_some());
    }

    #[tokio::test]
    async fn who_waits_gets_the_next_free_place_and_is_turned_away_when_none_comes_free() {
        let admission = Arc::new(Admission::new(1, 1, 0));
        let first = admission.enter("/api", CLIENT).await.unwrap();
        assert!(admission.enter("/api", CLIENT).await.is_none(), "it waited in vain");
        let waiting = tokio::spawn({
            let admission = Arc::clone(&admission);
            async move { admission.enter("/api", CLIENT).await.is_some() }
        });
        while admission.waiting.load(SeqCst) == 0 {
            tokio::task::yield_now().await;
        }

        assert!(admission.enter("/api", CLIENT).await.is_none(), "one waits already");
        drop(first);
        assert!(waiting.await.unwrap());
        assert_eq!(admission.waiting.load(SeqCst), 0);
    }

    #[tokio::test]
    async fn who_comes_when_there_was_no_room_to_connect_is_only_told_how_the_host_is() {
        let admission = Admission::new(1, 1, 0);

        assert!(admission.enter("/api", LATECOMER).await.is_none());
        assert!(admission.enter("/health", LATECOMER).await.is_some());
    }
}

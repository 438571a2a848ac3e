//! One line for each part that is done, and a sign of life from the one that takes long.

use std::fmt::Display;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Something that takes time.
#[derive(Debug)]
pub struct Step {
    name: &'static str,
    started: Instant,
    detail: Detail,
    ticker: JoinHandle<()>,
}

/// What a step is at, told by whoever does it.
#[derive(Debug, Clone, Default)]
pub struct Detail(Arc<Mutex<String>>);

impl Detail {
    /// Replaces what was told before.
    pub fn set(&self, text: impl Into<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = text.into();
    }

    fn shown(&self) -> String {
        let text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if text.is_empty() { String::new() } else { format!(" ({text})") }
    }
}

impl Step {
    /// Begins; says so after a second, and every ten seconds from then on.
    pub fn begin(name: &'static str) -> Self {
        let started = Instant::now();
        let detail = Detail::default();
        let shown = detail.clone();
        let ticker = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            say(format_args!("{name} …"));
            loop {
                tokio::time::sleep(Duration::from_secs(10)).await;
                say(format_args!("{name} … {} s{}", started.elapsed().as_secs(), shown.shown()));
            }
        });
        Self { name, started, detail, ticker }
    }

    /// For the one who does it.
    pub fn detail(&self) -> Detail {
        self.detail.clone()
    }

    /// Says that it is done and how long it took.
    pub fn done(self, what: impl Display) {
        let seconds = self.started.elapsed().as_secs_f64();
        say(format_args!("{} … {seconds:.1} s{what}", self.name));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.ticker.abort();
    }
}

/// Writes a line for the person at the terminal; straight there, so that a test's captured output is not where it ends.
pub fn say(line: impl Display) {
    // Nobody reads it any more, and the work goes on all the same.
    let _ = writeln!(std::io::stderr(), "{line}");
}

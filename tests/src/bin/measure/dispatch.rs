//! From a finding to the message: how soon when all is well, and whether all of them arrive when nothing is.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tests::{dispatch, receiver::Receiver};

use crate::table::{percentile, print, row, verdict};

/// Findings that are raised one after the other.
const PROMPT: usize = 300;
const REQUIRED: Duration = Duration::from_secs(1);
/// How often the host is killed.
const KILLS: usize = 10;

pub(crate) async fn measure(findings: usize) -> Result<()> {
    let receiver = Receiver::open().await;
    let hospital = dispatch::open(&receiver).await;
    let mut took = dispatch::prompt(&hospital, &receiver, PROMPT).await;
    drop(hospital);
    let millis = |duration: Option<Duration>| {
        duration.map_or_else(String::new, |duration| format!("{:.1}", duration.as_secs_f64() * 1e3))
    };
    let (p50, p95) = (percentile(&mut took, 50), percentile(&mut took, 95));
    let rows = [
        row(["findings", "p50 ms", "p95 ms", "longest ms", "p95 required 1000"]),
        vec![
            took.len().to_string(),
            millis(p50),
            millis(p95),
            millis(took.last().copied()),
            verdict(p95.is_some_and(|p95| p95 <= REQUIRED)).to_owned(),
        ],
    ];
    print("POST of a finding → its message at the receiver, one after the other, no timer", &rows);

    let receiver = Receiver::open().await;
    let mut hospital = dispatch::open(&receiver).await;
    let began = Instant::now();
    let told = dispatch::troubled(&mut hospital, &receiver, findings, KILLS).await;
    let complete = told.missing.is_empty()
        && told.doubled.is_empty()
        && told.raised == 2 * findings
        && told.escalated == (3 * findings, 3 * findings);
    let rows = [
        row([
            "findings",
            "killed in the midst",
            "messages",
            "failed requests",
            "came again",
            "missing",
            "doubled",
            "escalations",
            "of them different",
            "seconds",
            "each once",
        ]),
        vec![
            findings.to_string(),
            told.killed_in_the_midst.to_string(),
            told.messages.to_string(),
            told.failed.to_string(),
            told.repeated.to_string(),
            told.missing.len().to_string(),
            told.doubled.len().to_string(),
            told.escalated.0.to_string(),
            told.escalated.1.to_string(),
            format!("{:.0}", began.elapsed().as_secs_f64()),
            verdict(complete).to_owned(),
        ],
    ];
    print("Three of ten requests fail, and the host is killed ten times", &rows);
    ensure!(complete, "not everybody was told exactly once: {told:?}");
    Ok(())
}

//! What the host takes: memory, its components' sizes, and how long it starts.

use std::{fs, time::Duration};

use anyhow::{Context, Result};
use local::root;
use serde_json::{Value, json};
use tests::Hospital;

use crate::table::{print, row, verdict};

/// Longer than the host keeps an instance that nobody asks anything.
const IDLE: Duration = Duration::from_secs(12);

pub(crate) async fn measure() -> Result<()> {
    // The first one may have had to compile; the second finds everything compiled.
    drop(Hospital::open().await);
    let hospital = Hospital::open().await;
    let start = start_ms(&hospital.log()).context("the host has not said how long it took to start")?;
    let started = resident(&hospital)?;
    let technologist = hospital.technologist();
    for path in ["/", "/api/imaging-orders", "/api/studies", "/api/ingest"] {
        technologist.get(path).await.expect_status(200);
    }
    technologist.get(&format!("/api/images/{}", uuid::Uuid::now_v7())).await.expect_status(404);
    technologist.post("/api/uploads", json!({})).await.expect_status(201);
    let used = resident(&hospital)?;
    tokio::time::sleep(IDLE).await;
    let idle = resident(&hospital)?;

    let mut rows = vec![
        row(["", "measured", "required"]),
        vec![
            "start of the host, components compiled before".to_owned(),
            format!("{start} ms"),
            format!("under 1000 ms: {}", verdict(start < 1000)),
        ],
        vec!["memory of the host, just started".to_owned(), mebibytes(started), String::new()],
        vec!["  each component used".to_owned(), mebibytes(used), String::new()],
        vec![
            "  idle again".to_owned(),
            mebibytes(idle),
            format!("under 150 MB: {}", verdict(idle.max(used) < 150_000_000)),
        ],
    ];
    for name in ["orders", "studies", "images", "ingest", "portal"] {
        let path = root().join(format!("target/wasm32-wasip2/guest/{name}.wasm"));
        let size = fs::metadata(&path).with_context(|| format!("no {}", path.display()))?.len();
        rows.push(vec![
            format!("component {name}"),
            format!("{:.2} MB", size as f64 / 1e6),
            format!("under 1.5 MB: {}", verdict(size < 1_500_000)),
        ]);
    }
    print("What the host takes", &rows);
    Ok(())
}

pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

fn start_ms(log: &str) -> Option<u64> {
    let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.rfind(|line| line["message"] == "listening")?["start_ms"].as_u64()
}

/// Bytes of memory that the host holds now.
pub(crate) fn resident(hospital: &Hospital) -> Result<u64> {
    memory(hospital, "VmRSS")
}

/// Bytes of memory that the host holds now, or has held at most: `VmRSS` or `VmHWM` (proc(5)).
pub(crate) fn memory(hospital: &Hospital, figure: &str) -> Result<u64> {
    let process = hospital.host.pid().context("the host runs")?;
    let status =
        fs::read_to_string(format!("/proc/{process}/status")).context("this machine has no /proc")?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':'));
    let kibibytes = kibibytes.with_context(|| figure.to_owned())?;
    Ok(kibibytes.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

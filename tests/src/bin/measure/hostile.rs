//! The hostile files, four at a time: how long each is looked at, and what the host takes of memory meanwhile.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use tests::{
    Hospital,
    dicom::hostile::{self, Hostile},
    hospital::id,
};

use crate::{
    costs::event,
    footprint::{mebibytes, memory},
    table::{print, row, verdict},
};

const AT_ONCE: usize = 4;
/// How many of those that took longest are named.
const NAMED: usize = 8;
/// What may be taken of memory beyond what the host had before: less than one component may have.
const REQUIRED: u64 = 100 << 20;

pub(crate) async fn measure() -> Result<()> {
    let hospital = Hospital::open_with(|settings| settings.timers.clear()).await;
    let files = hostile::all()?;
    let mut offered =
        hospital.technologist().post("/api/uploads", json!({"count": files.len()})).await.expect(201);
    let offers: Vec<Value> = serde_json::from_value(offered["uploads"].take())?;
    for (offer, file) in offers.iter().zip(&files) {
        hospital.send(&offer["upload"], file.content.clone()).await.expect_status(201);
    }
    // So that the component is there.
    hospital.machine().post("/events/blob", json!([])).await.expect_status(200);
    let before = memory(&hospital, "VmRSS")?;

    let look = async |(offer, file): (&Value, &Hostile)| {
        let asked = Instant::now();
        hospital.machine().post("/events/blob", event(offer)).await.expect_status(200);
        let took = asked.elapsed();
        let mut read = hospital.technologist().get(&format!("/api/ingest/{}", id(offer))).await.expect(200);
        let ingest = read["ingest"].take();
        let reason = ingest["reason"].as_str().or(ingest["status"].as_str()).context("a status")?.to_owned();
        Ok::<_, anyhow::Error>((took, file.name, file.content.len(), reason))
    };
    let began = Instant::now();
    let mut looked: Vec<(Duration, &str, usize, String)> =
        stream::iter(offers.iter().zip(&files)).map(look).buffered(AT_ONCE).try_collect().await?;
    let lasted = began.elapsed();
    let most = memory(&hospital, "VmHWM")?;

    looked.sort_by(|left, right| right.cmp(left));
    let mut rows = vec![row(["those that took longest", "bytes", "ms", "why not"])];
    for (took, name, bytes, reason) in looked.iter().take(NAMED) {
        rows.push(vec![
            (*name).to_owned(),
            bytes.to_string(),
            format!("{:.1}", took.as_secs_f64() * 1e3),
            reason.clone(),
        ]);
    }
    print(
        &format!("{} hostile files, {AT_ONCE} at a time, in {:.2} s", looked.len(), lasted.as_secs_f64()),
        &rows,
    );
    println!(
        "\nmemory of the host: {} before, {} at most: {} more (required: under {}: {})",
        mebibytes(before),
        mebibytes(most),
        mebibytes(most.saturating_sub(before)),
        mebibytes(REQUIRED),
        verdict(most.saturating_sub(before) < REQUIRED)
    );
    Ok(())
}

//! From the end of an upload to the stored image: four uploaders at a steady pace, seen from the database.

use std::{
    collections::BTreeMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tests::{
    Hospital,
    hospital::{id, instance_of},
};

use crate::table::{percentile, print, row, verdict};

const UPLOADERS: usize = 4;
/// How often an uploader sends.
const PACE: Duration = Duration::from_millis(100);
/// How often the database is asked what is stored.
const LOOK: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(60);
const REQUIRED: Duration = Duration::from_secs(2);

pub(crate) async fn measure(images: usize) -> Result<()> {
    let mut rows = vec![row(["found by", "images", "p50 ms", "p95 ms", "longest ms", "p95 required 2000"])];
    for (found_by, announced) in [("the sweep, every second", false), ("an event each", true)] {
        let mut took = stored_after(images, announced).await?;
        let millis = |duration: Option<Duration>| {
            duration.map_or_else(String::new, |duration| duration.as_millis().to_string())
        };
        let (p50, p95) = (percentile(&mut took, 50), percentile(&mut took, 95));
        rows.push(vec![
            found_by.to_owned(),
            took.len().to_string(),
            millis(p50),
            millis(p95),
            millis(took.last().copied()),
            verdict(p95.is_some_and(|p95| p95 <= REQUIRED)).to_owned(),
        ]);
    }
    print(&format!("Upload finished → image STORED, {UPLOADERS} uploaders, 512 KiB each"), &rows);
    Ok(())
}

/// How long it took for each image.
async fn stored_after(images: usize, announced: bool) -> Result<Vec<Duration>> {
    let hospital = Hospital::open_with(|settings| {
        if announced {
            settings.timers.clear();
        }
    })
    .await;
    let study = hospital.registered_study().await;
    let mut offered =
        hospital.technologist().post("/api/uploads", json!({"count": images})).await.expect(201)["uploads"]
            .take();
    let offers: Vec<Value> = offered.as_array_mut().map(std::mem::take).context("uploads")?;

    let sent = Mutex::new(BTreeMap::new());
    let share = images.div_ceil(UPLOADERS);
    let upload = async |offers: &[Value]| {
        let machine = hospital.machine();
        let mut pace = tokio::time::interval(PACE);
        for offer in offers {
            pace.tick().await;
            let file = instance_of(&study).size(512, 512).write()?;
            hospital.send(&offer["upload"], file).await.expect_status(201);
            sent.lock()
                .map_err(|_| anyhow::anyhow!("another uploader failed"))?
                .insert(id(offer).to_owned(), Instant::now());
            if announced {
                let url = offer["upload"]["url"].as_str().and_then(|url| url.split('?').next());
                let event = json!({"type": "Microsoft.Storage.BlobCreated", "specversion": "1.0", "id": id(offer),
                    "source": "/storage", "data": {"url": url}});
                machine.post("/events/blob", event).await.expect_status(200);
            }
        }
        Ok::<_, anyhow::Error>(())
    };
    let uploading = futures::future::try_join_all(offers.chunks(share).map(upload));
    let (_, seen) = tokio::try_join!(uploading, watch(&hospital, images))?;

    let sent = sent.into_inner().map_err(|_| anyhow::anyhow!("an uploader failed"))?;
    // An event's image may be seen before the uploader has noted that it was sent: that is no time at all.
    Ok(sent
        .iter()
        .filter_map(|(upload, sent)| Some(seen.get(upload)?.saturating_duration_since(*sent)))
        .collect())
}

/// When each upload was first seen to be stored.
async fn watch(hospital: &Hospital, images: usize) -> Result<BTreeMap<String, Instant>> {
    let mut database = PgConnection::connect(&hospital.database.admin_url()).await?;
    let began = Instant::now();
    let mut seen = BTreeMap::new();
    while seen.len() < images {
        let stored: Vec<String> =
            sqlx::query_scalar("select id::text from imaging.uploads where status = 'STORED'")
                .fetch_all(&mut database)
                .await?;
        let now = Instant::now();
        for upload in stored {
            seen.entry(upload).or_insert(now);
        }
        if began.elapsed() > PATIENCE {
            bail!(
                "of {images} images only {} were stored within {PATIENCE:?}\n{}",
                seen.len(),
                hospital.log()
            );
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(seen)
}

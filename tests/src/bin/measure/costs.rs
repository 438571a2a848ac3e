//! What each request costs: round trips to Postgres, calls and bytes of storage, as the host counts them (`--profile`).

use std::{collections::BTreeMap, io::Read};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::{
    Hospital, Reply,
    actor::study_of,
    dicom::{self, Instance},
    hospital::{ct_chest, id, instance_of},
};

use crate::table::{print, row, verdict};

pub(crate) async fn measure() -> Result<()> {
    let hospital = Hospital::open_with(|settings| {
        settings.timers.clear();
        settings.arguments.push("--profile".to_owned());
    })
    .await;
    requests(&hospital).await?;
    files(&hospital).await
}

/// The names and figures of the header `x-profile`.
fn profile(reply: &Reply) -> BTreeMap<String, String> {
    let pairs = reply.header("x-profile").split(' ').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn figure(reply: &Reply, name: &str) -> Result<u64> {
    profile(reply)
        .get(name)
        .and_then(|value| value.parse().ok())
        .with_context(|| format!("no {name}: {reply}"))
}

async fn requests(hospital: &Hospital) -> Result<()> {
    let (provider, scheduler, technologist) =
        (hospital.provider(), hospital.scheduler(), hospital.technologist());
    let mut rows = vec![row(["request", "status", "Postgres round trips", "storage calls", "required 1"])];
    let mut asked = |request: &str, reply: &Reply| -> Result<()> {
        let (calls, storage) = (figure(reply, "db_calls")?, figure(reply, "http_calls")?);
        // Sealed metadata is read, merged and put back under the version that was read (components/README.md).
        let most = if request.ends_with("/metadata") { 2 } else { 1 };
        rows.push(vec![
            request.to_owned(),
            reply.status.to_string(),
            calls.to_string(),
            storage.to_string(),
            verdict(calls <= most && reply.status < 400).to_owned(),
        ]);
        Ok(())
    };

    let mut placed = provider.post("/api/imaging-orders", ct_chest()).await;
    asked("POST /api/imaging-orders", &placed)?;
    let order = placed.body["data"]["order"].take();
    let order_path = format!("/api/imaging-orders/{}", id(&order));
    asked("GET /api/imaging-orders", &provider.get("/api/imaging-orders").await)?;
    asked("GET /api/imaging-orders/:id", &provider.get(&order_path).await)?;
    asked("GET /api/imaging-orders/patient/:id", &provider.get("/api/imaging-orders/patient/MRN-1").await)?;
    asked(
        "PATCH /api/imaging-orders/:id",
        &scheduler.patch(&order_path, json!({"priority": "URGENT"})).await,
    )?;
    let mut registered = technologist.post("/api/studies", study_of(&order)).await;
    asked("POST /api/studies", &registered)?;
    let study = registered.body["data"]["study"].take();
    let path = format!("/api/studies/{}", id(&study));
    asked("GET /api/studies", &technologist.get("/api/studies").await)?;
    asked("GET /api/studies/:id", &technologist.get(&path).await)?;
    let accession = study["accessionNumber"].as_str().context("an accession number")?;
    let by_accession = technologist.get(&format!("/api/studies/accession/{accession}")).await;
    asked("GET /api/studies/accession/:number", &by_accession)?;
    let renamed = technologist.patch(&path, json!({"stationName": "CT-2"})).await;
    asked("PATCH /api/studies/:id", &renamed)?;

    let announced = json!({"seriesInstanceUID": "1.2.3", "sopInstanceUID": dicom::uid(), "seriesNumber": 1, "instanceNumber": 1});
    asked("POST /api/studies/:id/images", &technologist.post(&format!("{path}/images"), announced).await)?;
    let mut offered = technologist.post("/api/uploads", json!({"count": 1})).await;
    asked("POST /api/uploads", &offered)?;
    let offer = offered.body["data"]["uploads"][0].take();
    asked(
        "GET /api/ingest/:id, while awaited",
        &technologist.get(&format!("/api/ingest/{}", id(&offer))).await,
    )?;
    hospital.send(&offer["upload"], instance_of(&study).write()?).await.expect_status(201);
    hospital.machine().post("/events/blob", event(&offer)).await.expect(200);
    let ingest = technologist.get(&format!("/api/ingest/{}", id(&offer))).await;
    asked("GET /api/ingest/:id", &ingest)?;
    asked("GET /api/ingest", &technologist.get("/api/ingest").await)?;
    let image = ingest.body["data"]["ingest"]["imageId"].as_str().context("a stored image")?;
    let image = format!("/api/images/{image}");
    asked("GET /api/images/:id", &technologist.get(&image).await)?;
    asked("GET /api/images/:id/url", &technologist.get(&format!("{image}/url")).await)?;
    asked("GET /api/studies/:id/images", &technologist.get(&format!("{path}/images")).await)?;
    asked(
        "GET /api/studies/:id/series/:uid/images",
        &technologist.get(&format!("{path}/series/1.2.3/images")).await,
    )?;
    let annotated =
        technologist.patch(&format!("{image}/metadata"), json!({"metadata": {"note": "left"}})).await;
    asked("PATCH /api/images/:id/metadata", &annotated)?;
    asked("PATCH /api/studies/:id/status", &technologist.moves(&study, "COMPLETED").await)?;
    asked("DELETE /api/images/:id", &technologist.delete(&image).await)?;
    let another = provider.places(ct_chest()).await;
    let cancelled = provider.delete(&format!("/api/imaging-orders/{}", id(&another))).await;
    asked("DELETE /api/imaging-orders/:id", &cancelled)?;
    asked("GET /health", &hospital.anonymous().get("/health").await)?;
    print("Round trips of each request (preparing a statement once for each connection not counted)", &rows);
    Ok(())
}

async fn files(hospital: &Hospital) -> Result<()> {
    let study = hospital.registered_study().await;
    let made = || instance_of(&study);
    let cases: [(&str, Instance); 5] = [
        ("a small CT slice", made()),
        ("a CT slice of 512 KiB", made().size(512, 512)),
        ("a series of 60 frames in one file", made().size(1024, 1024).frames(60)),
        ("10,000 JPEG frames, encapsulated", made().syntax(dicom::Syntax::JpegBaseline).frames(10_000)),
        ("700 private elements", made().elements(700)),
    ];
    let mut rows = vec![row([
        "file",
        "its bytes",
        "bytes read",
        "storage calls",
        "Postgres round trips",
        "64 KiB required",
    ])];
    for (what, file) in cases {
        let heavy = file.heavy()?;
        let mut bytes = Vec::new();
        heavy.reader().read_to_end(&mut bytes)?;
        let size = bytes.len();
        let offered = hospital.technologist().post("/api/uploads", json!({"count": 1})).await.expect(201);
        let offer = &offered["uploads"][0];
        hospital.send(&offer["upload"], bytes).await.expect_status(201);
        let filed = hospital.machine().post("/events/blob", event(offer)).await;
        filed.expect_status(200);
        let ingest = hospital.settled(id(offer)).await;
        let read = figure(&filed, "http_bytes_in")?;
        rows.push(vec![
            what.to_owned(),
            size.to_string(),
            read.to_string(),
            figure(&filed, "http_calls")?.to_string(),
            figure(&filed, "db_calls")?.to_string(),
            verdict(read <= 64 * 1024 && ingest["status"] == "STORED").to_owned(),
        ]);
    }
    print("What filing one image reads of it", &rows);
    Ok(())
}

/// What storage says when the blob of an upload was created, as a CloudEvent.
pub(crate) fn event(offer: &Value) -> Value {
    let url = offer["upload"]["url"].as_str().and_then(|url| url.split('?').next());
    json!({"type": "Microsoft.Storage.BlobCreated", "specversion": "1.0", "id": id(offer), "source": "/storage",
        "data": {"url": url}})
}

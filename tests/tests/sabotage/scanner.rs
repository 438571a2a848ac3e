//! A modality that sends many files, and what storage says of them.

use futures::future::join_all;
use serde_json::{Value, json};
use tests::{Hospital, dicom::Instance, hospital::id};

/// Uploads that are offered, and to which nothing was sent yet.
pub(crate) async fn offers(hospital: &Hospital, count: usize) -> Vec<Value> {
    let mut offered = hospital.technologist().post("/api/uploads", json!({"count": count})).await.expect(201);
    serde_json::from_value(offered["uploads"].take()).expect("a list of uploads")
}

/// Sends a file to each of these uploads, all at once.
pub(crate) async fn send(hospital: &Hospital, offers: &[Value], files: &[Instance]) {
    assert_eq!(offers.len(), files.len());
    join_all(offers.iter().zip(files).map(async |(offer, file)| {
        hospital.send(&offer["upload"], file.write().unwrap()).await.expect_status(201);
    }))
    .await;
}

/// Offers uploads for files and sends them: the uploads.
pub(crate) async fn sends(hospital: &Hospital, files: &[Instance]) -> Vec<Value> {
    let offers = offers(hospital, files.len()).await;
    send(hospital, &offers, files).await;
    offers
}

/// Waits until each of these uploads is filed.
pub(crate) async fn stored(hospital: &Hospital, offers: &[Value]) {
    for offer in offers {
        let ingest = hospital.settled(id(offer)).await;
        assert_eq!(ingest["status"], "STORED", "{ingest}");
    }
}

/// What Event Grid says in its own schema when a blob was created.
pub(crate) fn event_grid(offer: &Value) -> Value {
    json!({
        "id": uuid::Uuid::now_v7(),
        "eventType": "Microsoft.Storage.BlobCreated",
        "eventTime": "2026-01-02T09:30:15Z",
        "dataVersion": "",
        "subject": "/blobServices/default/containers/c/blobs/b",
        "data": {"api": "PutBlob", "contentType": "application/dicom", "url": url(offer)},
    })
}

/// The same as a CloudEvent.
pub(crate) fn cloud_event(offer: &Value) -> Value {
    json!({
        "specversion": "1.0",
        "type": "Microsoft.Storage.BlobCreated",
        "source": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a",
        "id": uuid::Uuid::now_v7(),
        "time": "2026-01-02T09:30:15Z",
        "data": {"api": "PutBlob", "contentType": "application/dicom", "url": url(offer)},
    })
}

/// A blob's own URL: what it was sent to, without the signature.
fn url(offer: &Value) -> &str {
    offer["upload"]["url"].as_str().and_then(|url| url.split('?').next()).expect("an upload URL")
}

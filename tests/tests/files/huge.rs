//! Blobs of five gibibytes, which cost who makes them next to nothing: they must not cost the service more.

use migrate::storage::{Account, Container};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Hospital,
    dicom::Heavy,
    hospital::{id, instance_of},
};

use crate::arrival::{announce, announced_by_storage, cost, memory};

const FIVE_GIBIBYTES: u64 = 5 << 30;
/// What is read of a blob at most, if its header fits.
const MOST_READ: u64 = 64 << 10;
/// What looking at a blob may take of memory: an instance of a component, and no part of the blob.
const MORE_MEMORY: u64 = 50 << 20;
/// A part of a block blob. Storage takes one that came once for as many parts of the blob as one likes.
const BLOCK: usize = 8 << 20;

#[tokio::test]
async fn of_five_gibibytes_of_nothing_that_a_client_made_in_one_request_little_is_read() {
    let hospital = announced_by_storage().await;
    let offer = offer(&hospital).await;

    // The URL is for making a blob, and of which kind it is to be is the client's word: pages take no room until written.
    let made = hospital
        .to_storage(Method::PUT, offer["upload"]["url"].as_str().unwrap())
        .header("x-ms-blob-type", "PageBlob")
        .header("x-ms-blob-content-length", FIVE_GIBIBYTES)
        .header("content-length", 0)
        .send()
        .await
        .unwrap();
    assert_eq!(made.status(), 201);

    let ingest = looked_at(&hospital, &offer).await;
    assert_eq!((&ingest["status"], &ingest["reason"]), (&json!("QUARANTINED"), &json!("not_a_block_blob")));
}

#[tokio::test]
async fn of_an_image_within_a_page_blob_of_five_gibibytes_only_the_header_is_read() {
    let hospital = announced_by_storage().await;
    let image = image_of_four_gibibytes(&hospital).await;
    let offer = offer(&hospital).await;
    let blob = blob_of(&hospital, &offer).await;
    let container = container(&hospital);

    let size = FIVE_GIBIBYTES.to_string();
    let kind = [("x-ms-blob-type", "PageBlob"), ("x-ms-blob-content-length", size.as_str())];
    owner(&container, &blob, &[], &kind, Vec::new()).await;
    // Pages are of 512 bytes.
    let mut head = image.head;
    head.resize(head.len().next_multiple_of(512), 0);
    let range = format!("bytes=0-{}", head.len() - 1);
    let write = [("x-ms-page-write", "update"), ("x-ms-range", range.as_str())];
    owner(&container, &blob, &[("comp", "page")], &write, head).await;

    let ingest = looked_at(&hospital, &offer).await;
    assert_eq!((&ingest["status"], &ingest["reason"]), (&json!("QUARANTINED"), &json!("not_a_block_blob")));
}

#[tokio::test]
async fn of_an_image_of_over_five_gibibytes_in_blocks_only_the_header_is_read() {
    let hospital = announced_by_storage().await;
    let image = image_of_four_gibibytes(&hospital).await;
    let offer = offer(&hospital).await;
    let blob = blob_of(&hospital, &offer).await;
    let container = container(&hospital);

    // Names of blocks are base64.
    let block = |name| [("comp", "block"), ("blockid", name)];
    owner(&container, &blob, &block("aGVhZA=="), &[], image.head).await;
    owner(&container, &blob, &block("emVybw=="), &[], vec![0; BLOCK]).await;
    let zeros = "<Latest>emVybw==</Latest>".repeat(FIVE_GIBIBYTES as usize / BLOCK);
    let list = format!("<BlockList><Latest>aGVhZA==</Latest>{zeros}</BlockList>");
    owner(&container, &blob, &[("comp", "blocklist")], &[], list.into_bytes()).await;

    let ingest = looked_at(&hospital, &offer).await;
    assert_eq!((&ingest["status"], &ingest["reason"]), (&json!("QUARANTINED"), &json!("too_large")));
}

/// What became of a blob, at what cost: storage is asked once for its beginning, and the host grows no larger.
async fn looked_at(hospital: &Hospital, offer: &Value) -> Value {
    let before = memory(hospital, "VmRSS");
    let announced = announce(hospital, &offer["upload"]).await;
    announced.expect_status(200);
    let read = cost(&announced, "http_bytes_in");
    assert!((1..=MOST_READ).contains(&read), "{read} bytes were read");
    let more = memory(hospital, "VmHWM").saturating_sub(before);
    assert!(more < MORE_MEMORY, "the host took {} MiB more", more >> 20);
    let ingest = hospital.settled(id(offer)).await;
    assert_eq!(ingest["attempts"], 1, "{ingest}");
    ingest
}

/// As long as native pixels can be said to be (DICOM PS3.5 7.1.1), in a study of an order.
async fn image_of_four_gibibytes(hospital: &Hospital) -> Heavy {
    let study = hospital.registered_study().await;
    instance_of(&study).size(1024, 1024).frames(2047).heavy().unwrap()
}

async fn offer(hospital: &Hospital) -> Value {
    hospital.technologist().post("/api/uploads", json!({"count": 1})).await.expect(201)["uploads"][0].take()
}

async fn blob_of(hospital: &Hospital, offer: &Value) -> String {
    let ingest = hospital.technologist().get(&format!("/api/ingest/{}", id(offer))).await.expect(200);
    ingest["ingest"]["blob"].as_str().expect("an upload has a blob").to_owned()
}

fn container(hospital: &Hospital) -> Container {
    let account = Account::parse(&hospital.setting("azure_storage_connection_string")).unwrap();
    account.container(&hospital.setting("azure_storage_container_name")).unwrap()
}

/// What only the owner of the account may ask of storage.
async fn owner(
    container: &Container,
    blob: &str,
    query: &[(&str, &str)],
    headers: &[(&str, &str)],
    body: Vec<u8>,
) {
    let answer = container.send(Method::PUT, Some(blob), query, headers, body).await.unwrap();
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
}

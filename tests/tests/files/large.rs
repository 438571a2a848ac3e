//! What the size of a file costs: nothing, as long as its header is short.

use reqwest::Body;
use serde_json::{Value, json};
use tests::{
    Hospital,
    dicom::{Instance, Syntax},
    hospital::{id, instance_of},
};

use crate::arrival::{announce, announced_by_storage, cost, memory};

/// What is read of a file at most, if its header fits.
const MOST_READ: u64 = 64 << 10;

#[tokio::test]
async fn of_a_file_of_over_a_hundred_megabytes_only_the_header_is_read() {
    let hospital = announced_by_storage().await;
    let study = hospital.registered_study().await;
    let heavy = instance_of(&study).size(1024, 1024).frames(60).heavy().unwrap();
    assert!(heavy.total() > 100 << 20);
    let place = std::env::temp_dir().join(format!("{}.dcm", tests::dicom::uid()));
    heavy.write_to(&place).unwrap();
    let before = memory(&hospital, "VmRSS");

    let offer = offer(&hospital).await;
    let file = tokio::fs::File::open(&place).await.unwrap();
    std::fs::remove_file(&place).unwrap();
    stream(&offer, file.into(), heavy.total()).await;
    let announced = announce(&hospital, &offer["upload"]).await;

    announced.expect_status(200);
    let read = cost(&announced, "http_bytes_in");
    assert!((1..=MOST_READ).contains(&read), "{read} bytes were read");
    let image = filed(&hospital, &offer).await;
    assert_eq!(image["fileSize"], heavy.total());
    assert_eq!(
        (&image["rows"], &image["columns"], &image["numberOfFrames"]),
        (&json!(1024), &json!(1024), &json!(60))
    );
    let more = memory(&hospital, "VmHWM").saturating_sub(before);
    assert!(more < 50 << 20, "the host took {} MiB more", more >> 20);
}

#[tokio::test]
async fn no_more_is_read_than_the_header_takes() {
    let hospital = announced_by_storage().await;
    let study = hospital.registered_study().await;

    for (what, made, most) in [
        ("native pixels of 8 MiB", instance_of(&study).size(2048, 2048), MOST_READ),
        // That all of it is there shows at its end, which is read as well.
        ("300,000 frames", instance_of(&study).size(64, 64).syntax(Syntax::Rle).frames(300_000), MOST_READ),
        ("a header of 240 KB", instance_of(&study).elements(5_000), 512 << 10),
    ] {
        let file = made.write().unwrap();
        let size = file.len();
        let offer = offer(&hospital).await;
        hospital.send(&offer["upload"], file).await.expect_status(201);
        let announced = announce(&hospital, &offer["upload"]).await;

        announced.expect_status(200);
        let read = cost(&announced, "http_bytes_in");
        assert!((1..=most).contains(&read), "{what}: {read} bytes were read");
        assert_eq!(filed(&hospital, &offer).await["fileSize"], size, "{what}");
    }
}

#[tokio::test]
async fn a_file_whose_pixels_are_not_all_there_is_noticed_without_reading_them() {
    let hospital = announced_by_storage().await;
    let study = hospital.registered_study().await;
    let cut = |made: Instance| {
        let mut file = made.write().unwrap();
        file.truncate(file.len() - 1000);
        file
    };

    for file in [
        cut(instance_of(&study).size(2048, 2048)),
        cut(instance_of(&study).size(64, 64).syntax(Syntax::Jpeg2000).frames(300_000)),
    ] {
        let offer = offer(&hospital).await;
        hospital.send(&offer["upload"], file).await.expect_status(201);
        let announced = announce(&hospital, &offer["upload"]).await;

        announced.expect_status(200);
        let ingest = hospital.settled(id(&offer)).await;
        assert_eq!((&ingest["status"], &ingest["reason"]), (&json!("QUARANTINED"), &json!("truncated")));
        // Where the end was sought, as far back as anything may follow the pixels.
        let read = cost(&announced, "http_bytes_in");
        assert!(read <= 3 * MOST_READ, "{read} bytes were read");
    }
}

async fn offer(hospital: &Hospital) -> Value {
    hospital.technologist().post("/api/uploads", json!({"count": 1})).await.expect(201)["uploads"][0].take()
}

/// Sends what nobody wants in memory.
async fn stream(offer: &Value, body: Body, length: u64) {
    let mut request = reqwest::Client::new()
        .put(offer["upload"]["url"].as_str().expect("an upload URL"))
        .header("content-length", length)
        .body(body);
    for (name, value) in offer["upload"]["headers"].as_object().expect("headers of an upload") {
        request = request.header(name, value.as_str().expect("a header"));
    }
    assert_eq!(request.send().await.expect("storage answers").status(), 201);
}

async fn filed(hospital: &Hospital, offer: &Value) -> Value {
    let ingest = hospital.settled(id(offer)).await;
    hospital.stored(ingest["imageId"].as_str().unwrap_or_else(|| panic!("{ingest}"))).await
}

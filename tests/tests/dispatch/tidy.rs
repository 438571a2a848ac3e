//! What is to go when its time has come.

use serde_json::json;
use tests::{
    Hospital,
    hospital::{ct_chest, id},
    receiver::{Manner, Receiver},
};

use crate::wards::{self, dispatches, passes};

#[tokio::test]
async fn the_blob_of_a_removed_image_goes_when_the_retention_time_is_over() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let image = hospital.scans(&study).await;
    let blob = hospital.sql("select blob from imaging.images").await.unwrap();
    let path = format!("/api/images/{}", id(&image));
    hospital.radiologist().delete(&path).await.expect_status(204);
    dispatches(&hospital).await;
    assert!(hospital.blob(&blob).await.is_some(), "it is kept for a while");

    passes(&hospital, "400 days").await;
    dispatches(&hospital).await;
    assert!(hospital.blob(&blob).await.is_none());
    assert_eq!(hospital.sql("select count(*)::text from imaging.removals").await.as_deref(), Some("0"));
    let erased = "select count(*)::text from imaging.audit_events where action = 'image.erase'";
    assert_eq!(hospital.sql(erased).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_blob_that_an_image_has_again_stays() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    hospital.scans(&study).await;
    let blob = hospital.sql("select blob from imaging.images").await.unwrap();
    hospital
        .execute(
            "insert into imaging.removals (organization, blob, image_id, removed_by, due_at, created_at)
             select organization, blob, id, 'x', now(), now() from imaging.images",
        )
        .await;
    dispatches(&hospital).await;
    assert!(hospital.blob(&blob).await.is_some());
    assert_eq!(hospital.sql("select count(*)::text from imaging.removals").await.as_deref(), Some("0"));
}

#[tokio::test]
async fn what_a_request_was_answered_a_day_ago_is_forgotten_though_nobody_asks_again() {
    let hospital = Hospital::open().await;
    let provider = hospital.provider();
    let place =
        provider.request(reqwest::Method::POST, "/api/imaging-orders").header("idempotency-key", "k-1");
    tests::Reply::of(place.json(&ct_chest())).await.expect_status(201);
    let kept = "select count(*)::text from imaging.idempotency_keys";
    dispatches(&hospital).await;
    assert_eq!(hospital.sql(kept).await.as_deref(), Some("1"));
    passes(&hospital, "25 hours").await;
    assert_eq!(hospital.machine().post("/tasks/dispatch", json!({})).await.expect(200)["more"], false);
    assert_eq!(hospital.sql(kept).await.as_deref(), Some("0"));
}

#[tokio::test]
async fn what_was_told_long_ago_is_forgotten_but_for_what_was_given_up() {
    let receiver = Receiver::open().await;
    receiver.behaves(|_, request| match request.recipient() {
        "dr-1" => Manner::Answers(422),
        _ => Manner::Answers(200),
    });
    let hospital = wards::open(&receiver).await;
    let study = hospital.completed_study().await;
    let finding = wards::finds(&hospital, &study, "LOW", &["dr-1"]).await;
    wards::concluded(&hospital, 2).await;
    hospital.provider().acknowledges(&finding).await.expect_status(200);
    dispatches(&hospital).await;
    wards::settled(&hospital).await;
    passes(&hospital, "89 days").await;
    dispatches(&hospital).await;
    assert_eq!(wards::deliveries(&hospital, "").await.len(), 2);

    passes(&hospital, "2 days").await;
    dispatches(&hospital).await;
    let kept = wards::deliveries(&hospital, "").await;
    assert_eq!((kept.len(), &kept[0]["state"]), (1, &json!("DEAD")));
    let events = "select string_agg(topic, ' ') from imaging.outbox";
    assert_eq!(hospital.sql(events).await.as_deref(), Some("finding.raised"));
}

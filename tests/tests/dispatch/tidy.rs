//! What is to go when its time has come.

use serde_json::json;
use tests::{
    Hospital,
    hospital::{ct_chest, id},
};

use crate::wards::{dispatches, passes};

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

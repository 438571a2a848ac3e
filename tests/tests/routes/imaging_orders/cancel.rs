use insta::assert_snapshot;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Actor, Hospital, Reply,
    hospital::{ct_chest, id},
};

async fn cancels(actor: &Actor, order: &str, body: Value) -> Reply {
    Reply::of(actor.request(Method::DELETE, &format!("/api/imaging-orders/{order}")).json(&body)).await
}

#[tokio::test]
async fn an_order_that_nobody_began_is_cancelled_without_a_word_and_its_row_stays() {
    let hospital = Hospital::open().await;
    let order = hospital.provider().places(ct_chest()).await;
    let path = format!("/api/imaging-orders/{}", id(&order));

    let reply = hospital.provider().delete(&path).await;
    assert_eq!(reply.header("etag"), "\"2\"");
    let cancelled = reply.expect(200)["order"].take();
    assert_eq!((&cancelled["status"], &cancelled["version"]), (&json!("CANCELLED"), &json!(2)));
    assert_eq!(hospital.provider().get(&path).await.expect(200)["order"]["status"], "CANCELLED");

    hospital.provider().delete(&path).await.expect_illegal_step("order_not_cancellable", "CANCELLED", &[]);
}

#[tokio::test]
async fn a_reason_is_kept_and_shown() {
    let hospital = Hospital::open().await;
    let order = hospital.provider().places(ct_chest()).await;
    let cancelled =
        cancels(&hospital.provider(), id(&order), json!({"reason": " Wrong patient "})).await.expect(200);
    assert_eq!(cancelled["order"]["statusReason"], "Wrong patient");
}

#[tokio::test]
async fn a_scan_that_has_begun_takes_a_reason_to_discontinue_and_its_images_stay() {
    let hospital = Hospital::open().await;
    let study = hospital.scanned_study().await;
    let order = study["orderId"].as_str().unwrap();
    let without_images = hospital
        .technologist()
        .registers(&json!({"id": order, "modality": "CT", "bodyPart": "CHEST", "patientId": "MRN-1"}))
        .await;

    assert_snapshot!(cancels(&hospital.provider(), order, json!({})).await.expect_invalid(), @"reason is required for this step");
    cancels(&hospital.provider(), order, json!({"reason": "The patient left"})).await.expect(200);

    // The study that has images keeps them and its status; the one without goes with the order.
    let technologist = hospital.technologist();
    let with = technologist.get(&format!("/api/studies/{}", id(&study))).await.expect(200)["study"].take();
    assert_eq!((&with["status"], with["images"].as_array().unwrap().len()), (&json!("IN_PROGRESS"), 1));
    let without =
        technologist.get(&format!("/api/studies/{}", id(&without_images))).await.expect(200)["study"].take();
    assert_eq!((&without["status"], &without["version"]), (&json!("CANCELLED"), &json!(2)));
}

#[tokio::test]
async fn a_stale_version_is_not_cancelled() {
    let hospital = Hospital::open().await;
    let order = hospital.provider().places(ct_chest()).await;
    let path = format!("/api/imaging-orders/{}", id(&order));
    hospital.provider().patch(&path, json!({"priority": "STAT"})).await.expect(200);

    let delete = |etag: &str| hospital.provider().request(Method::DELETE, &path).header("if-match", etag);
    let stale = Reply::of(delete("\"1\"")).await;
    stale.expect_refusal(412, "stale_version");
    assert_eq!(stale.header("etag"), "\"2\"");
    Reply::of(delete("\"2\"")).await.expect(200);
}

#[tokio::test]
async fn every_fault_is_named_at_once() {
    let hospital = Hospital::open().await;
    let order = hospital.provider().places(ct_chest()).await;
    let reply =
        cancels(&hospital.provider(), id(&order), json!({"reason": " ", "status": "CANCELLED"})).await;
    assert_snapshot!(reply.expect_invalid(), @r"
    reason must not be empty
    status is not a field that can be set here
    ");
}

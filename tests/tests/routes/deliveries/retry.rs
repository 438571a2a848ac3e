use reqwest::Method;
use serde_json::{Value, json};
use tests::{Hospital, Reply};

#[tokio::test]
async fn a_delivery_that_was_given_up_is_tried_again_once() {
    let hospital = Hospital::open().await;
    let finding = hospital.finds(&hospital.registered_study().await, "HIGH").await;
    let delivery = hospital.gives_up_telling(&finding).await;
    let admin = hospital.somebody("admin");
    let path = format!("/api/deliveries/{delivery}/retry");
    let ask =
        || Reply::of(admin.request(Method::POST, &path).header("idempotency-key", "k-1").json(&json!({})));

    let retried = ask().await.expect(200)["delivery"].take();
    assert_eq!((&retried["state"], &retried["attempts"]), (&json!("PENDING"), &json!(0)));
    // The same request is answered the same; another is told how it stands.
    assert_eq!(ask().await.expect(200)["delivery"], retried);
    let refused = admin.post(&path, json!({})).await;
    refused.expect_refusal(409, "delivery_not_dead");
    assert_eq!(refused.body["current"], "PENDING");
    assert_eq!(refused.body["allowed"], json!(["PENDING", "DELIVERED", "DEAD", "NOT_NEEDED"]));
}

#[tokio::test]
async fn who_may_not_see_to_it_does_not_learn_of_it() {
    let hospital = Hospital::open().await;
    let finding = hospital.finds(&hospital.registered_study().await, "HIGH").await;
    let path = format!("/api/deliveries/{}/retry", hospital.gives_up_telling(&finding).await);
    hospital.radiologist().post(&path, Value::Null).await.expect_refusal(403, "forbidden");
    let other = hospital.somebody_with("admin", |claims| claims.organization_id = "org-2".to_owned());
    other.post(&path, json!({})).await.expect_refusal(404, "not_found");
}

use futures::future::join_all;
use insta::assert_snapshot;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Hospital, Reply};

const PATH: &str = "/api/settings/ingest";

#[tokio::test]
async fn images_that_nobody_ordered_wait_for_a_person_unless_somebody_wants_it_otherwise() {
    let hospital = Hospital::open().await;
    let admin = hospital.somebody("admin");
    let reply = admin.get(PATH).await;
    assert_eq!(reply.header("etag"), "\"0\"");
    assert_eq!(
        reply.expect(200)["settings"],
        json!({
            "unscheduledStudies": false, "patientIdIssuers": [], "version": 0, "changedBy": null, "changedAt": null,
        })
    );

    let wanted = json!({"unscheduledStudies": true, "patientIdIssuers": ["HOSPITAL"]});
    let put = admin.put(PATH, wanted.clone()).await.expect(200)["settings"].take();

    assert_eq!((&put["version"], &put["changedBy"]), (&json!(1), &json!("admin-1")));
    assert_eq!(admin.get(PATH).await.expect(200)["settings"], put);
    // Another organization has its own, and every version is kept.
    let elsewhere = hospital.somebody_with("admin", |claims| claims.organization_id = "org-2".to_owned());
    assert_eq!(elsewhere.get(PATH).await.expect(200)["settings"]["version"], 0);
    admin.put(PATH, json!({"unscheduledStudies": false, "patientIdIssuers": []})).await.expect_status(200);
    let kept = "select string_agg(document->>'unscheduledStudies', ' ' order by version) from imaging.ingest_settings";
    assert_eq!(hospital.sql(kept).await.as_deref(), Some("true false"));
}

#[tokio::test]
async fn a_whole_document_is_put_and_every_fault_in_it_is_named() {
    let hospital = Hospital::open().await;
    let admin = hospital.somebody("admin");
    assert_snapshot!(admin.put(PATH, json!({"version": 1})).await.expect_invalid(), @r"
    unscheduledStudies is required
    patientIdIssuers is required
    version is not a field that can be set here
    ");
    let wrong = json!({"unscheduledStudies": "yes", "patientIdIssuers": [7, "x".repeat(65)]});
    assert_snapshot!(admin.put(PATH, wrong).await.expect_invalid(), @r"
    unscheduledStudies must be true or false
    patientIdIssuers[0] must be a string
    patientIdIssuers[1] must be at most 64 characters
    ");
    assert_eq!(admin.get(PATH).await.expect(200)["settings"]["version"], 0);
}

#[tokio::test]
async fn of_many_that_change_one_version_one_does() {
    let hospital = Hospital::open().await;
    let admin = hospital.somebody("admin");
    let body: Value = json!({"unscheduledStudies": true, "patientIdIssuers": []});
    let replies = join_all(
        (0..8).map(|_| Reply::of(admin.request(Method::PUT, PATH).header("if-match", "\"0\"").json(&body))),
    )
    .await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 1);
    assert_eq!(replies.iter().filter(|reply| reply.status == 412).count(), 7);
}

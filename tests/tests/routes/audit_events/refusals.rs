use local::token::Claims;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Hospital, Reply,
    actor::study_of,
    hospital::{ct_chest, id},
};
use uuid::Uuid;

use super::{auditor, events};

async fn quiet() -> Hospital {
    Hospital::open_with(|settings| settings.timers.clear()).await
}

/// Of an event: what was refused and why, about what and whom.
fn shown(event: &Value) -> Value {
    json!([event["action"], event["code"], event["resource"], event["resourceId"], event["patientIds"]])
}

#[tokio::test]
async fn whom_a_refused_request_was_about_is_found_wherever_it_said_so() {
    let hospital = quiet().await;
    let mut order = ct_chest();
    order["facilityId"] = json!("fac-2");
    order["providerId"] = json!("provider-9");
    let order = hospital.service().places(order).await;
    let study = hospital.service().registers(&order).await;
    let (order_id, study_id) = (id(&order), id(&study));
    let accession = study["accessionNumber"].as_str().unwrap();
    let nowhere = Uuid::now_v7().to_string();
    let provider = hospital.provider();
    let admin = hospital.somebody("admin");
    let mut elsewhere = ct_chest();
    elsewhere["facilityId"] = json!("fac-2");
    elsewhere["patientId"] = json!("MRN-5");
    let mut of_another = study_of(&order);
    of_another["patientId"] = json!("MRN-1");

    // There, and beyond reach.
    provider.get(&format!("/api/imaging-orders/{order_id}")).await.expect_status(404);
    provider.get(&format!("/api/studies/{study_id}")).await.expect_status(404);
    provider.get(&format!("/api/studies/{study_id}/images")).await.expect_status(404);
    provider.get(&format!("/api/studies/accession/{accession}")).await.expect_status(404);
    // Not there at all.
    provider.get(&format!("/api/studies/{nowhere}")).await.expect_status(404);
    provider.get("/api/studies/accession/ACC-NONE").await.expect_status(404);
    // Named in the path, in the query, in the body.
    admin.get("/api/imaging-orders/patient/MRN-3").await.expect_status(403);
    admin.get("/api/studies?patientId=MRN-4").await.expect_status(403);
    provider.post("/api/imaging-orders", elsewhere).await.expect_status(403);
    // Only through what the body names.
    hospital.service().delete(&format!("/api/imaging-orders/{order_id}")).await.expect_status(200);
    hospital.service().post("/api/studies", of_another).await.expect_status(409);

    let mut found = events(&hospital, "outcome=REFUSED").await;
    found.reverse();
    let found: Vec<Value> = found.iter().map(shown).collect();
    let expected = [
        json!(["order.read", "not_found", "order", order_id, ["MRN-1"]]),
        json!(["study.read", "not_found", "study", study_id, ["MRN-1"]]),
        json!(["image.read", "not_found", "study", study_id, ["MRN-1"]]),
        json!(["study.read", "not_found", "study", study_id, ["MRN-1"]]),
        json!(["study.read", "not_found", "study", nowhere, []]),
        json!(["study.read", "not_found", "study", null, []]),
        json!(["order.read", "forbidden", "order", null, ["MRN-3"]]),
        json!(["study.read", "forbidden", "study", null, ["MRN-4"]]),
        json!(["order.place", "forbidden", "order", null, ["MRN-5"]]),
        json!(["study.register", "order_not_open", "study", null, ["MRN-1"]]),
    ];
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
}

#[tokio::test]
async fn another_organizations_things_are_nobodys_in_the_audit_of_who_tried() {
    let hospital = quiet().await;
    let order = hospital.provider().places(ct_chest()).await;
    hospital.stranger().get(&format!("/api/imaging-orders/{}", id(&order))).await.expect_status(404);

    assert_eq!(events(&hospital, "outcome=REFUSED").await, Vec::<Value>::new());
    let theirs = hospital.somebody_with("auditor", |claims| claims.organization_id = "org-2".to_owned());
    let found = theirs.get("/api/audit-events").await.expect(200);
    assert_eq!(shown(&found["events"][0]), json!(["order.read", "not_found", "order", id(&order), []]));
}

#[tokio::test]
async fn a_conflict_and_a_stale_version_are_refusals_with_their_codes() {
    let hospital = quiet().await;
    let provider = hospital.provider();
    let order = provider.places(ct_chest()).await;
    let path = format!("/api/imaging-orders/{}", id(&order));
    let stale = provider.request(Method::DELETE, &path).header("if-match", "\"7\"");
    Reply::of(stale).await.expect_refusal(412, "stale_version");
    provider.delete(&path).await.expect(200);
    provider.delete(&path).await.expect_refusal(409, "order_not_cancellable");

    let found = events(&hospital, "outcome=REFUSED").await;
    let codes: Vec<&str> = found.iter().map(|event| event["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["order_not_cancellable", "stale_version"]);
    assert!(
        found.iter().all(|event| event["action"] == "order.cancel" && event["resourceId"] == order["id"])
    );
}

#[tokio::test]
async fn a_url_that_is_refused_since_nothing_has_arrived_is_no_url_that_was_given() {
    let hospital = quiet().await;
    let study = hospital.registered_study().await;
    let instance = json!({"seriesInstanceUID": "1.2.3", "sopInstanceUID": "1.2.3.4", "seriesNumber": 1, "instanceNumber": 1});
    let images = format!("/api/studies/{}/images", id(&study));
    let image = hospital.technologist().post(&images, instance).await.expect(201)["image"].take();
    let url = format!("/api/images/{}/url", id(&image));
    hospital.technologist().get(&url).await.expect_refusal(409, "image_not_stored");

    let found = events(&hospital, &format!("resource=image/{}", id(&image))).await;
    assert_eq!(shown(&found[0]), json!(["image.read", "image_not_stored", "image", id(&image), ["MRN-1"]]));
    assert_eq!(found.iter().filter(|event| event["action"] == "image.url").count(), 0);
}

#[tokio::test]
async fn what_cannot_be_read_or_comes_from_nobody_is_decided_upon_by_nobody() {
    let hospital = quiet().await;
    let before = hospital.sql("select count(*)::text from imaging.audit_events").await;
    hospital.provider().get("/api/imaging-orders/7").await.expect_status(400);
    hospital.provider().get("/api/imaging-orders?colour=red").await.expect_status(400);
    hospital.provider().post("/api/imaging-orders", json!({})).await.expect_status(422);
    hospital.provider().patch("/api/imaging-orders", json!({})).await.expect_status(405);
    hospital.provider().get("/api/nothing").await.expect_status(404);
    hospital.anonymous().get("/api/imaging-orders").await.expect_status(401);
    assert_eq!(hospital.sql("select count(*)::text from imaging.audit_events").await, before);
    auditor(&hospital).get("/api/audit-events").await.expect(200);
}

#[tokio::test]
async fn who_cannot_be_believed_is_in_the_log_with_the_reason_and_never_with_the_token() {
    let hospital = quiet().await;
    let secret = hospital.setting("jwt_secret");
    let mut claims = Claims::new("provider-1", "provider", "org-1", 60);
    let another = claims.sign("another secret").unwrap();
    claims.exp -= 7200;
    let expired = claims.sign(&secret).unwrap();
    claims.exp += 7200;
    claims.iss = "somebody".to_owned();
    let foreign = claims.sign(&secret).unwrap();

    for (number, (authorization, code)) in [
        (format!("Bearer {expired}"), "token_expired"),
        (format!("Bearer {another}"), "token_invalid"),
        (format!("Bearer {foreign}"), "token_of_another_issuer"),
        ("Basic cHJvdmlkZXI6MQ==".to_owned(), "token_missing"),
    ]
    .into_iter()
    .enumerate()
    {
        let request = hospital.bearer(&authorization).request(Method::GET, "/api/studies");
        let request_id = format!("unproven-{number}");
        Reply::of(request.header("x-request-id", &request_id)).await.expect_status(401);

        let log = hospital.log();
        let line = log.lines().find(|line| line.contains(&request_id)).unwrap();
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&line["status"], &line["code"]), (&json!(401), &json!(code)), "{line}");
        for part in authorization.split_whitespace().last().unwrap().split('.') {
            assert!(!log.contains(part), "a part of the token is in the log");
        }
    }
}

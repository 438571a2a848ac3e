use insta::assert_snapshot;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Hospital, Reply, actor::finding_of};

use super::{acts, colleague, finding_in, path_of, told};

#[tokio::test]
async fn follow_up_is_noted_and_counted() {
    let hospital = Hospital::open().await;
    let finding = finding_in(&hospital, "ACKNOWLEDGED").await;
    let path = path_of(&finding);
    let follow_up =
        json!({"followUpStatus": "ORDERED", "followUpAction": "Chest tube", "notes": "Call the ward"});

    let reply = hospital.provider().patch(&path, follow_up.clone()).await;

    assert_eq!(reply.header("etag"), "\"3\"");
    let changed = reply.expect(200)["finding"].take();
    for (field, value) in follow_up.as_object().unwrap() {
        assert_eq!(changed[field], *value, "{field}");
    }
    assert_eq!((&changed["status"], &changed["version"]), (&json!("ACKNOWLEDGED"), &json!(3)));
    assert_eq!(changed["readBack"], "Pneumothorax left, understood");
    // Null clears what may be empty, and only that.
    let cleared = json!({"followUpStatus": null, "followUpAction": null});
    let cleared = hospital.provider().patch(&path, cleared).await.expect(200)["finding"].take();
    assert_eq!((&cleared["followUpStatus"], &cleared["followUpAction"]), (&Value::Null, &Value::Null));
    assert_eq!(cleared["notes"], "Call the ward");
    let read = hospital.radiologist().get(&path).await.expect(200)["finding"].take();
    assert_eq!(read["version"], 4);
    assert_eq!(
        told(&hospital, &finding).await,
        ["finding.raised 1", "finding.acknowledged 2", "finding.changed 3", "finding.changed 4"]
    );
    assert_eq!(acts(&hospital, &finding).await.last().unwrap(), "provider-1 finding.change 4 {MRN-1}");
}

#[tokio::test]
async fn a_follow_up_that_is_done_closes_what_was_acknowledged_and_nothing_else() {
    let hospital = Hospital::open().await;
    for (status, follow_up, becomes) in [
        ("OPEN", "COMPLETED", "OPEN"),
        ("NOTIFIED", "COMPLETED", "NOTIFIED"),
        ("ACKNOWLEDGED", "SCHEDULED", "ACKNOWLEDGED"),
        ("ACKNOWLEDGED", "COMPLETED", "CLOSED"),
        ("ACKNOWLEDGED", "Not_Required", "CLOSED"),
    ] {
        let finding = finding_in(&hospital, status).await;
        let changed =
            hospital.provider().patch(&path_of(&finding), json!({"followUpStatus": follow_up})).await;
        assert_eq!(changed.expect(200)["finding"]["status"], becomes, "{status} {follow_up}");
    }
    // What was done before anybody acknowledged closes it then.
    let finding = finding_in(&hospital, "OPEN").await;
    hospital.provider().patch(&path_of(&finding), json!({"followUpStatus": "COMPLETED"})).await.expect(200);
    let taken = hospital.provider().acknowledges(&finding).await.expect(200)["finding"].take();
    assert_eq!(taken["status"], "CLOSED");
}

#[tokio::test]
async fn nothing_more_is_noted_of_a_closed_finding() {
    let hospital = Hospital::open().await;
    let finding = finding_in(&hospital, "CLOSED").await;
    let reply = hospital.provider().patch(&path_of(&finding), json!({"notes": "Call the ward"})).await;
    reply.expect_illegal_step("finding_closed", "CLOSED", &[]);
    let read = hospital.radiologist().get(&path_of(&finding)).await.expect(200)["finding"].take();
    assert_eq!(read, finding);
}

#[tokio::test]
async fn every_fault_is_named_at_once() {
    let hospital = Hospital::open().await;
    let finding = finding_in(&hospital, "OPEN").await;
    let wrong = json!({
        "followUpStatus": "", "followUpAction": 5, "notes": [], "status": "CLOSED", "severity": "LOW", "finding": "x",
    });
    assert_snapshot!(hospital.provider().patch(&path_of(&finding), wrong).await.expect_invalid(), @r"
    followUpStatus must not be empty
    followUpAction must be a string
    notes must be a string
    finding is not a field that can be set here
    severity is not a field that can be set here
    status is not a field that can be set here
    ");
    assert_snapshot!(hospital.provider().patch(&path_of(&finding), json!({})).await.expect_invalid(), @"body must change something: followUpStatus, followUpAction or notes");
}

#[tokio::test]
async fn only_the_version_that_was_read_is_changed_and_only_by_a_clinician_whom_it_concerns() {
    let hospital = Hospital::open().await;
    let mut finding = finding_of(&hospital.registered_study().await, "HIGH");
    finding["notifiedTo"] = json!(["provider-7"]);
    let finding = hospital.radiologist().raises(finding).await;
    let path = path_of(&finding);
    let body = json!({"followUpStatus": "ORDERED"});
    let stale = hospital.provider().request(Method::PATCH, &path).header("if-match", "\"2\"").json(&body);
    let stale = Reply::of(stale).await;
    stale.expect_refusal(412, "stale_version");
    assert_eq!(stale.header("etag"), "\"1\"");
    let told = hospital.somebody_with("provider", |claims| claims.id = "provider-7".to_owned());
    for (who, actor, status) in [
        ("who was told", told, 200),
        ("who reported it", hospital.radiologist(), 200),
        ("a colleague of the facility", colleague(&hospital), 404),
        ("technologist", hospital.technologist(), 403),
        ("service", hospital.service(), 403),
        ("stranger", hospital.stranger(), 404),
    ] {
        let reply = actor.patch(&path, body.clone()).await;
        assert_eq!(reply.status, status, "{who}: {reply}");
    }
}

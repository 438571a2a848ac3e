use futures::future::join_all;
use insta::assert_snapshot;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Hospital, Reply, actor::finding_of, hospital::id};

use super::{acts, colleague, finding_in, other_radiologist, path_of, told};

#[tokio::test]
async fn a_clinician_acknowledges_a_finding_and_nobody_else_is_told_of_it_any_more() {
    let hospital = Hospital::open().await;
    for status in ["OPEN", "NOTIFIED"] {
        let finding = finding_in(&hospital, status).await;
        // One step has been taken already.
        hospital
            .execute(&format!(
                "update imaging.escalations set fired_at = due_at where finding_id = '{}' and level = 0",
                id(&finding)
            ))
            .await;

        let reply = hospital.provider().acknowledges(&finding).await;

        assert_eq!(reply.header("etag"), "\"2\"");
        let taken = reply.expect(200)["finding"].take();
        assert_eq!((&taken["status"], &taken["version"]), (&json!("ACKNOWLEDGED"), &json!(2)));
        assert_eq!(
            (&taken["acknowledgedBy"], &taken["acknowledgedById"]),
            (&json!("provider-1"), &json!("provider-1"))
        );
        assert_eq!(taken["acknowledgedAt"], taken["updatedAt"]);
        assert_eq!(taken["readBack"], "Pneumothorax left, understood");
        assert_eq!(taken["finding"], "Large pneumothorax on the left");
        let steps = taken["escalations"].as_array().unwrap();
        assert_eq!((&steps[0]["firedAt"], &steps[0]["stoppedAt"]), (&steps[0]["dueAt"], &Value::Null));
        for step in &steps[1..] {
            assert_eq!((&step["firedAt"], &step["stoppedAt"]), (&Value::Null, &taken["acknowledgedAt"]));
        }
        assert_eq!(told(&hospital, &finding).await, ["finding.raised 1", "finding.acknowledged 2"]);
        let acts = acts(&hospital, &finding).await;
        assert_eq!(acts.last().unwrap(), "provider-1 finding.acknowledge 2 {MRN-1}");
    }
}

#[tokio::test]
async fn it_is_never_acknowledged_by_who_reported_it() {
    let hospital = Hospital::open().await;
    let mut finding = finding_of(&hospital.registered_study().await, "CRITICAL");
    // Not even when the reporter is among those who are told.
    finding["notifiedTo"] = json!(["radiologist-1"]);
    finding["reportedBy"] = json!("Somebody else");
    let finding = hospital.radiologist().raises(finding).await;

    let refused = hospital.radiologist().acknowledges(&finding).await;
    refused.expect_refusal(403, "forbidden");
    assert_snapshot!(refused.body["message"].as_str().unwrap(), @"Whoever reported a finding does not acknowledge it: that takes somebody else.");
    other_radiologist(&hospital).acknowledges(&finding).await.expect(200);
    // Nor is the reporter told otherwise once it is done.
    hospital.radiologist().acknowledges(&finding).await.expect_refusal(403, "forbidden");
}

#[tokio::test]
async fn it_is_acknowledged_once() {
    let hospital = Hospital::open().await;
    for (status, allowed) in [("ACKNOWLEDGED", vec!["CLOSED"]), ("CLOSED", vec![])] {
        let finding = finding_in(&hospital, status).await;
        for actor in [hospital.provider(), other_radiologist(&hospital)] {
            let reply = actor.acknowledges(&finding).await;
            reply.expect_illegal_step("finding_already_acknowledged", status, &allowed);
        }
        let read = hospital.radiologist().get(&path_of(&finding)).await.expect(200)["finding"].take();
        assert_eq!(read, finding);
    }
}

#[tokio::test]
async fn of_fifty_who_acknowledge_at_once_one_has_done_so() {
    let hospital = Hospital::open().await;
    let finding = hospital.finds(&hospital.registered_study().await, "CRITICAL").await;
    let clinicians: Vec<_> = (10..60)
        .map(|number| {
            hospital.somebody_with("radiologist", |claims| claims.id = format!("radiologist-{number}"))
        })
        .collect();

    let replies = join_all(clinicians.iter().map(|clinician| clinician.acknowledges(&finding))).await;

    let (done, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 200);
    assert_eq!((done.len(), refused.len()), (1, 49));
    for reply in refused {
        reply.expect_illegal_step("finding_already_acknowledged", "ACKNOWLEDGED", &["CLOSED"]);
    }
    let read = hospital.provider().get(&path_of(&finding)).await.expect(200)["finding"].take();
    assert_eq!(read["acknowledgedById"], done[0].body["data"]["finding"]["acknowledgedById"]);
    assert_eq!(read["version"], 2);
    assert_eq!(told(&hospital, &finding).await, ["finding.raised 1", "finding.acknowledged 2"]);
    assert_eq!(acts(&hospital, &finding).await.len(), 2);
}

#[tokio::test]
async fn only_a_critical_finding_has_to_be_read_back() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    for severity in ["CRITICAL", "HIGH", "MODERATE", "LOW"] {
        let finding = hospital.finds(&study, severity).await;
        let path = format!("{}/acknowledge", path_of(&finding));
        // With an empty body, and with none.
        let bare = hospital.provider().post(&path, json!({})).await;
        if severity == "CRITICAL" {
            assert_snapshot!(bare.expect_invalid(), @"readBack is required for a finding that is CRITICAL");
            let without = Reply::of(hospital.provider().request(Method::POST, &path)).await;
            assert_snapshot!(without.expect_invalid(), @"readBack is required for a finding that is CRITICAL");
            let empty = hospital.provider().post(&path, json!({"readBack": " "})).await;
            assert_snapshot!(empty.expect_invalid(), @"readBack must not be empty");
            hospital.provider().acknowledges(&finding).await.expect(200);
        } else {
            assert_eq!(bare.expect(200)["finding"]["readBack"], Value::Null, "{severity}");
        }
    }
    let low = hospital.finds(&study, "LOW").await;
    let path = format!("{}/acknowledge", path_of(&low));
    Reply::of(hospital.provider().request(Method::POST, &path)).await.expect(200);
}

#[tokio::test]
async fn with_nothing_left_to_do_it_is_closed_at_once() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    for (required, follow_up, status) in [
        (true, None, "ACKNOWLEDGED"),
        (true, Some("ORDERED"), "ACKNOWLEDGED"),
        (true, Some("COMPLETED"), "CLOSED"),
        (true, Some("not_required"), "CLOSED"),
        (false, None, "CLOSED"),
        (false, Some("ORDERED"), "CLOSED"),
    ] {
        let mut finding = finding_of(&study, "HIGH");
        finding["followUpRequired"] = json!(required);
        finding["followUpStatus"] = json!(follow_up);
        let finding = hospital.radiologist().raises(finding).await;
        assert_eq!(finding["status"], "OPEN");
        let taken = hospital.provider().acknowledges(&finding).await.expect(200)["finding"].take();
        assert_eq!(taken["status"], status, "{required} {follow_up:?}");
        assert_eq!(taken["acknowledgedById"], "provider-1");
    }
}

#[tokio::test]
async fn who_acknowledges_is_the_tokens_holder_whatever_name_is_shown() {
    let hospital = Hospital::open().await;
    let finding = finding_in(&hospital, "OPEN").await;
    let path = format!("{}/acknowledge", path_of(&finding));
    let unfit =
        json!({"acknowledgedBy": 5, "status": "CLOSED", "acknowledgedAt": "2026-01-02", "notes": "x"});
    assert_snapshot!(hospital.provider().post(&path, unfit).await.expect_invalid(), @r"
    acknowledgedBy must be a string
    status must be ACKNOWLEDGED, or left out
    acknowledgedAt is not a field that can be set here
    notes is not a field that can be set here
    ");
    let named = json!({
        "readBack": "Pneumothorax left, understood", "acknowledgedBy": "On call", "status": "ACKNOWLEDGED",
    });
    let taken = hospital.provider().post(&path, named).await.expect(200)["finding"].take();
    assert_eq!(
        (&taken["acknowledgedBy"], &taken["acknowledgedById"]),
        (&json!("On call"), &json!("provider-1"))
    );
}

#[tokio::test]
async fn it_is_acknowledged_by_whom_it_concerns_and_who_is_a_clinician() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let raise = async || {
        let mut finding = finding_of(&study, "CRITICAL");
        finding["notifiedTo"] = json!(["provider-7"]);
        hospital.technologist().raises(finding).await
    };
    let told = hospital.somebody_with("provider", |claims| {
        claims.id = "provider-7".to_owned();
        claims.facility_ids.clear();
    });
    for (who, actor, status) in [
        ("who ordered it", hospital.provider(), 200),
        ("who was told", told, 200),
        ("a colleague of the facility", colleague(&hospital), 404),
        ("radiologist", hospital.radiologist(), 200),
        ("technologist", hospital.technologist(), 403),
        ("service", hospital.service(), 403),
        ("patient", hospital.patient("MRN-1"), 403),
        ("admin", hospital.somebody("admin"), 403),
        ("stranger", hospital.stranger(), 404),
    ] {
        let finding = raise().await;
        let reply = actor.acknowledges(&finding).await;
        assert_eq!(reply.status, status, "{who}: {reply}");
        let read = hospital.radiologist().get(&path_of(&finding)).await.expect(200)["finding"].take();
        assert_eq!(read["status"], if status == 200 { "ACKNOWLEDGED" } else { "OPEN" }, "{who}");
    }
}

#[tokio::test]
async fn only_the_version_that_was_read_is_acknowledged() {
    let hospital = Hospital::open().await;
    let finding = finding_in(&hospital, "OPEN").await;
    hospital.provider().patch(&path_of(&finding), json!({"notes": "Call the ward"})).await.expect(200);
    let acknowledge = async |etag: &str| {
        let request =
            hospital.provider().request(Method::POST, &format!("{}/acknowledge", path_of(&finding)));
        let body = json!({"readBack": "Pneumothorax left, understood"});
        Reply::of(request.header("if-match", etag).json(&body)).await
    };
    let stale = acknowledge("\"1\"").await;
    stale.expect_refusal(412, "stale_version");
    assert_eq!(stale.header("etag"), "\"2\"");
    let taken = acknowledge("\"2\"").await.expect(200)["finding"].take();
    assert_eq!((&taken["status"], &taken["notes"]), (&json!("ACKNOWLEDGED"), &json!("Call the ward")));
}

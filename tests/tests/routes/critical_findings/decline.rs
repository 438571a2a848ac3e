use insta::assert_snapshot;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Hospital, Reply, actor::finding_of, hospital::id};

use super::{acts, colleague, finding_in, other_radiologist, path_of, told};

fn not_mine() -> Value {
    json!({"reason": "Not mine"})
}

async fn declines(actor: &tests::Actor, finding: &Value) -> Reply {
    actor.post(&format!("{}/decline", path_of(finding)), not_mine()).await
}

/// A finding of which no group is told any more: what declining does to that is for the tests of dispatch.
async fn last_of(hospital: &Hospital, status: &str) -> Value {
    let finding = finding_in(hospital, status).await;
    let last =
        format!("update imaging.escalations set stopped_at = now() where finding_id = '{}'", id(&finding));
    hospital.execute(&last).await;
    hospital.radiologist().get(&path_of(&finding)).await.expect(200)["finding"].take()
}

#[tokio::test]
async fn declining_is_kept_and_told_and_changes_nothing_else() {
    let hospital = Hospital::open().await;
    for status in ["OPEN", "NOTIFIED"] {
        let finding = last_of(&hospital, status).await;

        let reply = declines(&hospital.provider(), &finding).await;

        assert_eq!(reply.header("etag"), "\"1\"");
        let mut declined = reply.expect(200)["finding"].take();
        let entry = declined["declines"][0].take();
        assert_eq!((&entry["declinedBy"], &entry["reason"]), (&json!("provider-1"), &json!("Not mine")));
        assert!(entry["declinedAt"].is_string());
        declined["declines"] = json!([]);
        declined["study"] = finding["study"].clone();
        assert_eq!(declined, finding);
        let said = ["finding.raised 1", "finding.escalated 1", "finding.declined 1"];
        assert_eq!(told(&hospital, &finding).await, said);
        assert_eq!(acts(&hospital, &finding).await[1], "provider-1 finding.decline 1 {MRN-1}");
        // The next who is asked sees it, and may take it or decline it as well.
        declines(&other_radiologist(&hospital), &finding).await.expect(200);
        let read = hospital.radiologist().get(&path_of(&finding)).await.expect(200)["finding"].take();
        let by: Vec<_> =
            read["declines"].as_array().unwrap().iter().map(|entry| &entry["declinedBy"]).collect();
        assert_eq!(by, ["provider-1", "radiologist-9"]);
        assert_eq!(read["declines"][0], entry);
    }
}

#[tokio::test]
async fn a_person_declines_once_and_may_think_better_of_it() {
    let hospital = Hospital::open().await;
    let finding = last_of(&hospital, "OPEN").await;
    declines(&hospital.provider(), &finding).await.expect(200);
    declines(&hospital.provider(), &finding).await.expect_refusal(409, "finding_already_declined");
    assert_eq!(told(&hospital, &finding).await.len(), 3);
    hospital.provider().acknowledges(&finding).await.expect(200);
}

#[tokio::test]
async fn what_somebody_has_acknowledged_is_not_declined() {
    let hospital = Hospital::open().await;
    for (status, allowed) in [("ACKNOWLEDGED", vec!["CLOSED"]), ("CLOSED", vec![])] {
        let finding = finding_in(&hospital, status).await;
        let reply = declines(&other_radiologist(&hospital), &finding).await;
        reply.expect_illegal_step("finding_already_acknowledged", status, &allowed);
    }
    assert_eq!(hospital.sql("select count(*)::text from imaging.declines").await.as_deref(), Some("0"));
}

#[tokio::test]
async fn declining_takes_a_reason_and_the_current_version() {
    let hospital = Hospital::open().await;
    let finding = finding_in(&hospital, "OPEN").await;
    let path = format!("{}/decline", path_of(&finding));
    assert_snapshot!(hospital.provider().post(&path, json!({})).await.expect_invalid(), @"reason is required");
    assert_snapshot!(hospital.provider().post(&path, json!({"reason": "", "to": "provider-2"})).await.expect_invalid(), @r"
    reason must not be empty
    to is not a field that can be set here
    ");
    let request = hospital.provider().request(Method::POST, &path).header("if-match", "\"2\"");
    Reply::of(request.json(&not_mine())).await.expect_refusal(412, "stale_version");
}

#[tokio::test]
async fn it_is_declined_by_whom_it_concerns() {
    let hospital = Hospital::open().await;
    let mut finding = finding_of(&hospital.registered_study().await, "CRITICAL");
    finding["notifiedTo"] = json!(["provider-7"]);
    let finding = hospital.radiologist().raises(finding).await;
    let told = hospital.somebody_with("provider", |claims| claims.id = "provider-7".to_owned());
    for (who, actor, status) in [
        ("who was told", told, 200),
        ("a colleague of the facility", colleague(&hospital), 404),
        ("technologist", hospital.technologist(), 403),
        ("service", hospital.service(), 403),
        ("stranger", hospital.stranger(), 404),
    ] {
        let reply = declines(&actor, &finding).await;
        assert_eq!(reply.status, status, "{who}: {reply}");
    }
    let refused = format!(
        "select count(*)::text from imaging.audit_events
          where organization = 'org-1' and action = 'finding.acknowledge' and outcome = 'REFUSED' and resource_id = '{}'",
        id(&finding)
    );
    assert_eq!(hospital.sql(&refused).await.as_deref(), Some("3"));
}

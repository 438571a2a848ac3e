use insta::assert_snapshot;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Hospital, Reply, hospital::id};

use super::{acts, colleague, hash_of, now, path_of, told};
use crate::machine::{Machine, Step};

/// The report's machine, as the contract writes it. PRELIMINARY is reached by an edit, FINAL by a signature.
const MACHINE: &str = "
    PRELIMINARY: PRELIMINARY, FINAL
    FINAL: AMENDED (r), CORRECTED (r)
    AMENDED: AMENDED (r), CORRECTED (r)
    CORRECTED: AMENDED (r), CORRECTED (r)
";

#[tokio::test]
async fn a_report_takes_the_steps_of_the_contract_and_no_other() {
    let hospital = Hospital::open().await;
    let radiologist = hospital.radiologist();
    let machine = Machine::read(MACHINE);
    for from in machine.statuses() {
        for to in machine.statuses() {
            let study = hospital.completed_study().await;
            let report = hospital.reports(&study, from).await;
            let path = path_of(&report);
            let step = async |reason: Option<&str>| match to {
                "PRELIMINARY" => radiologist.patch(&path, json!({"technique": "Helical"})).await,
                "FINAL" => radiologist.signs(&report).await,
                kind => {
                    let mut body = json!({"kind": kind});
                    if let Some(reason) = reason {
                        body["amendmentReason"] = json!(reason);
                    }
                    radiologist.post(&format!("{path}/amend"), body).await
                }
            };
            let what = format!("{from} to {to}");
            let reason = match machine.step(from, to) {
                Step::WithReason => {
                    let bare = step(None).await;
                    assert_eq!(bare.expect_invalid(), "amendmentReason is required\n", "{what}");
                    Some("The side was wrong")
                }
                _ => Some("x").filter(|_| to != "FINAL"),
            };
            let reply = step(reason).await;
            if machine.step(from, to) == Step::Never {
                let code = match to {
                    "PRELIMINARY" => "report_not_editable",
                    "FINAL" => "report_already_signed",
                    _ => "report_not_amendable",
                };
                reply.expect_illegal_step(code, from, &machine.targets(from));
                let read = radiologist.get(&path).await.expect(200)["report"].take();
                assert_eq!(read["version"], report["version"], "{what}");
                continue;
            }
            let changed = reply.expect(200)["report"].take();
            assert_eq!(changed["status"], to, "{what}");
            for counter in ["version", "contentVersion"] {
                assert_eq!(
                    changed[counter].as_u64(),
                    report[counter].as_u64().map(|count| count + 1),
                    "{what}"
                );
            }
            let of_study = if to == "PRELIMINARY" { "PRELIMINARY" } else { "FINAL" };
            assert_eq!(now(&hospital, &study).await["status"], of_study, "{what}");
        }
    }
}

#[tokio::test]
async fn an_amendment_is_signed_anew_and_leaves_what_was_signed_before_as_a_version() {
    let hospital = Hospital::open().await;
    let radiologist = hospital.radiologist();
    let study = hospital.completed_study().await;
    let signed = hospital.reports(&study, "FINAL").await;
    let (path, reported) = (path_of(&signed), now(&hospital, &study).await);

    let amendment = json!({
        "amendmentReason": "The side was wrong", "kind": "CORRECTED", "findings": "No pleural effusion on either side",
        "comparison": null, "signedBy": "Ray, MD",
    });
    let amended = radiologist.post(&format!("{path}/amend"), amendment).await.expect(200)["report"].take();

    let mut expected = signed.clone();
    for (name, value) in [
        ("status", json!("CORRECTED")),
        ("amendmentReason", json!("The side was wrong")),
        ("findings", json!("No pleural effusion on either side")),
        ("comparison", Value::Null),
        ("signedBy", json!("Ray, MD")),
        ("signedAt", amended["updatedAt"].clone()),
        ("amendedDate", amended["updatedAt"].clone()),
        ("updatedAt", amended["updatedAt"].clone()),
        ("contentHash", json!(hash_of(&hospital, &amended))),
        ("contentVersion", json!(3)),
        ("version", json!(3)),
    ] {
        expected[name] = value;
    }
    assert_eq!(amended, expected);
    assert_ne!(amended["contentHash"], signed["contentHash"]);
    let before = radiologist.get(&format!("{path}/versions/2")).await.expect(200)["report"].take();
    assert_eq!(before, signed);
    // The study stays as it is, to its version.
    assert_eq!(now(&hospital, &study).await["version"], reported["version"]);

    let acts = acts(&hospital, &signed).await;
    assert!(acts[2].starts_with("report.amend 3 ") && acts.len() == 3, "{acts:?}");
    assert_eq!(told(&hospital, &signed).await, ["report.written 1", "report.signed 2", "report.amended 3"]);
    // The reason goes with the event, sealed as the report's own.
    let reasons = format!(
        "select e.sealed #>> '{{reports,amendmentReason}}' = r.sealed->>'amendmentReason'
           from imaging.audit_events e join imaging.reports r on r.id = e.resource_id
          where e.action = 'report.amend' and r.id = '{}'",
        id(&signed)
    );
    assert_eq!(hospital.sql(&format!("select ({reasons})::text")).await.as_deref(), Some("true"));

    // Another amendment gives its own reason, and says whose version it is by default.
    let reason = json!({"amendmentReason": "Follow up in six weeks"});
    let again = radiologist.post(&format!("{path}/amend"), reason).await.expect(200)["report"].take();
    assert_eq!((&again["status"], &again["signedBy"]), (&json!("AMENDED"), &json!("Dr. Ray")));
    assert_eq!(again["amendmentReason"], "Follow up in six weeks");
    assert_eq!(
        (&again["finalizedDate"], &again["contentHash"]),
        (&signed["finalizedDate"], &amended["contentHash"])
    );
}

#[tokio::test]
async fn what_nobody_has_signed_is_edited_not_amended() {
    let hospital = Hospital::open().await;
    let report = hospital.reports(&hospital.completed_study().await, "PRELIMINARY").await;
    let reply = hospital.radiologist().amends(&report, "AMENDED").await;
    reply.expect_illegal_step("report_not_amendable", "PRELIMINARY", &["PRELIMINARY", "FINAL"]);
}

#[tokio::test]
async fn only_the_radiologist_whom_it_names_amends_it() {
    let hospital = Hospital::open().await;
    let report = hospital.reports(&hospital.completed_study().await, "FINAL").await;
    colleague(&hospital).amends(&report, "CORRECTED").await.expect_refusal(403, "forbidden");
    hospital.stranger().amends(&report, "CORRECTED").await.expect_refusal(404, "not_found");
    hospital.provider().amends(&report, "CORRECTED").await.expect_refusal(403, "forbidden");
    assert_eq!(acts(&hospital, &report).await.len(), 2);
}

#[tokio::test]
async fn only_the_version_that_was_read_is_amended_and_the_same_request_again_is_answered_the_same() {
    let hospital = Hospital::open().await;
    let report = hospital.reports(&hospital.completed_study().await, "FINAL").await;
    let amend = async |etag: &str, key: &str| {
        let request = hospital.radiologist().request(Method::POST, &format!("{}/amend", path_of(&report)));
        let request = request.header("if-match", etag).header("idempotency-key", key);
        Reply::of(request.json(&json!({"amendmentReason": "The side was wrong"}))).await
    };
    let stale = amend("\"1\"", "k-1").await;
    stale.expect_refusal(412, "stale_version");
    assert_eq!(stale.header("etag"), "\"2\"");
    amend("\"9\"", "k-1").await.expect_refusal(412, "stale_version");

    let first = amend("\"2\"", "k-1").await;
    // By now it is another version that it was meant for, and it was done.
    let again = amend("\"2\"", "k-1").await;
    first.expect_status(200);
    assert_eq!((again.status, &again.text), (200, &first.text));
    amend("\"2\"", "k-2").await.expect_refusal(412, "stale_version");
    assert_eq!(acts(&hospital, &report).await.len(), 3);
}

#[tokio::test]
async fn every_fault_is_named_at_once() {
    let hospital = Hospital::open().await;
    let report = hospital.reports(&hospital.completed_study().await, "FINAL").await;
    let unfit = json!({
        "amendmentReason": " ", "kind": "FINAL", "impression": "", "macros": true, "status": "FINAL", "radiologistId": "x",
    });
    let reply = hospital.radiologist().post(&format!("{}/amend", path_of(&report)), unfit).await;
    assert_snapshot!(reply.expect_invalid(), @r"
    amendmentReason must not be empty
    kind must be one of AMENDED CORRECTED
    impression must not be empty
    macros must be an object, an array or a string
    status must be AMENDED, or left out
    radiologistId is not a field that can be set here
    ");
}

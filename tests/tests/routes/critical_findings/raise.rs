use insta::assert_snapshot;
use jiff::Timestamp;
use serde_json::{Value, json};
use tests::{
    Hospital,
    actor::finding_of,
    hospital::{ct_chest, id},
};

use super::{PATH, acts, path_of, told};

/// Minutes after a finding was reported.
fn minutes_after(finding: &Value, moment: &Value) -> i64 {
    let at = |moment: &Value| moment.as_str().unwrap().parse::<Timestamp>().unwrap();
    at(moment).duration_since(at(&finding["reportedAt"])).as_mins()
}

/// Who is told when: the deadline, and then each step that comes if nobody acknowledges.
fn deadlines(finding: &Value) -> String {
    let mut shown = format!("{}: due at {}", finding["severity"], minutes_after(finding, &finding["dueAt"]));
    for step in finding["escalations"].as_array().unwrap() {
        assert_eq!((&step["firedAt"], &step["stoppedAt"]), (&Value::Null, &Value::Null));
        let after = minutes_after(finding, &step["dueAt"]);
        shown.push_str(&format!(", {} {} {} at {after}", step["level"], step["kind"], step["group"]));
    }
    shown.replace('"', "")
}

#[tokio::test]
async fn a_finding_is_open_and_is_due_as_its_severity_says() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let mut shown = String::new();
    for severity in ["CRITICAL", "HIGH", "MODERATE", "LOW"] {
        let finding = hospital.finds(&study, severity).await;
        assert_eq!(finding["status"], "OPEN");
        shown.push_str(&deadlines(&finding));
        shown.push('\n');
    }
    assert_snapshot!(shown, @r"
    CRITICAL: due at 60, 0 TOLD_AGAIN null at 10, 1 LEVEL COVERING_GROUP at 20, 2 LEVEL DEPARTMENT at 40, 3 LEVEL ON_CALL_OPERATOR at 60
    HIGH: due at 180, 0 TOLD_AGAIN null at 60, 1 LEVEL COVERING_GROUP at 120, 2 LEVEL DEPARTMENT at 180
    MODERATE: due at 4320, 0 TOLD_AGAIN null at 1440, 1 LEVEL DEPARTMENT at 4320
    LOW: due at 21600, 0 TOLD_AGAIN null at 10080, 1 LEVEL DEPARTMENT at 21600
    ");
}

#[tokio::test]
async fn a_finding_is_what_was_sent_and_others_are_told_of_it_with_it() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let reply = hospital.radiologist().post(PATH, finding_of(&study, "CRITICAL")).await;

    assert_eq!(reply.header("etag"), "\"1\"");
    let location = reply.header("location").to_owned();
    let finding = reply.expect(201)["finding"].take();
    assert_eq!(location, path_of(&finding));
    for (field, value) in [
        ("studyId", study["id"].clone()),
        ("reportId", Value::Null),
        ("finding", json!("Large pneumothorax on the left")),
        ("severity", json!("CRITICAL")),
        ("category", json!("PNEUMOTHORAX")),
        ("bodyPart", json!("CHEST")),
        ("reportedBy", json!("radiologist-1")),
        ("reportedById", json!("radiologist-1")),
        ("notifiedTo", json!([])),
        ("notificationSent", json!(false)),
        ("acknowledgedBy", Value::Null),
        ("acknowledgedAt", Value::Null),
        ("readBack", Value::Null),
        ("followUpRequired", json!(true)),
        ("followUpAction", Value::Null),
        ("followUpStatus", Value::Null),
        ("notes", Value::Null),
        ("status", json!("OPEN")),
        ("source", json!("RADIOLOGIST")),
        ("version", json!(1)),
        ("notifications", json!([])),
        ("declines", json!([])),
    ] {
        assert_eq!(finding[field], value, "{field}");
    }
    assert_eq!(told(&hospital, &finding).await, ["finding.raised 1"]);
    assert_eq!(acts(&hospital, &finding).await, ["radiologist-1 finding.raise 1 {MRN-1}"]);
}

#[tokio::test]
async fn everything_that_may_be_sent_is_kept_and_who_reports_is_the_tokens_holder() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let mut sent = finding_of(&study, "HIGH");
    for (field, value) in [
        ("notifiedTo", json!(["provider-9", "provider-7"])),
        ("followUpRequired", json!(false)),
        ("followUpAction", json!("Chest tube")),
        ("followUpStatus", json!("ORDERED")),
        ("notes", json!("Call the ward")),
        ("reportedBy", json!("Dr. Ray")),
        ("status", json!("OPEN")),
        ("source", json!("RADIOLOGIST")),
    ] {
        sent[field] = value;
    }

    let raised = hospital.technologist().raises(sent.clone()).await;

    for (field, value) in sent.as_object().unwrap() {
        assert_eq!(raised[field], *value, "{field}");
    }
    assert_eq!(raised["reportedById"], "technologist-1");
    let read = hospital.radiologist().get(&path_of(&raised)).await.expect(200)["finding"].take();
    assert_eq!(read["notes"], "Call the ward");
}

#[tokio::test]
async fn every_fault_is_named_at_once() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let wrong = json!({
        "studyId": "7", "reportId": 5, "finding": "", "severity": "URGENT", "bodyPart": [],
        "notifiedTo": ["provider-9", "provider-9"], "followUpRequired": "yes", "status": "CLOSED", "source": "DICOM",
        "dueAt": "2026-01-02", "acknowledgedBy": "provider-1",
    });
    assert_snapshot!(hospital.radiologist().post(PATH, wrong).await.expect_invalid(), @r"
    studyId must be a UUID
    reportId must be a string
    finding must not be empty
    severity must be one of CRITICAL HIGH MODERATE LOW
    category is required
    bodyPart must be a string
    notifiedTo must name each person once
    followUpRequired must be true or false
    status must be OPEN, or left out
    source must be RADIOLOGIST, or left out
    acknowledgedBy is not a field that can be set here
    dueAt is not a field that can be set here
    ");
    let mut to_a_crowd = finding_of(&study, "LOW");
    to_a_crowd["notifiedTo"] = (0..51).map(|number| format!("provider-{number}")).collect();
    let refused = hospital.radiologist().post(PATH, to_a_crowd).await;
    assert_snapshot!(refused.expect_invalid(), @"notifiedTo must name at most 50 people");
}

#[tokio::test]
async fn a_finding_is_of_a_study_of_this_organization_whatever_has_become_of_it_but_for_a_cancelled_one() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let nobodys = json!({"id": "019a3b1c-7e00-7abc-8def-0123456789ab"});
    let refused = hospital.radiologist().post(PATH, finding_of(&nobodys, "LOW")).await;
    assert_snapshot!(refused.expect_invalid(), @"studyId is not a study of this organization");
    let refused = hospital.stranger().post(PATH, finding_of(&study, "LOW")).await;
    assert_snapshot!(refused.expect_invalid(), @"studyId is not a study of this organization");

    for status in ["SCHEDULED", "ARRIVED", "IN_PROGRESS", "COMPLETED", "PRELIMINARY", "FINAL", "CANCELLED"] {
        hospital
            .execute(&format!("update imaging.studies set status = '{status}' where id = '{}'", id(&study)))
            .await;
        let reply = hospital.radiologist().post(PATH, finding_of(&study, "LOW")).await;
        if status == "CANCELLED" {
            reply.expect_illegal_step("study_cancelled", "CANCELLED", &[]);
        } else {
            reply.expect(201);
        }
    }
    let rows = hospital.sql("select count(*)::text from imaging.findings").await;
    assert_eq!(rows.as_deref(), Some("6"));
}

#[tokio::test]
async fn a_finding_is_tied_to_a_report_of_its_study_as_that_stands() {
    let hospital = Hospital::open().await;
    let study = hospital.completed_study().await;
    let report = hospital.reports(&study, "CORRECTED").await;
    let mut finding = finding_of(&study, "CRITICAL");
    finding["reportId"] = report["id"].clone();
    let raised = hospital.radiologist().raises(finding).await;
    assert_eq!(raised["reportId"], report["id"]);
    assert_eq!(raised["reportContentVersion"], report["contentVersion"]);

    let mut of_another_study = finding_of(&hospital.registered_study().await, "CRITICAL");
    of_another_study["reportId"] = report["id"].clone();
    let refused = hospital.radiologist().post(PATH, of_another_study).await;
    assert_snapshot!(refused.expect_invalid(), @"reportId is not a report of this study");
}

#[tokio::test]
async fn a_finding_outlives_the_report_that_it_was_tied_to() {
    let hospital = Hospital::open().await;
    let study = hospital.completed_study().await;
    let report = hospital.reports(&study, "PRELIMINARY").await;
    let mut finding = finding_of(&study, "CRITICAL");
    finding["reportId"] = report["id"].clone();
    let raised = hospital.radiologist().raises(finding).await;

    hospital.radiologist().delete(&format!("/api/reports/{}", id(&report))).await.expect_status(204);

    let read = hospital.radiologist().get(&path_of(&raised)).await.expect(200)["finding"].take();
    assert_eq!((&read["reportId"], &read["reportContentVersion"]), (&Value::Null, &Value::Null));
    assert_eq!((&read["version"], &read["status"]), (&json!(2), &json!("OPEN")));
    assert_eq!(told(&hospital, &raised).await, ["finding.raised 1", "finding.changed 2"]);
}

#[tokio::test]
async fn a_finding_keeps_the_deadlines_of_the_settings_under_which_it_was_raised() {
    let hospital = Hospital::open().await;
    let admin = hospital.somebody("admin");
    let study = hospital.registered_study().await;
    let before = hospital.finds(&study, "HIGH").await;
    let path = "/api/settings/critical-results";
    let mut settings = admin.get(path).await.expect(200)["settings"].take();
    for name in ["version", "changedBy", "changedAt"] {
        settings.as_object_mut().unwrap().remove(name);
    }
    settings["severities"]["HIGH"] = json!({
        "acknowledgeWithinMinutes": 30, "toldAgainAfterMinutes": 29,
        "levels": [{"afterMinutes": 5, "group": "ON_CALL_OPERATOR"}],
    });
    admin.put(path, settings).await.expect(200);

    let after = hospital.finds(&study, "HIGH").await;

    assert_snapshot!(deadlines(&after), @"HIGH: due at 30, 1 LEVEL ON_CALL_OPERATOR at 5, 0 TOLD_AGAIN null at 29");
    let read = hospital.radiologist().get(&path_of(&before)).await.expect(200)["finding"].take();
    assert_eq!(deadlines(&read), deadlines(&before));
    // Another organization has its own.
    let service = hospital.somebody_with("service", |claims| claims.organization_id = "org-2".to_owned());
    let elsewhere = service.registers(&service.places(ct_chest()).await).await;
    let elsewhere = service.raises(finding_of(&elsewhere, "HIGH")).await;
    assert_eq!(minutes_after(&elsewhere, &elsewhere["dueAt"]), 180);
}

#[tokio::test]
async fn a_finding_that_is_sent_again_under_its_key_is_raised_once() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let send = || {
        let request = hospital.radiologist().request(reqwest::Method::POST, PATH);
        tests::Reply::of(request.header("idempotency-key", "k-1").json(&finding_of(&study, "CRITICAL")))
    };
    let first = send().await;
    let again = send().await;
    first.expect_status(201);
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(again.header("location"), first.header("location"));
    let steps = hospital.sql("select count(*)::text from imaging.escalations").await;
    assert_eq!(steps.as_deref(), Some("4"));
}

//! Who is told what.

use insta::assert_snapshot;
use serde_json::{Value, json};
use tests::{
    actor::finding_of,
    hospital::id,
    receiver::{Manner, Receiver},
};

use crate::wards::{self, attempts, dispatches, recipients};

/// Texts with what differs from run to run taken out.
fn tidied(text: &Value, finding: &Value, study: &Value) -> String {
    text.as_str()
        .unwrap()
        .replace(id(finding), "<id>")
        .replace(finding["dueAt"].as_str().unwrap(), "<due>")
        .replace(study["accessionNumber"].as_str().unwrap(), "<accession>")
}

/// One who does not read the studies here, so that whoever does is told.
fn other_radiologist(hospital: &tests::Hospital) -> tests::Actor {
    hospital.somebody_with("radiologist", |claims| claims.id = "radiologist-9".to_owned())
}

#[tokio::test]
async fn who_reports_a_finding_is_not_told_of_it() {
    let receiver = Receiver::open().await;
    let hospital = wards::open(&receiver).await;
    let study = hospital.completed_study().await;
    hospital.reports(&study, "FINAL").await;
    wards::finds(&hospital, &study, "CRITICAL", &[]).await;
    wards::received(&hospital, &receiver, 1).await;
    wards::settled(&hospital).await;
    assert_eq!(recipients(&receiver.received()), ["provider-1"]);
    assert_eq!(receiver.received()[0].header("x-organization-id"), "org-1");
}

#[tokio::test]
async fn who_is_named_who_ordered_and_who_read_are_told_of_a_finding_each_once() {
    let receiver = Receiver::open().await;
    let hospital = wards::open(&receiver).await;
    let study = hospital.completed_study().await;
    hospital.reports(&study, "FINAL").await;
    let mut finding = finding_of(&study, "CRITICAL");
    finding["notifiedTo"] = json!(["dr-1", "provider-1"]);
    let finding = other_radiologist(&hospital).raises(finding).await;
    // Nobody called for it: the finding itself did.
    let received = wards::received(&hospital, &receiver, 3).await;
    wards::settled(&hospital).await;

    assert_eq!(recipients(&received), ["dr-1", "provider-1", "radiologist-1"]);
    for request in &received {
        assert_eq!((&*request.method, &*request.path), ("POST", "/notifications/batch"));
        assert_eq!(request.header("content-type"), "application/json");
        assert_eq!(request.header("authorization"), "bearer a-key-of-the-tests");
        assert_eq!(request.body["notifications"].as_array().unwrap().len(), 1);
        assert!(
            !request.text.contains("Doe")
                && !request.text.contains("MRN-1")
                && !request.text.contains("Large")
        );
    }
    let message = received[0].message();
    assert_snapshot!(tidied(&message["subject"], &finding, &study), @"CRITICAL finding: PNEUMOTHORAX, <accession>");
    assert_snapshot!(
        tidied(&message["message"], &finding, &study),
        @"A finding of severity CRITICAL (PNEUMOTHORAX) on the study with accession number <accession> was reported. Acknowledge it by <due>: https://portal.example/critical-findings/<id>"
    );
    assert_eq!((&message["type"], &message["priority"]), (&json!("CRITICAL_FINDING"), &json!("CRITICAL")));

    let told = wards::read(&hospital, &finding).await;
    assert_eq!(told["notifiedTo"], json!(["dr-1", "provider-1", "radiologist-1"]));
    assert_eq!((&told["status"], &told["notificationSent"]), (&json!("NOTIFIED"), &json!(true)));
    let mut attempts = attempts(&told);
    attempts.sort();
    let delivered = |name: &str| (name.to_owned(), "DELIVERED".to_owned());
    assert_eq!(attempts, [delivered("dr-1"), delivered("provider-1"), delivered("radiologist-1")]);
    // Whoever was told may read it.
    let radiologist = hospital.somebody_with("provider", |claims| claims.id = "radiologist-1".to_owned());
    radiologist.get(&format!("/api/critical-findings/{}", id(&finding))).await.expect(200);
}

#[tokio::test]
async fn a_message_names_patient_and_finding_only_where_the_organization_wants_it() {
    let receiver = Receiver::open().await;
    let hospital = wards::open(&receiver).await;
    wards::sets(&hospital, |settings| settings["messagesCarryPatientAndFinding"] = json!(true)).await;
    let study = hospital.completed_study().await;
    let finding = wards::finds(&hospital, &study, "HIGH", &["provider-1"]).await;
    let received = wards::received(&hospital, &receiver, 1).await;

    let message = received[0].message();
    assert_snapshot!(
        tidied(&message["message"], &finding, &study),
        @"A finding of severity HIGH (PNEUMOTHORAX) on the study with accession number <accession> was reported. Patient Doe Jane (MRN-1). Large pneumothorax on the left Acknowledge it by <due>: https://portal.example/critical-findings/<id>"
    );
    assert_eq!(message["priority"], "HIGH");
    // What was sent is nowhere in clear, and once it has arrived nowhere at all.
    wards::settled(&hospital).await;
    let kept = hospital.sql("select string_agg(sealed::text, ',') from imaging.deliveries").await;
    assert_eq!(kept.as_deref(), Some("{}"));
}

#[tokio::test]
async fn what_waits_to_be_sent_lies_sealed() {
    let receiver = Receiver::open().await;
    receiver.is(Manner::Answers(503));
    let hospital = wards::open(&receiver).await;
    wards::sets(&hospital, |settings| settings["messagesCarryPatientAndFinding"] = json!(true)).await;
    let study = hospital.completed_study().await;
    wards::finds(&hospital, &study, "HIGH", &["provider-1"]).await;
    wards::received(&hospital, &receiver, 1).await;

    let rows = "select string_agg(d::text, ' ') from imaging.deliveries d";
    let kept = hospital.sql(rows).await.unwrap();
    assert!(kept.contains("request") && !kept.contains("Doe") && !kept.contains("pneumothorax"), "{kept}");
}

#[tokio::test]
async fn who_has_a_report_is_told_that_it_says_something_else() {
    let receiver = Receiver::open().await;
    let hospital = wards::open(&receiver).await;
    let study = hospital.completed_study().await;
    let report = hospital.reports(&study, "FINAL").await;
    let mut finding = finding_of(&study, "LOW");
    finding["reportId"] = json!(id(&report));
    finding["notifiedTo"] = json!(["dr-7"]);
    other_radiologist(&hospital).raises(finding).await;
    // Tied to no report, as one that was raised before there was any.
    wards::finds(&hospital, &study, "LOW", &["dr-8"]).await;
    let reader = hospital.somebody_with("provider", |claims| {
        claims.id = "provider-7".to_owned();
        claims.facility_ids = vec!["fac-9".to_owned()];
    });
    let path = format!("/api/reports/{}", id(&report));
    let read = reader.request(reqwest::Method::GET, &path).header("x-break-glass", "The ward called");
    tests::Reply::of(read).await.expect_status(200);
    wards::received(&hospital, &receiver, 5).await;

    hospital.radiologist().amends(&report, "CORRECTED").await.expect_status(200);
    let received = wards::received(&hospital, &receiver, 10).await;

    let amended: Vec<_> =
        received.into_iter().filter(|request| request.message()["type"] == "REPORT_AMENDED").collect();
    assert_eq!(recipients(&amended), ["dr-7", "dr-8", "provider-1", "provider-7", "radiologist-1"]);
    let number = report["reportNumber"].as_str().unwrap();
    let subject = amended[0].message()["subject"].as_str().unwrap();
    assert_eq!(subject, format!("Report {number} is CORRECTED"));
    assert!(!amended[0].text.contains("The side was wrong"));
}

#[tokio::test]
async fn who_read_a_study_is_told_of_images_that_come_after_the_report() {
    let receiver = Receiver::open().await;
    let hospital = wards::open(&receiver).await;
    hospital.execute("select 1").await;
    let study = hospital.completed_study().await;
    hospital.reports(&study, "FINAL").await;
    let upload = hospital.uploads(tests::hospital::instance_of(&study).write().unwrap()).await;
    hospital.machine().post("/tasks/sweep", json!({})).await.expect_status(200);
    assert_eq!(hospital.settled(&upload).await["status"], "STORED");
    dispatches(&hospital).await;

    let received = receiver.received();
    assert_eq!(recipients(&received), ["radiologist-1"]);
    assert_eq!(received[0].message()["type"], "STUDY_IMAGES_AFTER_REPORT");
}

#[tokio::test]
async fn the_privacy_officers_are_told_when_somebody_breaks_the_glass() {
    let receiver = Receiver::open().await;
    let hospital = wards::open(&receiver).await;
    wards::sets(&hospital, |settings| settings["privacyOfficers"] = json!(["privacy-1", "privacy-2"])).await;
    let study = hospital.registered_study().await;
    let elsewhere = hospital.somebody_with("provider", |claims| {
        claims.id = "provider-9".to_owned();
        claims.facility_ids = vec!["fac-9".to_owned()];
    });
    let path = format!("/api/studies/{}", id(&study));
    let read = elsewhere.request(reqwest::Method::GET, &path).header("x-break-glass", "The patient left");
    tests::Reply::of(read).await.expect_status(200);
    dispatches(&hospital).await;

    let received = receiver.received();
    assert_eq!(recipients(&received), ["privacy-1", "privacy-2"]);
    let message = received[0].message();
    assert_eq!(message["type"], "EMERGENCY_ACCESS");
    let said = message["message"].as_str().unwrap();
    assert!(said.starts_with("provider-9 (provider) has broken the glass at "), "{said}");
    assert!(!said.contains("The patient left") && !said.contains("MRN-1"), "{said}");
}

#[tokio::test]
async fn without_a_notification_service_a_finding_waits_for_one_and_nothing_else_does() {
    let receiver = Receiver::open().await;
    let mut hospital = tests::Hospital::open_with(|settings| settings.timers.clear()).await;
    let study = hospital.completed_study().await;
    wards::finds(&hospital, &study, "CRITICAL", &["dr-1"]).await;
    let settled = wards::finds(&hospital, &study, "CRITICAL", &["dr-2"]).await;
    other_radiologist(&hospital).acknowledges(&settled).await.expect_status(200);
    dispatches(&hospital).await;

    assert!(wards::deliveries(&hospital, "").await.is_empty());
    let waiting = "select string_agg(topic, ' ') from imaging.outbox where state = 'PENDING'";
    assert_eq!(hospital.sql(waiting).await.as_deref(), Some("finding.raised finding.raised"));

    let variables = &mut hospital.host.settings_mut().variables;
    variables.insert("notification_service_url".to_owned(), receiver.url());
    hospital.host.restart().await.unwrap();
    dispatches(&hospital).await;
    wards::settled(&hospital).await;
    assert_eq!(recipients(&receiver.received()), ["dr-1", "provider-1"]);
}

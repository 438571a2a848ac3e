//! The health record is told of orders and reports, in FHIR.

use serde_json::{Value, json};
use tests::{
    Hospital,
    fhir::must_be_as_defined,
    hospital::id,
    receiver::{Manner, Received, Receiver},
};

use crate::wards::{self, deliveries, dispatches, passes};

async fn open(record: &Receiver) -> Hospital {
    let url = record.url();
    Hospital::open_with(|settings| {
        settings.timers.clear();
        settings.variables.insert("ehr_service_url".to_owned(), format!("{url}/fhir/"));
    })
    .await
}

/// The kind of each resource that came, with its status; each is as R4 defines it.
fn kinds(received: &[Received]) -> Vec<String> {
    received.iter().for_each(|request| must_be_as_defined(&request.body));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    received
        .iter()
        .map(|request| format!("{} {}", text(&request.body["resourceType"]), text(&request.body["status"])))
        .collect()
}

#[tokio::test]
async fn a_report_goes_in_each_of_its_versions_with_the_order_and_the_study_that_it_is_about() {
    let record = Receiver::open().await;
    let hospital = open(&record).await;
    let study = hospital.completed_study().await;
    dispatches(&hospital).await;
    let before = record.received().len();
    assert_eq!(kinds(&record.received())[0], "ServiceRequest active");

    let report = hospital.reports(&study, "FINAL").await;
    hospital.radiologist().amends(&report, "CORRECTED").await.expect_status(200);
    dispatches(&hospital).await;
    wards::settled(&hospital).await;

    let received = record.received().split_off(before);
    for request in &received {
        assert_eq!((&*request.method, request.header("content-type")), ("PUT", "application/fhir+json"));
        let kind = request.body["resourceType"].as_str().unwrap();
        assert!(request.path.starts_with(&format!("/fhir/{kind}?identifier=")), "{}", request.path);
    }
    let of = |wanted: &str| -> Vec<String> {
        kinds(&received).into_iter().filter(|kind| kind.starts_with(wanted)).collect()
    };
    // Each says what the report said when it was made, be that newer than what it was made for.
    let versions = of("DiagnosticReport ");
    assert_eq!((versions.len(), &*versions[2]), (3, "DiagnosticReport corrected"), "{versions:?}");
    assert_eq!(of("ImagingStudy ").len(), 3);
    assert_eq!(of("ServiceRequest ").len(), 3);
    let last = received.iter().rfind(|request| request.body["resourceType"] == "DiagnosticReport").unwrap();
    assert!(last.text.contains("Community acquired pneumonia"));
    // It lies in the database sealed, and not at all once it has arrived.
    let kept = hospital.sql("select string_agg(distinct sealed::text, ',') from imaging.deliveries").await;
    assert_eq!(kept.as_deref(), Some("{}"));
}

#[tokio::test]
async fn a_record_that_is_away_keeps_no_message_back_and_gets_everything_in_order() {
    let (record, people) = (Receiver::open().await, Receiver::open().await);
    let (ehr, notifications) = (record.url(), people.url());
    let hospital = Hospital::open_with(|settings| {
        settings.timers.clear();
        settings.variables.insert("ehr_service_url".to_owned(), ehr);
        settings.variables.insert("notification_service_url".to_owned(), notifications);
    })
    .await;
    record.is(Manner::IsAway);
    let study = hospital.completed_study().await;
    let report = hospital.reports(&study, "FINAL").await;
    hospital.finds(&study, "CRITICAL").await;
    wards::received(&hospital, &people, 1).await;
    dispatches(&hospital).await;
    assert!(record.received().is_empty());

    record.is(Manner::Answers(201));
    for _ in 0..3 {
        passes(&hospital, "16 minutes").await;
        dispatches(&hospital).await;
    }
    let of_report = deliveries(&hospital, &format!("resourceId={}", id(&report))).await;
    assert!(of_report.iter().all(|delivery| delivery["state"] == "DELIVERED"), "{of_report:?}");
    let told = record.received();
    let last = told.iter().rfind(|request| request.body["resourceType"] == "DiagnosticReport").unwrap();
    assert_eq!(last.body["status"], "final");
}

#[tokio::test]
async fn a_report_that_nobody_signed_is_withdrawn_when_it_is_deleted() {
    let record = Receiver::open().await;
    let hospital = open(&record).await;
    let study = hospital.completed_study().await;
    let report = hospital.reports(&study, "PRELIMINARY").await;
    dispatches(&hospital).await;
    wards::settled(&hospital).await;
    hospital.radiologist().delete(&format!("/api/reports/{}", id(&report))).await.expect_status(204);
    dispatches(&hospital).await;
    wards::settled(&hospital).await;

    let received = record.received();
    assert!(kinds(&received).contains(&"DiagnosticReport preliminary".to_owned()));
    let last = received.iter().rfind(|request| request.body["resourceType"] == "DiagnosticReport").unwrap();
    assert_eq!(kinds(std::slice::from_ref(last)), ["DiagnosticReport entered-in-error"]);
    let written = received.iter().find(|request| request.body["resourceType"] == "DiagnosticReport").unwrap();
    assert_eq!((&last.path, &last.body["identifier"]), (&written.path, &written.body["identifier"]));
    assert_eq!(last.body["imagingStudy"], written.body["imagingStudy"]);
    assert_eq!((&last.body["conclusion"], &last.body["presentedForm"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn a_report_that_was_altered_in_the_database_is_not_sent() {
    let record = Receiver::open().await;
    let hospital = open(&record).await;
    let study = hospital.completed_study().await;
    dispatches(&hospital).await;
    wards::settled(&hospital).await;
    // Between what is written and what is sent nothing waits for a test: so it is altered as it is written.
    hospital
        .execute(
            "create function imaging.alter_report() returns trigger language plpgsql as
             $$ begin new.content_hash := 'of something else'; return new; end $$;
             create trigger altered before insert on imaging.reports
                for each row execute function imaging.alter_report()",
        )
        .await;
    let before = record.received().len();
    hospital.reports(&study, "PRELIMINARY").await;
    dispatches(&hospital).await;
    wards::settled(&hospital).await;

    assert!(
        record
            .received()
            .split_off(before)
            .iter()
            .all(|request| request.body["resourceType"] == "ServiceRequest")
    );
    assert!(hospital.log().contains("a report does not say what its hash was taken of, and is not sent"));
}

#[tokio::test]
async fn what_cannot_be_told_is_listed_when_it_is_given_up_and_told_when_a_person_has_mended_it() {
    let record = Receiver::open().await;
    let hospital = open(&record).await;
    let order = hospital.provider().places(tests::hospital::ct_chest()).await;
    dispatches(&hospital).await;
    wards::settled(&hospital).await;
    let before = record.received().len();
    // What it says is sealed with a key that is not there.
    let sealed = hospital.sql("select sealed::text from imaging.orders").await.unwrap();
    let broken = "update imaging.orders set sealed = jsonb_set(sealed, '{clinicalIndication}', '\"gone\"')";
    hospital.execute(broken).await;
    let path = format!("/api/imaging-orders/{}", id(&order));
    hospital.scheduler().patch(&path, json!({"status": "ON_HOLD"})).await;
    let machine = hospital.machine();
    machine.post("/tasks/dispatch", json!({})).await.expect_status(500);
    let late = "update imaging.outbox set attempts = 10000, due_at = imaging.clock() where state = 'PENDING'";
    hospital.execute(late).await;
    machine.post("/tasks/dispatch", json!({})).await.expect_status(200);

    let dead = deliveries(&hospital, "state=dead").await;
    assert_eq!(dead.len(), 1, "{dead:?}");
    assert_eq!(
        (&dead[0]["topic"], &dead[0]["channel"], &dead[0]["lastCode"], &dead[0]["resourceId"]),
        (&json!("order.changed"), &json!("EHR"), &json!("not_made"), &order["id"]),
    );
    assert!(hospital.log().contains("an event is given up"));

    hospital.execute(&format!("update imaging.orders set sealed = '{sealed}'")).await;
    let retry = format!("/api/deliveries/{}/retry", id(&dead[0]));
    let retried = hospital.somebody("admin").post(&retry, json!({})).await.expect(200)["delivery"].take();
    assert_eq!(retried["state"], "PENDING");
    dispatches(&hospital).await;
    wards::settled(&hospital).await;
    assert_eq!(kinds(&record.received().split_off(before)), ["ServiceRequest on-hold"]);
    let listed = deliveries(&hospital, &format!("resourceId={}", id(&order))).await;
    let states: Vec<&str> = listed.iter().map(|delivery| delivery["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["DELIVERED", "NOT_NEEDED", "DELIVERED"]);
}

#[tokio::test]
async fn what_was_given_up_is_not_put_over_something_newer_when_it_is_tried_again() {
    let record = Receiver::open().await;
    record.behaves(|_, request| match request.body["status"].as_str() {
        Some("preliminary") => Manner::Answers(422),
        _ => Manner::Answers(200),
    });
    let hospital = open(&record).await;
    let study = hospital.completed_study().await;
    let report = hospital.reports(&study, "PRELIMINARY").await;
    dispatches(&hospital).await;
    wards::settled(&hospital).await;
    hospital.radiologist().signs(&report).await.expect_status(200);
    dispatches(&hospital).await;
    wards::settled(&hospital).await;
    let before = record.received().len();

    record.is(Manner::Answers(200));
    let dead = deliveries(&hospital, "state=dead").await;
    assert_eq!(dead.len(), 1, "{dead:?}");
    let retry = format!("/api/deliveries/{}/retry", id(&dead[0]));
    let retried = hospital.somebody("admin").post(&retry, json!({})).await.expect(200)["delivery"].take();
    assert_eq!(retried["state"], "NOT_NEEDED");
    dispatches(&hospital).await;
    assert_eq!(record.received().len(), before);
}

//! The health record is told of orders and reports, in FHIR.

use serde_json::Value;
use tests::{
    Hospital,
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

/// The kind of each resource that came, with its status.
fn kinds(received: &[Received]) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    received
        .iter()
        .map(|request| format!("{} {}", text(&request.body["resourceType"]), text(&request.body["status"])))
        .collect()
}

#[tokio::test]
async fn a_report_goes_after_the_order_and_the_study_that_it_is_about() {
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
    let kinds = kinds(&received);
    for three in kinds.chunks(3) {
        assert!(
            three[0].starts_with("ServiceRequest ") && three[1].starts_with("ImagingStudy "),
            "{kinds:?}"
        );
        assert!(three[2].starts_with("DiagnosticReport "), "{kinds:?}");
    }
    assert_eq!(kinds.last().unwrap(), "DiagnosticReport corrected");
    assert!(received.last().unwrap().text.contains("Community acquired pneumonia"));
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
    wards::received(&hospital, &people, 2).await;
    dispatches(&hospital).await;
    assert!(record.received().is_empty());

    record.is(Manner::Answers(201));
    for _ in 0..3 {
        passes(&hospital, "16 minutes").await;
        dispatches(&hospital).await;
    }
    let of_report = deliveries(&hospital, &format!("resourceId={}", id(&report))).await;
    assert!(of_report.iter().all(|delivery| delivery["state"] == "DELIVERED"), "{of_report:?}");
    let last = record.received().pop().unwrap();
    assert_eq!(
        (&last.body["resourceType"], &last.body["status"]),
        (&"DiagnosticReport".into(), &"final".into())
    );
}

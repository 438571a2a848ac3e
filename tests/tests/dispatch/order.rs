//! What is about one thing comes in its order, and however many work at once, it is sent once.

use futures::future::join_all;
use serde_json::json;
use tests::receiver::{Manner, Receiver};

use crate::wards::{self, deliveries, dispatches, passes};

#[tokio::test]
async fn what_is_about_one_report_comes_in_the_order_of_what_happened() {
    let receiver = Receiver::open().await;
    receiver.is(Manner::Answers(500));
    let hospital = wards::open(&receiver).await;
    let study = hospital.completed_study().await;
    let mut report = hospital.reports(&study, "FINAL").await;
    for kind in ["AMENDED", "CORRECTED", "AMENDED"] {
        report = hospital.radiologist().amends(&report, kind).await.expect(200)["report"].take();
    }
    dispatches(&hospital).await;
    // Three wait, and only the first is tried. Whoever was woken by an amendment may yet be at it.
    let waiting = hospital
        .wait_for("three to wait", async || {
            Some(deliveries(&hospital, "state=PENDING").await).filter(|waiting| waiting.len() == 3)
        })
        .await;
    let attempted: Vec<bool> = waiting.iter().map(|delivery| delivery["attempts"] != 0).collect();
    assert_eq!(attempted, [true, false, false]);

    receiver.is(Manner::Answers(200));
    passes(&hospital, "1 minute").await;
    dispatches(&hospital).await;
    let subjects: Vec<String> = receiver
        .taken()
        .iter()
        .map(|request| request.message()["subject"].as_str().unwrap().rsplit(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(subjects.len(), 3);
    let order: Vec<&str> = receiver
        .taken()
        .iter()
        .map(|request| request.key().to_owned())
        .map(|key| {
            if waiting[0]["id"] == json!(key) {
                "first"
            } else if waiting[1]["id"] == json!(key) {
                "second"
            } else {
                "third"
            }
        })
        .collect();
    assert_eq!(order, ["first", "second", "third"]);
}

#[tokio::test]
async fn twenty_that_work_at_once_send_everything_once() {
    let receiver = Receiver::open().await;
    let hospital = wards::open(&receiver).await;
    let study = hospital.completed_study().await;
    let findings = (0..30).map(|number| {
        let told = [format!("dr-{number}")];
        let (hospital, study) = (&hospital, &study);
        async move { wards::finds(hospital, study, "HIGH", &[&*told[0]]).await }
    });
    join_all(findings).await;
    join_all((0..20).map(|_| dispatches(&hospital))).await;
    wards::settled(&hospital).await;

    let received = receiver.received();
    let keys: std::collections::BTreeSet<&str> = received.iter().map(|request| request.key()).collect();
    assert_eq!((received.len(), keys.len()), (60, 60), "each is for whom it names and for the provider");
}

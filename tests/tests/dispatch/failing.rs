//! The receiver fails, in every way there is.

use std::time::Duration;

use insta::assert_snapshot;
use serde_json::json;
use tests::{
    hospital::id,
    receiver::{Manner, Receiver},
};

use crate::wards::{self, attempts, deliveries, dispatches, passes};

#[tokio::test]
async fn what_fails_in_passing_is_tried_again_later_each_time_under_its_key_and_in_its_words() {
    for manner in [Manner::Answers(500), Manner::Answers(401), Manner::CutsOff] {
        let receiver = Receiver::open().await;
        receiver.is(manner);
        let hospital = wards::open(&receiver).await;
        let study = hospital.completed_study().await;
        let finding = wards::finds(&hospital, &study, "HIGH", &["provider-1"]).await;
        wards::concluded(&hospital, 1).await;
        let mut tried = 1;
        for pause in ["3 seconds", "6 seconds", "11 seconds"] {
            passes(&hospital, pause).await;
            dispatches(&hospital).await;
            tried += 1;
            assert_eq!(receiver.received().len(), tried, "after {pause}");
        }
        receiver.is(Manner::Answers(200));
        passes(&hospital, "21 seconds").await;
        dispatches(&hospital).await;

        let received = receiver.received();
        assert_eq!(received.len(), 5);
        for request in &received {
            assert_eq!((request.key(), &request.text), (received[0].key(), &received[0].text));
        }
        let delivery = &deliveries(&hospital, "").await[0];
        assert_eq!(delivery["id"], json!(received[0].key()));
        assert_eq!((&delivery["state"], &delivery["attempts"]), (&json!("DELIVERED"), &json!(5)));
        let outcomes: Vec<String> = attempts(&wards::read(&hospital, &finding).await)
            .into_iter()
            .map(|(_, outcome)| outcome)
            .collect();
        assert_eq!(outcomes, ["FAILED", "FAILED", "FAILED", "FAILED", "DELIVERED"]);
    }
}

#[tokio::test]
async fn a_receiver_that_asks_to_be_left_alone_is() {
    let receiver = Receiver::open().await;
    receiver.is(Manner::IsBusy(120));
    let hospital = wards::open(&receiver).await;
    let study = hospital.completed_study().await;
    wards::finds(&hospital, &study, "HIGH", &["provider-1"]).await;
    wards::concluded(&hospital, 1).await;
    receiver.is(Manner::Answers(200));
    passes(&hospital, "110 seconds").await;
    dispatches(&hospital).await;
    assert_eq!(receiver.received().len(), 1);
    passes(&hospital, "11 seconds").await;
    dispatches(&hospital).await;
    assert_eq!(receiver.received().len(), 2);
    assert_eq!(deliveries(&hospital, "").await[0]["state"], "DELIVERED");
}

#[tokio::test]
async fn a_receiver_that_is_away_for_an_hour_is_told_when_it_is_back() {
    let receiver = Receiver::open().await;
    receiver.is(Manner::IsAway);
    let hospital = wards::open(&receiver).await;
    let study = hospital.completed_study().await;
    for _ in 0..3 {
        wards::finds(&hospital, &study, "MODERATE", &["provider-1"]).await;
    }
    dispatches(&hospital).await;
    for _ in 0..6 {
        passes(&hospital, "10 minutes").await;
        dispatches(&hospital).await;
    }
    assert!(receiver.received().is_empty());
    let waiting = deliveries(&hospital, "state=PENDING").await;
    assert_eq!(waiting.len(), 3);

    receiver.is(Manner::Answers(200));
    passes(&hospital, "16 minutes").await;
    dispatches(&hospital).await;

    assert_eq!(receiver.received().len(), 3);
    assert_eq!(deliveries(&hospital, "state=DELIVERED").await.len(), 3);
}

#[tokio::test]
async fn one_that_is_not_answered_holds_up_no_other() {
    let receiver = Receiver::open().await;
    receiver.behaves(|_, request| match request.recipient() {
        "dr-slow" => Manner::Holds,
        _ => Manner::Answers(200),
    });
    let hospital = wards::open(&receiver).await;
    let study = hospital.completed_study().await;
    wards::finds(&hospital, &study, "HIGH", &["dr-slow", "provider-1"]).await;
    for _ in 0..20 {
        wards::finds(&hospital, &study, "HIGH", &["provider-1"]).await;
    }
    let others = "select count(*)::text from imaging.deliveries where recipient = 'provider-1' and state = 'DELIVERED'";
    hospital
        .wait_for("all the others", async || hospital.sql(others).await.filter(|others| others == "21"))
        .await;
    let slow = "select state from imaging.deliveries where recipient = 'dr-slow'";
    assert_eq!(hospital.sql(slow).await.as_deref(), Some("PENDING"));
    receiver.is(Manner::Answers(200));
    wards::settled(&hospital).await;
}

#[tokio::test]
async fn a_receiver_that_is_slow_is_waited_for() {
    let receiver = Receiver::open().await;
    receiver.is(Manner::IsSlow(Duration::from_secs(3)));
    let hospital = wards::open(&receiver).await;
    let study = hospital.completed_study().await;
    wards::finds(&hospital, &study, "HIGH", &["provider-1"]).await;
    wards::settled(&hospital).await;
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn what_no_retry_helps_is_dead_at_once_visible_and_in_nobodys_way() {
    let receiver = Receiver::open().await;
    receiver.is(Manner::Answers(422));
    let hospital = wards::open(&receiver).await;
    let admin = hospital.somebody("admin");
    let study = hospital.completed_study().await;
    let report = hospital.reports(&study, "FINAL").await;
    hospital.radiologist().amends(&report, "AMENDED").await.expect_status(200);
    wards::received(&hospital, &receiver, 1).await;
    let dead = hospital
        .wait_for("it to be given up", async || deliveries(&hospital, "state=dead").await.pop())
        .await;

    assert_snapshot!(
        json!([dead["topic"], dead["channel"], dead["resource"], dead["recipient"], dead["attempts"], dead["lastCode"]]),
        @r#"["report.amended","NOTIFICATION","report","provider-1",1,"422"]"#
    );
    assert_eq!(dead["resourceId"], report["id"]);
    // The line in the log is the alarm.
    let log = hospital.log();
    let alarm = log.lines().find(|line| line.contains("a delivery is given up")).expect("an alarm");
    assert!(alarm.contains("ERROR") && alarm.contains("report.amended") && alarm.contains("422"), "{alarm}");

    // The next about the same report, to the same person, goes out.
    receiver.is(Manner::Answers(200));
    hospital.radiologist().amends(&report, "CORRECTED").await.expect_status(200);
    wards::received(&hospital, &receiver, 2).await;
    wards::settled(&hospital).await;
    dispatches(&hospital).await;
    assert_eq!(receiver.received().len(), 2);

    // And what is dead goes out when somebody says so.
    let retry = format!("/api/deliveries/{}/retry", id(&dead));
    let retried = admin.post(&retry, json!({})).await.expect(200)["delivery"].take();
    assert_eq!((&retried["state"], &retried["attempts"]), (&json!("PENDING"), &json!(0)));
    dispatches(&hospital).await;
    let received = receiver.received();
    assert_eq!(received.len(), 3);
    assert_eq!((received[2].key(), &received[2].text), (received[0].key(), &received[0].text));
    admin.post(&retry, json!({})).await.expect_refusal(409, "delivery_not_dead");
}

#[tokio::test]
async fn what_never_arrives_is_tried_for_a_day_and_then_dead() {
    let receiver = Receiver::open().await;
    receiver.is(Manner::Answers(500));
    let hospital = wards::open(&receiver).await;
    let study = hospital.completed_study().await;
    wards::finds(&hospital, &study, "LOW", &["provider-1"]).await;
    wards::concluded(&hospital, 1).await;
    // As if it had been tried nearly as often as it is.
    hospital.execute("update imaging.deliveries set attempts = 128").await;
    for expected in ["PENDING", "DEAD"] {
        passes(&hospital, "16 minutes").await;
        dispatches(&hospital).await;
        assert_eq!(deliveries(&hospital, "topic=finding.raised").await[0]["state"], expected);
    }
    passes(&hospital, "2 hours").await;
    dispatches(&hospital).await;
    assert_eq!(
        receiver.received().iter().filter(|request| request.message()["priority"] == "LOW").count(),
        3
    );
}

//! The host ends without a warning, at every step of a delivery.

use serde_json::json;
use sqlx::{Connection, PgConnection};
use tests::{
    Hospital,
    receiver::{Manner, Receiver},
};

use crate::wards::{self, deliveries, dispatches, passes};

/// Waits until so many statements of hosts wait for a lock.
async fn waits_in_the_database(hospital: &Hospital) {
    let waiting = "select count(*)::text from pg_stat_activity
                    where datname = current_database() and usename = 'imaging_service' and wait_event_type = 'Lock'";
    hospital
        .wait_for("a statement to wait", async || {
            hospital.sql(waiting).await.filter(|waiting| waiting != "0")
        })
        .await;
}

/// It has arrived once, by its key; and the finding says so.
async fn arrived_once(hospital: &Hospital, receiver: &Receiver) {
    passes(hospital, "1 minute").await;
    dispatches(hospital).await;
    wards::settled(hospital).await;
    let taken = receiver.taken();
    assert!(!taken.is_empty());
    for request in &taken {
        assert_eq!((request.key(), &request.text), (taken[0].key(), &taken[0].text));
    }
    let listed = deliveries(hospital, "").await;
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!((&listed[0]["state"], &listed[0]["id"]), (&json!("DELIVERED"), &json!(taken[0].key())));
    let found = hospital.radiologist().get("/api/critical-findings").await.expect(200)["findings"][0].take();
    assert_eq!((&found["status"], &found["notificationSent"]), (&json!("NOTIFIED"), &json!(true)));
}

/// The host is killed while a statement of a dispatch waits for a table, and comes back.
async fn killed_while_it_waits_for(table: &str) {
    let receiver = Receiver::open().await;
    let mut hospital = wards::open(&receiver).await;
    let study = hospital.completed_study().await;
    let mut connection = PgConnection::connect(&hospital.database.admin_url()).await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let lock = format!("lock table imaging.{table} in access exclusive mode");
    sqlx::raw_sql(sqlx::AssertSqlSafe(lock)).execute(&mut *transaction).await.unwrap();
    wards::finds(&hospital, &study, "HIGH", &["provider-1"]).await;
    waits_in_the_database(&hospital).await;
    hospital.host.kill();
    transaction.rollback().await.unwrap();
    hospital.host.restart().await.unwrap();
    arrived_once(&hospital, &receiver).await;
}

#[tokio::test]
async fn before_the_event_has_become_deliveries() {
    killed_while_it_waits_for("deliveries").await;
}

#[tokio::test]
async fn after_an_attempt_that_failed() {
    let receiver = Receiver::open().await;
    let mut hospital = wards::open(&receiver).await;
    let study = hospital.completed_study().await;
    receiver.is(Manner::Answers(500));
    wards::finds(&hospital, &study, "HIGH", &["provider-1"]).await;
    wards::received(&hospital, &receiver, 1).await;
    hospital.host.kill();
    receiver.is(Manner::Answers(200));
    hospital.host.restart().await.unwrap();
    arrived_once(&hospital, &receiver).await;
}

#[tokio::test]
async fn after_it_was_taken_and_before_it_was_sent() {
    let receiver = Receiver::open().await;
    receiver.is(Manner::IsAway);
    let mut hospital = wards::open(&receiver).await;
    let study = hospital.completed_study().await;
    wards::finds(&hospital, &study, "HIGH", &["provider-1"]).await;
    wards::concluded(&hospital, 1).await;
    hospital.host.kill();
    // As it stands when somebody has taken it, and nothing more.
    hospital
        .execute("update imaging.deliveries set attempts = 1, last_code = null, due_at = imaging.clock() + interval '30 seconds'")
        .await;
    receiver.is(Manner::Answers(200));
    hospital.host.restart().await.unwrap();
    dispatches(&hospital).await;
    assert!(receiver.received().is_empty(), "it is still somebody else's");
    arrived_once(&hospital, &receiver).await;
}

#[tokio::test]
async fn after_it_was_sent_and_before_that_was_written_down() {
    let receiver = Receiver::open().await;
    receiver.is(Manner::Holds);
    let mut hospital = wards::open(&receiver).await;
    let study = hospital.completed_study().await;
    wards::finds(&hospital, &study, "HIGH", &["provider-1"]).await;
    wards::received(&hospital, &receiver, 1).await;
    hospital.host.kill();
    receiver.is(Manner::Answers(200));
    hospital.host.restart().await.unwrap();
    arrived_once(&hospital, &receiver).await;
    assert_eq!(receiver.taken().len(), 2, "the receiver tells by the key that it is the same");
}

#[tokio::test]
async fn after_all_was_written_down() {
    let receiver = Receiver::open().await;
    let mut hospital = wards::open(&receiver).await;
    let study = hospital.completed_study().await;
    wards::finds(&hospital, &study, "HIGH", &["provider-1"]).await;
    wards::received(&hospital, &receiver, 1).await;
    wards::settled(&hospital).await;
    hospital.host.kill();
    hospital.host.restart().await.unwrap();
    arrived_once(&hospital, &receiver).await;
    assert_eq!(receiver.received().len(), 1);
}

//! Postgres goes away and comes back.

use std::{
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    time::Duration,
};

use futures::future::join_all;
use local::{Postgres, Stack, stack::Private};
use serde_json::json;
use sqlx::{Connection, PgConnection};
use tests::{
    Hospital,
    hospital::{ct_chest, id, instance_of},
};

use crate::scanner;

/// A hospital with a Postgres that can be taken from it.
async fn open() -> (Hospital, Private<Postgres>) {
    let postgres = Stack::shared().await.unwrap().private_postgres().await.unwrap();
    let url = postgres.service_url().unwrap();
    let hospital = Hospital::open_with(|settings| {
        settings.variables.insert("database_url".to_owned(), url);
    })
    .await;
    (hospital, postgres)
}

async fn count(postgres: &Private<Postgres>, of: &str) -> i64 {
    let url = postgres.get().unwrap().server().url("imaging");
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from imaging.{of}")))
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

#[tokio::test]
async fn while_postgres_is_away_requests_are_told_to_come_again_and_then_everything_goes_on() {
    let (hospital, mut postgres) = open().await;
    let (provider, technologist, anonymous) =
        (hospital.provider(), hospital.technologist(), hospital.anonymous());
    let order = provider.places(ct_chest()).await;
    let study = technologist.registers(&order).await;
    let offers = scanner::offers(&hospital, 5).await;
    let files: Vec<_> = (1..=5).map(|number| instance_of(&study).series("1.2.3").number(1, number)).collect();
    let process = hospital.host.pid();

    postgres.get_mut().unwrap().stop();

    provider.get(&format!("/api/imaging-orders/{}", id(&order))).await.expect_unavailable();
    provider.post("/api/imaging-orders", ct_chest()).await.expect_unavailable();
    technologist.post("/api/uploads", json!({"count": 1})).await.expect_unavailable();
    hospital.machine().post("/tasks/sweep", json!({})).await.expect_unavailable();
    let event = scanner::event_grid(&offers[0]);
    hospital.machine().post("/events/blob", json!([event])).await.expect_unavailable();
    let health = anonymous.get("/health").await;
    health.expect_status(503);
    assert_eq!(health.body["checks"]["database"]["status"], "down", "{health}");
    assert_eq!(health.body["checks"]["storage"]["status"], "up", "{health}");
    anonymous.get("/health/live").await.expect_status(200);
    // Who may do nothing learns nothing new, and storage takes files as before.
    anonymous
        .get(&format!("/api/imaging-orders/{}", id(&order)))
        .await
        .expect_refusal(401, "unauthenticated");
    scanner::send(&hospital, &offers, &files).await;

    postgres.get_mut().unwrap().start_again().await.unwrap();

    provider.get(&format!("/api/imaging-orders/{}", id(&order))).await.expect(200);
    anonymous.get("/health").await.expect_status(200);
    scanner::stored(&hospital, &offers).await;
    let study = technologist.get(&format!("/api/studies/{}", id(&study))).await.expect(200)["study"].take();
    assert_eq!((&study["numberOfInstances"], &study["numberOfSeries"]), (&json!(5), &json!(1)));
    assert_eq!((count(&postgres, "images").await, count(&postgres, "uploads").await), (5, 5));
    technologist.moves(&study, "COMPLETED").await.expect(200);
    assert_eq!(hospital.host.pid(), process, "the host was never restarted");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_was_answered_with_201_outlives_the_crash_of_postgres_and_no_other_answer_than_503_is_given()
 {
    let (hospital, mut postgres) = open().await;
    hospital.provider().places(ct_chest()).await;
    let crashed = AtomicBool::new(false);

    // Eight providers place orders without a pause, until each was turned away after the crash.
    let place = async || {
        let provider = hospital.provider();
        let (mut placed, mut turned_away) = (Vec::new(), 0);
        loop {
            let after_the_crash = crashed.load(SeqCst);
            let mut reply = provider.post("/api/imaging-orders", ct_chest()).await;
            match reply.status {
                201 => placed.push(reply.body["data"]["order"].take()),
                _ => {
                    reply.expect_unavailable();
                    turned_away += 1;
                }
            }
            if after_the_crash {
                break (placed, turned_away);
            }
        }
    };
    let crash = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        tokio::task::block_in_place(|| postgres.get_mut().unwrap().kill());
        crashed.store(true, SeqCst);
    };
    let (outcomes, ()) = tokio::join!(join_all((0..8).map(|_| place())), crash);
    postgres.get_mut().unwrap().start_again().await.unwrap();

    let mut placed = Vec::new();
    for (orders, turned_away) in outcomes {
        assert!(turned_away > 0, "every provider has seen that Postgres was away");
        placed.extend(orders);
    }
    assert!(placed.len() > 8, "there were orders in flight");
    let provider = hospital.provider();
    for order in &placed {
        provider.get(&format!("/api/imaging-orders/{}", id(order))).await.expect(200);
    }
    // One that was committed while its answer was lost may be there beside them: at most one for each provider.
    let kept = count(&postgres, "orders").await as usize - 1;
    assert!((placed.len()..=placed.len() + 8).contains(&kept), "{kept} orders, {} answers", placed.len());
    assert_eq!(count(&postgres, "audit_events where action = 'order.place'").await as usize - 1, kept);
}

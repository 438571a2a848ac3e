//! The host ends without a warning.

use reqwest::Method;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use tests::{
    Hospital, Reply,
    actor::study_of,
    hospital::{ct_chest, id, instance_of},
};

use crate::scanner;

#[tokio::test]
async fn images_that_were_sent_before_the_host_was_killed_are_stored_after_it() {
    let mut hospital = Hospital::open_with(|settings| settings.timers.clear()).await;
    let order = hospital.provider().places(ct_chest()).await;
    let study = hospital.technologist().registers(&order).await;
    let files = [instance_of(&study), instance_of(&study), instance_of(&study)];
    let offers = scanner::sends(&hospital, &files).await;

    hospital.host.kill();
    hospital.host.settings_mut().timers.insert("/tasks/sweep".to_owned(), 1);
    hospital.host.restart().await.unwrap();

    scanner::stored(&hospital, &offers).await;
    is_whole(&hospital, id(&order), id(&study), 3).await;
}

#[tokio::test]
async fn a_host_that_is_killed_again_and_again_while_it_files_fifty_images_files_each_once() {
    let mut hospital = Hospital::open().await;
    let order = hospital.provider().places(ct_chest()).await;
    let study = hospital.technologist().registers(&order).await;
    let files: Vec<_> =
        (1..=50).map(|number| instance_of(&study).series("1.2.3").number(1, number)).collect();
    let offers = scanner::sends(&hospital, &files).await;

    let mut in_the_midst = 0;
    for filed in [1, 10, 25] {
        let stored = hospital
            .wait_for("some of the images to be filed", async || {
                let stored = hospital.sql("select count(*)::text from imaging.images").await?;
                stored.parse::<u32>().ok().filter(|stored| *stored >= filed)
            })
            .await;
        hospital.host.kill();
        in_the_midst += u32::from(stored < 50);
        hospital.host.restart().await.unwrap();
    }

    assert!(in_the_midst > 0, "the images were filed before the host could be killed");
    scanner::stored(&hospital, &offers).await;
    is_whole(&hospital, id(&order), id(&study), 50).await;
}

#[tokio::test]
async fn what_a_killed_host_had_asked_of_postgres_and_what_the_next_one_asks_is_done_once() {
    let mut hospital = Hospital::open().await;
    let order = hospital.provider().places(ct_chest()).await;
    let study = hospital.technologist().registers(&order).await;
    let offers = scanner::offers(&hospital, 6).await;
    let files: Vec<_> = (1..=6).map(|number| instance_of(&study).series("1.2.3").number(1, number)).collect();

    // While somebody else has the order, the statements that file its images wait in Postgres.
    let mut connection = PgConnection::connect(&hospital.database.admin_url()).await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    sqlx::query("select from imaging.orders for update").execute(&mut *transaction).await.unwrap();
    scanner::send(&hospital, &offers, &files).await;
    waits_for_the_order(&hospital, 1).await;
    hospital.host.kill();
    // The statements of the one that was killed still wait when those of the next one come.
    hospital.host.restart().await.unwrap();
    waits_for_the_order(&hospital, 5).await;
    transaction.rollback().await.unwrap();

    scanner::stored(&hospital, &offers).await;
    is_whole(&hospital, id(&order), id(&study), 6).await;
    let told = "select count(*)::text from imaging.audit_events where action = 'upload.stored'";
    assert_eq!(hospital.sql(told).await.as_deref(), Some("6"));
}

#[tokio::test]
async fn what_was_asked_of_a_killed_host_is_done_once_though_it_is_asked_again_of_the_next() {
    let mut hospital = Hospital::open_with(|settings| settings.timers.clear()).await;
    let order = hospital.provider().places(ct_chest()).await;
    let technologist = hospital.technologist();
    let register = || {
        let request = technologist.request(Method::POST, "/api/studies").header("idempotency-key", "k-1");
        request.json(&study_of(&order))
    };

    // While somebody else has the order, the statement waits in Postgres, and whoever asked learns nothing.
    let mut connection = PgConnection::connect(&hospital.database.admin_url()).await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    sqlx::query("select from imaging.orders for update").execute(&mut *transaction).await.unwrap();
    let first = tokio::spawn(register().send());
    waits_for_the_order(&hospital, 1).await;
    hospital.host.kill();
    assert!(first.await.unwrap().is_err());
    hospital.host.restart().await.unwrap();
    let second = tokio::spawn(Reply::of(register()));
    waits_for_the_order(&hospital, 2).await;
    transaction.rollback().await.unwrap();

    let study = second.await.unwrap().expect(201)["study"].take();
    let again = Reply::of(register()).await.expect(201)["study"].take();
    assert_eq!(study, again);
    for (rows, number) in [
        ("studies", "1"),
        ("audit_events where action = 'study.register'", "1"),
        ("audit_events where action = 'request.replay'", "2"),
        ("outbox where topic = 'study.registered'", "1"),
    ] {
        let count = hospital.sql(&format!("select count(*)::text from imaging.{rows}")).await;
        assert_eq!(count.as_deref(), Some(number), "{rows}");
    }
}

/// Waits until so many statements of hosts wait for a lock.
async fn waits_for_the_order(hospital: &Hospital, statements: u32) {
    let waiting = "select count(*)::text from pg_stat_activity
                    where datname = current_database() and usename = 'imaging_service' and wait_event_type = 'Lock'";
    hospital
        .wait_for("statements to wait for the order", async || {
            let waiting = hospital.sql(waiting).await?;
            (waiting.parse::<u32>().ok()? >= statements).then_some(())
        })
        .await;
}

/// So many images, each once and for itself; the study can be completed, and the order with it.
async fn is_whole(hospital: &Hospital, order: &str, study: &str, images: u64) {
    let technologist = hospital.technologist();
    let read = technologist.get(&format!("/api/studies/{study}")).await.expect(200)["study"].take();
    assert_eq!(read["numberOfInstances"], images);
    assert_eq!(read["images"].as_array().unwrap().len() as u64, images);
    let distinct = "select count(distinct (sop_instance_uid, upload_id))::text from imaging.images where status = 'STORED'";
    assert_eq!(hospital.sql(distinct).await, Some(images.to_string()));
    let open = "select count(*)::text from imaging.uploads where status <> 'STORED'";
    assert_eq!(hospital.sql(open).await.as_deref(), Some("0"));
    technologist
        .patch(&format!("/api/studies/{study}/status"), json!({"status": "COMPLETED"}))
        .await
        .expect(200);
    let order = technologist.get(&format!("/api/imaging-orders/{order}")).await.expect(200)["order"].take();
    assert_eq!(order["status"], "COMPLETED");
}

//! Storage is away, or the host ends in the midst of it.

use futures::future::join_all;
use local::{Azurite, Stack, stack::Private};
use migrate::audit::verify;
use serde_json::json;
use tests::{Hospital, hospital::ct_chest};
use tokio::net::TcpListener;

use crate::chain::{batches, is_whole, number, quiet, seals, verified};

const UNPUBLISHED: &str = "select count(*) from imaging.audit_batches where published_at is null";

/// A hospital with a storage that can be taken from it.
async fn open() -> (Hospital, Private<Azurite>) {
    let azurite = Stack::shared().await.unwrap().private_azurite().await.unwrap();
    let account = azurite.get().unwrap().account();
    account.create_container("images").await.unwrap();
    let hospital = Hospital::open_with(|settings| {
        settings.timers.clear();
        settings.variables.insert("azure_storage_connection_string".to_owned(), account.connection_string());
        settings.variables.insert("azure_storage_container_name".to_owned(), "images".to_owned());
    })
    .await;
    (hospital, azurite)
}

/// Asks until something new was sealed, whatever the answer.
async fn seals_somehow(hospital: &Hospital, batches: i64) {
    hospital
        .wait_for("a batch to be sealed", async || {
            hospital.machine().post("/tasks/seal", json!({})).await;
            (number(hospital, "select count(*) from imaging.audit_batches").await > batches).then_some(())
        })
        .await;
}

#[tokio::test]
async fn while_storage_is_away_events_are_sealed_and_then_all_of_it_is_published() {
    let (hospital, mut azurite) = open().await;
    batches(&hospital, 1).await;
    assert_eq!(number(&hospital, UNPUBLISHED).await, 0);

    azurite.get_mut().unwrap().stop();
    for _ in 0..3 {
        let before = number(&hospital, "select count(*) from imaging.audit_batches").await;
        hospital.provider().places(ct_chest()).await;
        seals_somehow(&hospital, before).await;
        hospital.machine().post("/tasks/seal", json!({})).await.expect_unavailable();
    }
    assert!(number(&hospital, UNPUBLISHED).await >= 3);

    azurite.get_mut().unwrap().start_again().await.unwrap();
    seals(&hospital).await;
    assert_eq!(number(&hospital, UNPUBLISHED).await, 0);
    let storage = azurite.get().unwrap().account().container("images").unwrap();
    let whole = verify(&hospital.database.admin_url(), Some(&storage)).await.unwrap();
    is_whole(&whole);
    assert_eq!(whole.compared, Some(whole.batches));
}

#[tokio::test]
async fn a_host_that_is_killed_between_sealing_and_publishing_leaves_the_rest_to_the_next() {
    let mut hospital = quiet().await;
    let storage = hospital.setting("azure_storage_connection_string");
    // A storage that takes what is sent and never answers.
    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/local", deaf.local_addr().unwrap());
    let account =
        storage.split(';').filter(|part| !part.starts_with("BlobEndpoint")).collect::<Vec<_>>().join(";");
    let unanswered = format!("{account};BlobEndpoint={endpoint};");
    hospital.host.settings_mut().variables.insert("azure_storage_connection_string".to_owned(), unanswered);
    hospital.host.restart().await.unwrap();
    hospital.provider().places(ct_chest()).await;

    let machine = hospital.machine();
    let sealing =
        tokio::spawn(async move { machine.request(reqwest::Method::POST, "/tasks/seal").send().await });
    let asked = tokio::time::timeout(std::time::Duration::from_secs(20), deaf.accept()).await;
    if asked.is_err() {
        // Another test's transaction was older: nothing could be sealed at that moment.
        seals_somehow(&hospital, 0).await;
    }
    hospital.host.kill();
    assert!(sealing.await.unwrap().is_err() || asked.is_err());
    assert_eq!(number(&hospital, UNPUBLISHED).await, 1);

    hospital.host.settings_mut().variables.insert("azure_storage_connection_string".to_owned(), storage);
    hospital.host.restart().await.unwrap();
    seals(&hospital).await;
    assert_eq!(number(&hospital, UNPUBLISHED).await, 0);
    is_whole(&verified(&hospital).await);
}

#[tokio::test]
async fn what_storage_has_and_the_database_does_not_know_of_is_published_once() {
    let hospital = quiet().await;
    batches(&hospital, 2).await;
    // The host ended before it could say so.
    hospital.execute("update imaging.audit_batches set published_at = null").await;
    let uncertain = verified(&hospital).await;
    is_whole(&uncertain);
    assert_eq!(uncertain.unpublished, 0);

    hospital.machine().post("/tasks/seal", json!({})).await.expect(200);
    assert_eq!(number(&hospital, UNPUBLISHED).await, 0);
    is_whole(&verified(&hospital).await);
}

#[tokio::test]
async fn of_many_who_seal_at_once_one_does_it() {
    let hospital = quiet().await;
    for _ in 0..5 {
        hospital.provider().places(ct_chest()).await;
        let machine = hospital.machine();
        let replies = join_all((0..8).map(|_| machine.post("/tasks/seal", json!({})))).await;
        for reply in replies {
            reply.expect(200);
        }
    }
    seals(&hospital).await;
    let whole = verified(&hospital).await;
    is_whole(&whole);
    assert_eq!((whole.events, whole.unsealed), (5, 0));
    assert_eq!(whole.compared, Some(whole.batches));
}

#[tokio::test]
async fn the_host_seals_by_itself_when_it_is_told_to() {
    let hospital = Hospital::open_with(|settings| {
        settings.timers.clear();
        settings.timers.insert("/tasks/seal".to_owned(), 1);
    })
    .await;
    hospital.provider().places(ct_chest()).await;
    hospital
        .wait_for("the timer to seal and publish", async || hospital.blob("audit/000000000001.json").await)
        .await;
    hospital
        .wait_for("the batch to be known as published", async || {
            (number(&hospital, UNPUBLISHED).await == 0).then_some(())
        })
        .await;
    is_whole(&verified(&hospital).await);
}

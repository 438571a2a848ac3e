//! The chain as it should be, and what all tests of it are made with.

use local::storage::Account;
use migrate::{
    audit::{Verified, verify},
    storage::Container,
};
use serde_json::{Value, json};
use tests::{
    Hospital,
    hospital::{ct_chest, id},
};

/// A hospital where nothing happens by itself.
pub(crate) async fn quiet() -> Hospital {
    Hospital::open_with(|settings| settings.timers.clear()).await
}

/// Where the hashes go.
pub(crate) fn storage(hospital: &Hospital) -> Container {
    let account = Account::parse(&hospital.setting("azure_storage_connection_string")).unwrap();
    account.container(&hospital.setting("azure_storage_container_name")).unwrap()
}

pub(crate) async fn number(hospital: &Hospital, query: &str) -> i64 {
    hospital.sql(&format!("select ({query})::text")).await.unwrap().parse().unwrap()
}

/// Seals all that was written, in one batch if it fits. What other tests of the run are writing at this moment is waited
/// for: what came after it cannot be sealed yet.
pub(crate) async fn seals(hospital: &Hospital) {
    let running = "select count(*) from imaging.audit_events
                  where transaction >= pg_snapshot_xmin(pg_current_snapshot())::text::bigint";
    let left = "select count(*) from imaging.audit_events
                 where transaction >= coalesce((select max(ends) from imaging.audit_batches), 0)";
    hospital
        .wait_for("everything to be sealed", async || {
            if number(hospital, running).await > 0 {
                return None;
            }
            hospital.machine().post("/tasks/seal", json!({})).await.expect(200);
            (number(hospital, left).await == 0).then_some(())
        })
        .await;
}

/// So many batches of five events each.
pub(crate) async fn batches(hospital: &Hospital, count: usize) {
    let provider = hospital.provider();
    for _ in 0..count {
        let order = provider.places(ct_chest()).await;
        for _ in 0..4 {
            provider.get(&format!("/api/imaging-orders/{}", id(&order))).await.expect(200);
        }
        seals(hospital).await;
    }
}

pub(crate) async fn verified(hospital: &Hospital) -> Verified {
    verify(&hospital.database.admin_url(), Some(&storage(hospital))).await.unwrap()
}

pub(crate) async fn verified_without_storage(hospital: &Hospital) -> Verified {
    verify(&hospital.database.admin_url(), None).await.unwrap()
}

#[track_caller]
pub(crate) fn is_whole(verified: &Verified) {
    assert!(verified.is_whole(), "{verified}");
}

#[tokio::test]
async fn an_audit_that_nobody_touched_is_as_it_was_sealed() {
    let hospital = quiet().await;
    let empty = verified(&hospital).await;
    is_whole(&empty);
    assert_eq!((empty.batches, empty.events, empty.compared), (0, 0, Some(0)));
    assert!(empty.to_string().ends_with("Everything is sealed.\n"), "{empty}");
    // There is nothing to seal, and no batch of nothing.
    hospital.machine().post("/tasks/seal", json!({})).await.expect(200);
    assert_eq!(number(&hospital, "select count(*) from imaging.audit_batches").await, 0);

    batches(&hospital, 3).await;
    hospital.provider().places(ct_chest()).await;
    hospital.stranger().get("/api/studies").await.expect(200);

    let whole = verified(&hospital).await;
    is_whole(&whole);
    assert!(whole.batches >= 3, "{whole}");
    assert_eq!((whole.events, whole.unsealed), (15, 2));
    assert_eq!((whole.compared, whole.unpublished), (Some(whole.batches), 0));
    assert!(whole.to_string().contains("Not sealed yet: 2 events, the oldest of 20"), "{whole}");
    assert!(!whole.to_string().contains("does not prove"), "{whole}");
    let without = verified_without_storage(&hospital).await;
    is_whole(&without);
    assert!(without.to_string().contains("does not prove that the chain was not made anew"), "{without}");
}

#[tokio::test]
async fn storage_has_each_batch_with_its_hash_and_that_of_the_one_before() {
    let hospital = quiet().await;
    batches(&hospital, 2).await;

    let mut previous = json!("0".repeat(64));
    let mut from = json!(0);
    let count = number(&hospital, "select count(*) from imaging.audit_batches").await;
    for number in 1..=count {
        let blob = hospital.blob(&format!("audit/{number:012}.json")).await.unwrap();
        let batch: Value = serde_json::from_slice(&blob).unwrap();
        let members: Vec<&String> = batch.as_object().unwrap().keys().collect();
        assert_eq!(members, ["events", "from", "hash", "number", "previous", "sealedAt", "to"]);
        assert_eq!(
            (&batch["number"], &batch["from"], &batch["previous"]),
            (&json!(number), &from, &previous)
        );
        assert_eq!(batch["hash"].as_str().unwrap().len(), 64);
        (from, previous) = (batch["to"].clone(), batch["hash"].clone());
    }
    assert_eq!(hospital.blob(&format!("audit/{:012}.json", count + 1)).await, None);
}

#[tokio::test]
async fn the_hashes_go_to_a_container_of_their_own_when_there_is_one() {
    let own = local::Stack::shared().await.unwrap().container().await.unwrap();
    let hospital = Hospital::open_with(|settings| {
        settings.timers.clear();
        settings.variables.insert("azure_storage_audit_container_name".to_owned(), own.clone());
    })
    .await;
    batches(&hospital, 1).await;

    assert_eq!(storage(&hospital).list("audit/", None).await.unwrap().blobs, []);
    let account = Account::parse(&hospital.setting("azure_storage_connection_string")).unwrap();
    let own = account.container(&own).unwrap();
    assert!(!own.list("audit/", None).await.unwrap().blobs.is_empty());
    is_whole(&verify(&hospital.database.admin_url(), Some(&own)).await.unwrap());
    // Asked in the wrong place, it does not seem well.
    assert!(!verified(&hospital).await.is_whole());
}

#[tokio::test]
async fn sealing_is_for_machines() {
    let hospital = quiet().await;
    hospital.somebody("auditor").post("/tasks/seal", json!({})).await.expect_refusal(401, "unauthenticated");
    hospital.anonymous().post("/tasks/seal", json!({})).await.expect_refusal(401, "unauthenticated");
    hospital.machine().get("/tasks/seal").await.expect_refusal(405, "method_not_allowed");
}

#[tokio::test]
async fn more_than_fits_into_a_batch_goes_into_several_and_no_transaction_is_parted() {
    let hospital = quiet().await;
    // One transaction of 12,000 events, then 9,000 of one event each.
    let event = "select audit.append('{\"organization\": \"org-1\", \"actor\": \"a\", \"role\": \"service\", \"requestId\": \"r\"}',
                        'order.read', 'order', null, null, '{}')";
    let enter = "select imaging.enter('{\"organization\": \"org-1\"}')";
    hospital
        .execute(&format!(
            "begin; set local role imaging_owner; {enter}; {event} from generate_series(1, 12000); commit"
        ))
        .await;
    let one_each = format!(
        "do $$ begin perform set_config('imaging.organization', 'org-1', false);
           for i in 1..9000 loop perform {}; commit; end loop; end $$",
        event.trim_start_matches("select ")
    );
    hospital.execute(&one_each).await;

    let first = hospital.machine().post("/tasks/seal", json!({})).await.expect(200);
    assert_eq!((&first["events"], &first["more"]), (&json!(12_000), &json!(true)));
    seals(&hospital).await;

    let largest = "select max(events) from imaging.audit_batches where number > 1";
    assert!(number(&hospital, largest).await <= 10_000);
    let parted = "select count(*) from imaging.audit_events e
                   where (select count(*) from imaging.audit_batches b
                           where e.transaction >= b.starts and e.transaction < b.ends) <> 1";
    assert_eq!(number(&hospital, parted).await, 0);
    let whole = verified(&hospital).await;
    is_whole(&whole);
    assert_eq!(whole.events, 21_000);
}

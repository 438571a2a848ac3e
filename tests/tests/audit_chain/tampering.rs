//! The database's administrator is not to be trusted.

use migrate::audit::verify;
use reqwest::Method;
use serde_json::json;
use tests::Hospital;

use crate::chain::{batches, is_whole, number, quiet, seals, storage, verified, verified_without_storage};

/// A hospital with four batches, and a copy of them to go back to.
async fn sealed() -> Hospital {
    let hospital = quiet().await;
    // Events with something in every column.
    let order = hospital.provider().places(tests::hospital::ct_chest()).await;
    let path = format!("/api/imaging-orders/{}", tests::hospital::id(&order));
    let cancel = hospital
        .provider()
        .request(Method::DELETE, &path)
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .json(&json!({"reason": "Asked to"}));
    tests::Reply::of(cancel).await.expect(200);
    hospital.provider().delete(&path).await.expect_status(409);
    seals(&hospital).await;
    batches(&hospital, 3).await;
    is_whole(&verified(&hospital).await);
    hospital
        .execute(
            "create table public.kept_events as select * from imaging.audit_events;
             create table public.kept_batches as select * from imaging.audit_batches;
             create table public.kept_patients as select * from imaging.audit_patients",
        )
        .await;
    hospital
}

async fn undo(hospital: &Hospital) {
    hospital
        .execute(
            "truncate imaging.audit_events, imaging.audit_batches, imaging.audit_patients;
             insert into imaging.audit_events select * from public.kept_events;
             insert into imaging.audit_batches select * from public.kept_batches;
             insert into imaging.audit_patients select * from public.kept_patients",
        )
        .await;
    is_whole(&verified(hospital).await);
}

/// What the report says after something was done to the table, each fault a line.
async fn faults_of(hospital: &Hospital, tampering: &str) -> Vec<String> {
    hospital.execute(tampering).await;
    let verified = verified(hospital).await;
    assert!(verified.to_string().starts_with("NOT OK") != verified.is_whole(), "{verified}");
    undo(hospital).await;
    verified.faults.told().to_vec()
}

/// The nth event of a batch.
fn event(of_batch: &str, nth: usize) -> String {
    format!(
        "(select e.organization, e.id from imaging.audit_events e, imaging.audit_batches b
           where b.number = {of_batch} and e.transaction >= b.starts and e.transaction < b.ends
           order by e.transaction, e.id offset {nth} limit 1)"
    )
}

const LAST: &str = "(select max(number) from imaging.audit_batches)";

#[tokio::test]
async fn an_edit_of_any_column_is_found() {
    let hospital = sealed().await;
    let columns = "select string_agg(column_name || ':' || data_type, ' ' order by ordinal_position)
                     from information_schema.columns where table_schema = 'imaging' and table_name = 'audit_events'";
    let columns = hospital.sql(columns).await.unwrap();
    assert!(columns.split_whitespace().count() > 15, "{columns}");
    // data_type has spaces in it.
    let columns = columns.replace(" with time zone", "").replace("timestamp", "timestamptz");
    for column in columns.split_whitespace() {
        let (name, kind) = column.split_once(':').unwrap();
        let other = match kind {
            "text" if name == "outcome" => {
                "case outcome when 'REFUSED' then 'SUCCESS' else 'REFUSED' end".to_owned()
            }
            "text" => format!("coalesce({name}, '') || 'x'"),
            "uuid" => "gen_random_uuid()".to_owned(),
            "bigint" | "integer" => format!("coalesce({name}, 0) + 1000000"),
            "boolean" => format!("not {name}"),
            "timestamptz" => format!("{name} - interval '1 microsecond'"),
            "jsonb" => format!("{name} || '{{\"x\": 1}}'"),
            "ARRAY" => format!("{name} || '{{MRN-9}}'"),
            kind => panic!("{name} is of a kind that this test does not know: {kind}"),
        };
        let tampering = format!(
            "update imaging.audit_events set {name} = {other} where (organization, id) = {}",
            event("1", 0)
        );
        let faults = faults_of(&hospital, &tampering).await;
        assert!(
            faults.iter().any(|fault| fault.starts_with("batch 1, sealed with 3 events")),
            "{name}: {faults:?}"
        );
    }
}

#[tokio::test]
async fn whatever_is_done_to_the_table_is_found_and_named() {
    let hospital = sealed().await;
    let batches = number(&hospital, "select count(*) from imaging.audit_batches").await;
    let swap = "with two as (
                    select e.organization, e.id, row_number() over (order by e.transaction) as nth
                      from imaging.audit_events e, imaging.audit_batches b
                     where b.number = 2 and e.transaction >= b.starts and e.transaction < b.ends limit 2)
                update imaging.audit_events e set transaction = other.transaction
                  from two, two as twin, imaging.audit_events other
                 where (e.organization, e.id) = (two.organization, two.id) and two.nth <> twin.nth
                   and (other.organization, other.id) = (twin.organization, twin.id)";
    let copy = |transaction: &str| {
        format!(
            "insert into imaging.audit_events
             select (jsonb_populate_record(e, jsonb_build_object('id', gen_random_uuid(), 'patient_ids', '{{}}'::text[],
                        'transaction', {transaction}))).*
               from imaging.audit_events e where (organization, id) = {}",
            event("2", 0)
        )
    };
    let forget = |batch: &str| {
        format!(
            "delete from imaging.audit_events e using imaging.audit_batches b
              where b.number = {batch} and e.transaction >= b.starts and e.transaction < b.ends"
        )
    };
    for (what, tampering, expected) in [
        (
            "a deletion",
            format!("delete from imaging.audit_events where (organization, id) = {}", event("2", 1)),
            vec!["batch 2, sealed with _ events: 1 missing, deleted or moved elsewhere".to_owned()],
        ),
        ("a reordering", swap.to_owned(), vec!["batch 2, sealed with _ events: not as they were, edited or in another order".to_owned()]),
        (
            "an insertion with an old number",
            copy("e.transaction"),
            vec!["batch 2, sealed with _ events: 1 too many, inserted since or moved here".to_owned()],
        ),
        (
            "an event that is moved to another batch",
            format!(
                "update imaging.audit_events set transaction = (select starts from imaging.audit_batches where number = 3)
                  where (organization, id) = {}",
                event("2", 0)
            ),
            vec![
                "batch 2, sealed with _ events: 1 missing, deleted or moved elsewhere".to_owned(),
                "batch 3, sealed with _ events: 1 too many, inserted since or moved here".to_owned(),
            ],
        ),
        (
            "an event before the first",
            copy("-7"),
            vec!["1 event before the first batch: inserted by hand".to_owned()],
        ),
        (
            "an event of a transaction that is yet to come",
            copy("1000000000000"),
            vec!["1 event of transactions that are yet to come: inserted by hand".to_owned()],
        ),
        (
            "a batch and its events that are gone",
            format!("{}; delete from imaging.audit_batches where number = 2", forget("2")),
            vec![
                "1 batch before batch 3: missing".to_owned(),
                "audit/000000000002.json: storage has it, and the table has no such batch".to_owned(),
            ],
        ),
        (
            "an end that was cut off",
            format!("{}; delete from imaging.audit_batches where number = {LAST}", forget(LAST)),
            vec![format!(
                "audit/{batches:012}.json: storage has it, and the table ends with batch {}: cut off",
                batches - 1
            )],
        ),
        (
            "a batch whose hash was put right after an edit",
            format!(
                "update imaging.audit_events set actor = 'nobody' where (organization, id) = {};
                 update imaging.audit_batches b set hash = (audit.hash_of(number, starts, ends, previous)).hash where number = 2",
                event("2", 0)
            ),
            vec![
                "batch 2: rewritten, storage has another hash of it".to_owned(),
                "batch 3: does not follow the one before it".to_owned(),
            ],
        ),
        (
            "an event that its patient is not found by",
            "delete from imaging.audit_patients where event_id = (select min(event_id::text)::uuid from imaging.audit_patients)".to_owned(),
            vec!["1 event: not found by its patient, for imaging.audit_patients lacks it".to_owned()],
        ),
    ] {
        let faults = faults_of(&hospital, &tampering).await;
        // How many events a batch has depends on what else was running when it was sealed.
        let faults: Vec<String> = faults
            .iter()
            .map(|fault| match fault.split_once(", sealed with ") {
                Some((batch, rest)) => {
                    format!("{batch}, sealed with _ events{}", rest.split_once(" event").unwrap().1.trim_start_matches('s'))
                }
                None => fault.clone(),
            })
            .collect();
        assert_eq!(faults, expected, "{what}");
    }
}

#[tokio::test]
async fn a_chain_that_was_made_anew_is_whole_in_itself_and_not_what_storage_has() {
    let hospital = sealed().await;
    let anew = format!(
        "update imaging.audit_events set actor = 'nobody' where (organization, id) = {};
         do $$
         declare
             b imaging.audit_batches;
             before text := repeat('0', 64);
         begin
             for b in select * from imaging.audit_batches order by number loop
                 update imaging.audit_batches
                    set previous = before, hash = (audit.hash_of(b.number, b.starts, b.ends, before)).hash
                  where number = b.number returning hash into before;
             end loop;
         end
         $$",
        event("2", 0)
    );
    hospital.execute(&anew).await;

    is_whole(&verified_without_storage(&hospital).await);
    let found = verified(&hospital).await;
    let batches = number(&hospital, "select count(*) from imaging.audit_batches").await;
    let rewritten: Vec<String> = (2..=batches)
        .map(|number| format!("batch {number}: rewritten, storage has another hash of it"))
        .collect();
    assert_eq!(found.faults.told(), rewritten, "{found}");

    // Nor does it help to say that it is still to be published: what is there already is not what is sealed now.
    hospital.execute("update imaging.audit_batches set published_at = null").await;
    let alarm = hospital.machine().post("/tasks/seal", json!({})).await;
    alarm.expect_refusal(500, "internal_error");
    assert!(
        hospital.log().contains("audit/000000000002.json in storage is not what the database has sealed")
    );
    // The others are there as they should be, and new ones go on being published.
    assert_eq!(
        number(&hospital, "select count(*) from imaging.audit_batches where published_at is not null").await,
        1
    );
    hospital.provider().places(tests::hospital::ct_chest()).await;
    hospital
        .wait_for("a new batch to be published", async || {
            hospital.machine().post("/tasks/seal", json!({})).await.expect_status(500);
            hospital.blob(&format!("audit/{:012}.json", batches + 1)).await
        })
        .await;
}

#[tokio::test]
async fn a_blob_that_is_gone_or_changed_is_found_whatever_its_digest_says() {
    let hospital = sealed().await;
    let storage = storage(&hospital);
    let last = number(&hospital, &format!("select {LAST}")).await;
    let newest = format!("audit/{last:012}.json");
    let content = storage.read(&newest).await.unwrap().unwrap();
    let put = async |blob: &str, content: &[u8], headers: &[(&str, &str)]| {
        let mut headers = headers.to_vec();
        headers.push(("x-ms-blob-type", "BlockBlob"));
        let answer = storage.send(Method::PUT, Some(blob), &[], &headers, content.to_vec()).await.unwrap();
        assert_eq!(answer.status, 201);
    };

    let mut other = content.clone();
    *other.last_mut().unwrap() = b' ';
    put(&newest, &other, &[]).await;
    let found = verified(&hospital).await;
    assert_eq!(found.faults.told(), [format!("batch {last}: rewritten, storage has another hash of it")]);
    put(&newest, &content, &[]).await;
    is_whole(&verified(&hospital).await);

    let answer =
        storage.send(Method::DELETE, Some("audit/000000000001.json"), &[], &[], Vec::new()).await.unwrap();
    assert_eq!(answer.status, 202);
    let found = verified(&hospital).await;
    assert_eq!(found.faults.told(), ["batch 1: storage had it, and has it no more"]);
}

#[tokio::test]
async fn a_hash_that_is_computed_by_something_else_proves_nothing() {
    let hospital = sealed().await;
    hospital
        .execute(
            "create or replace function audit.hash_of(
                 number bigint, starts bigint, ends bigint, previous text, out events bigint, out hash text)
             language sql stable
             as $$ select b.events, b.hash from imaging.audit_batches b where b.number = hash_of.number $$",
        )
        .await;
    let refused = verify(&hospital.database.admin_url(), Some(&storage(&hospital))).await.unwrap_err();
    assert!(
        refused.to_string().contains("audit.hash_of is not the one that this build carries"),
        "{refused:#}"
    );
    let refused = verify(&hospital.database.service_url(), None).await.unwrap_err();
    assert!(!format!("{refused:#}").contains(&hospital.database.service_url()), "no password is told");
}

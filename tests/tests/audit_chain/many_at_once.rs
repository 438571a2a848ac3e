//! Everybody writes while it is sealed.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use futures::future::join_all;
use local::Stack;
use migrate::audit::verify;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use tests::{Hospital, hospital::ct_chest};

use crate::chain::{is_whole, storage};

const WRITERS: usize = 16;
const READS: usize = 60;

async fn number(admin: &mut PgConnection, query: &str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(query.to_owned())).fetch_one(admin).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_event_is_missed_or_comes_late_while_sixteen_write_and_one_transaction_stays_open() {
    // A Postgres of its own: what other tests leave open would hold this one up.
    let postgres = Stack::shared().await.unwrap().private_postgres().await.unwrap();
    let (service_url, admin_url) =
        (postgres.service_url().unwrap(), postgres.get().unwrap().server().url("imaging"));
    let hospital = Hospital::open_with(|settings| {
        settings.timers.clear();
        settings.variables.insert("database_url".to_owned(), service_url);
    })
    .await;
    let mut admin = PgConnection::connect(&admin_url).await.unwrap();
    hospital.provider().places(ct_chest()).await;

    // Somebody has written an event, and takes long over the rest.
    let mut slow = PgConnection::connect(&admin_url).await.unwrap();
    let mut open = slow.begin().await.unwrap();
    sqlx::raw_sql(
        "set local role imaging_owner;
         select imaging.enter('{\"organization\": \"org-1\"}');
         select audit.append('{\"organization\": \"org-1\", \"actor\": \"slow\", \"role\": \"service\", \"requestId\": \"r\"}',
             'order.read', 'order', null, null, '{MRN-1}')",
    )
    .execute(&mut *open)
    .await
    .unwrap();

    let writing = AtomicBool::new(true);
    let write = async {
        join_all((0..WRITERS).map(async |_| {
            let provider = hospital.provider();
            for _ in 0..READS {
                provider.get("/api/imaging-orders?limit=1").await.expect(200);
            }
        }))
        .await;
        writing.store(false, SeqCst);
    };
    let seal = async {
        let mut sealings = 0;
        while writing.load(SeqCst) {
            hospital.machine().post("/tasks/seal", json!({})).await.expect(200);
            sealings += 1;
        }
        sealings
    };
    let ((), sealings) = tokio::join!(write, seal);
    assert!(sealings > 3, "it was sealed while they wrote");

    // Nothing that came after the slow one began is sealed yet; the order that was placed before may be.
    hospital.machine().post("/tasks/seal", json!({})).await.expect(200);
    let sealed =
        number(&mut admin, "select coalesce(sum(events), 0)::bigint from imaging.audit_batches").await;
    assert!(sealed <= 1, "{sealed} were sealed before the slow one");

    let sealing = AtomicBool::new(true);
    let write_on = async {
        join_all((0..WRITERS).map(async |_| {
            let provider = hospital.provider();
            for _ in 0..READS {
                provider.get("/api/imaging-orders?limit=1").await.expect(200);
            }
        }))
        .await;
        sealing.store(false, SeqCst);
    };
    let seal_on = async {
        let mut kept: Vec<i64> = Vec::new();
        while sealing.load(SeqCst) {
            hospital.machine().post("/tasks/seal", json!({})).await.expect(200);
            // What was sealed holds what it held.
            let late = "select count(*) from imaging.audit_batches b
                         where b.events <> (select count(*) from imaging.audit_events e
                                             where e.transaction >= b.starts and e.transaction < b.ends)";
            assert_eq!(number(&mut admin, late).await, 0, "an event came late");
            kept.push(number(&mut admin, "select count(*) from imaging.audit_batches").await);
        }
        kept
    };
    let finish = async { open.commit().await.unwrap() };
    let ((), kept, ()) = tokio::join!(write_on, seal_on, finish);
    assert!(kept.last() > kept.first(), "batches were sealed while they wrote: {kept:?}");

    hospital.machine().post("/tasks/seal", json!({})).await.expect(200);
    let whole = verify(&admin_url, Some(&storage(&hospital))).await.unwrap();
    is_whole(&whole);
    assert_eq!(whole.unsealed, 0);
    let written = 2 + 2 * WRITERS * READS;
    assert_eq!(whole.events, i64::try_from(written).unwrap());
    assert_eq!(number(&mut admin, "select count(*) from imaging.audit_events").await, whole.events);
}

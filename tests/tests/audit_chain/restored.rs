//! A dump is restored into another cluster, which has counted fewer transactions.

use local::Stack;
use migrate::audit::verify;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tests::{Hospital, hospital::ct_chest};

use crate::chain::{batches, is_whole, quiet, storage};

const TABLES: [&str; 3] = ["audit_events", "audit_patients", "audit_batches"];

#[tokio::test]
async fn after_a_dump_was_restored_into_a_cluster_that_counts_from_less_the_chain_goes_on() {
    // A Postgres whose transactions are numbered as if all that was written were still to come.
    let postgres = Stack::shared().await.unwrap().private_postgres().await.unwrap();
    let (service_url, admin_url) =
        (postgres.service_url().unwrap(), postgres.get().unwrap().server().url("imaging"));
    let mut new = PgConnection::connect(&admin_url).await.unwrap();
    let counter = "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint";
    let counted: i64 = sqlx::query_scalar(counter).fetch_one(&mut new).await.unwrap();
    let before = quiet().await;
    let count_on = format!(
        "do $$ begin
             while pg_current_xact_id()::text::bigint < {counted} + 5000 loop commit; end loop;
         end $$"
    );
    before.execute(&count_on).await;
    batches(&before, 2).await;
    let container = storage(&before);

    let mut old = PgConnection::connect(&before.database.admin_url()).await.unwrap();
    for table in TABLES {
        let rows: Value =
            sqlx::query_scalar(AssertSqlSafe(format!("select jsonb_agg(t) from imaging.{table} t")))
                .fetch_one(&mut old)
                .await
                .unwrap();
        let insert = format!(
            "insert into imaging.{table} select * from jsonb_populate_recordset(null::imaging.{table}, $1)"
        );
        sqlx::query(AssertSqlSafe(insert)).bind(rows).execute(&mut new).await.unwrap();
    }
    is_whole(&verify(&admin_url, Some(&container)).await.unwrap());

    let hospital = Hospital::open_with(|settings| {
        settings.timers.clear();
        settings.variables.insert("database_url".to_owned(), service_url);
        for name in ["azure_storage_connection_string", "azure_storage_container_name"] {
            settings.variables.insert(name.to_owned(), before.setting(name));
        }
    })
    .await;
    for _ in 0..3 {
        hospital.provider().places(ct_chest()).await;
        hospital.machine().post("/tasks/seal", json!({})).await.expect(200);
    }
    hospital.machine().post("/tasks/seal", json!({})).await.expect(200);

    let whole = verify(&admin_url, Some(&container)).await.unwrap();
    is_whole(&whole);
    assert_eq!((whole.events, whole.unsealed), (13, 0), "{whole}");
    assert_eq!(whole.compared, Some(whole.batches));
    let shift = "select shift from imaging.audit_batches order by number desc limit 1";
    let shift: i64 = sqlx::query_scalar(shift).fetch_one(&mut new).await.unwrap();
    assert!(shift > 0, "the old cluster had counted further");
}

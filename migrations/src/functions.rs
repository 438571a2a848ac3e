//! The functions beside the actions: replaced together, or not at all.

use crate::fault;
use crate::files::{FUNCTIONS, File};
use anyhow::{Context, Result};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use std::collections::BTreeMap;

/// What became of the functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Functions {
    /// How many files there are.
    pub files: usize,
    /// Whether they were replaced; false when the database had exactly these already.
    pub replaced: bool,
    /// Functions that no file makes any more, dropped by `prune`.
    pub dropped: Vec<String>,
    /// Functions that no file makes any more, still there. An older release may be calling them.
    pub left_over: Vec<String>,
}

/// Brings functions and rights to what this build carries, as the owner, in one transaction.
pub(crate) async fn replace(connection: &mut PgConnection, prune: bool) -> Result<Functions> {
    remember_where(connection).await?;
    let known = recorded(connection).await?;
    let unchanged = known == wanted();

    let mut transaction = connection.begin().await?;
    let mut outcome =
        Functions { files: FUNCTIONS.len(), replaced: false, dropped: Vec::new(), left_over: Vec::new() };
    if !unchanged || prune {
        // Unchecked first, since one may call another that a later file makes; then again with every body checked.
        for check in ["off", "on"] {
            transaction.execute(AssertSqlSafe(format!("set local check_function_bodies = {check}"))).await?;
            for file in FUNCTIONS {
                run(&mut transaction, file).await?;
            }
        }
        outcome.replaced = true;
        outcome.left_over = not_replaced_now(&mut transaction).await?;
        if prune {
            for function in &outcome.left_over {
                let statement = format!("drop function {function}");
                transaction.execute(AssertSqlSafe(statement)).await.with_context(|| {
                    format!("{function} could not be dropped: what uses it must go first, by a migration")
                })?;
            }
            outcome.dropped = std::mem::take(&mut outcome.left_over);
        }
        record(&mut transaction).await?;
    }
    transaction.execute(include_str!("rights.sql")).await.context("the service's rights could not be set")?;
    transaction.commit().await?;
    Ok(outcome)
}

async fn run(connection: &mut PgConnection, file: &File) -> Result<()> {
    connection.execute(file.sql).await.map_err(|error| fault::in_file(file, &error))?;
    Ok(())
}

/// Functions in the families' schemas that this transaction did not make or replace.
///
/// A row's `xmin` is the transaction that wrote it, so the catalog itself knows; nothing has to parse SQL.
/// What `imaging` holds is made by migrations, and theirs to drop.
async fn not_replaced_now(connection: &mut PgConnection) -> Result<Vec<String>> {
    let functions = sqlx::query_scalar(
        "select p.oid::regprocedure::text
         from pg_proc p
         join pg_namespace n on n.oid = p.pronamespace
         where n.nspowner = 'imaging_owner'::regrole
           and n.nspname not in ('imaging', 'imaging_migrations')
           and p.xmin <> pg_current_xact_id()::xid
           and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass
                           and d.objid = p.oid and d.deptype = 'e')
         order by 1",
    )
    .fetch_all(connection)
    .await?;
    Ok(functions)
}

async fn remember_where(connection: &mut PgConnection) -> Result<()> {
    connection
        .execute(
            "create table if not exists imaging_migrations.functions (
               path text primary key,
               checksum text not null,
               replaced_at timestamptz not null default now()
             )",
        )
        .await?;
    Ok(())
}

/// Path and checksum of each file whose functions the database has.
pub(crate) async fn recorded(connection: &mut PgConnection) -> Result<BTreeMap<String, String>> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("select path, checksum from imaging_migrations.functions")
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().collect())
}

pub(crate) fn wanted() -> BTreeMap<String, String> {
    FUNCTIONS.iter().map(|file| (file.path.to_owned(), file.checksum())).collect()
}

async fn record(connection: &mut PgConnection) -> Result<()> {
    let (paths, checksums): (Vec<String>, Vec<String>) = wanted().into_iter().unzip();
    connection.execute("delete from imaging_migrations.functions").await?;
    sqlx::query("insert into imaging_migrations.functions (path, checksum) select * from unnest($1::text[], $2::text[])")
        .bind(paths)
        .bind(checksums)
        .execute(connection)
        .await?;
    Ok(())
}

//! Brings a database to what this build of the service needs: roles, tables, functions and rights.
//!
//! `migrations/README.md` has the rules for writing them.

mod address;
pub mod audit;
mod fault;
mod files;
mod functions;
mod roles;
mod status;
pub mod storage;

pub use fault::explain;
pub use functions::Functions;
pub use status::{Standing, Status, status};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use sqlx::{Connection, Executor, PgConnection};

/// Held from the first statement to the last, so that of two who start at once one waits and then finds
/// nothing to do. The number spells "imaging" and is the same in every release.
const LOCK: i64 = 0x69_6d61_6769_6e67;

/// How a migration is to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Given to `imaging_service`. Without it the role keeps whatever password it has.
    pub service_password: Option<String>,
    /// Drop functions that no file makes any more. Only after no older release runs.
    pub prune: bool,
    /// Told what takes time, such as waiting for another migration.
    pub notice: fn(&str),
}

impl Default for Options {
    fn default() -> Self {
        Self { service_password: None, prune: false, notice: |_| {} }
    }
}

/// What a migration did.
#[derive(Debug, Clone)]
pub struct Report {
    /// Roles that were missing.
    pub roles_made: Vec<String>,
    /// Files applied now, in order.
    pub applied: Vec<String>,
    /// What became of the functions.
    pub functions: Functions,
}

/// Tells this build's SQL from any other's: databases migrated under the same fingerprint are alike.
pub fn fingerprint() -> String {
    let mut digest = Sha256::new();
    for file in files::MIGRATIONS.iter().chain(files::FUNCTIONS) {
        digest.update(file.path);
        digest.update([0]);
        digest.update(file.sql);
        digest.update([0]);
    }
    digest.update(include_str!("rights.sql"));
    digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Migrates the database at `admin_url`: all of it or, where it fails, whole files of it.
///
/// `admin_url` names an administrator or somebody who may act as `imaging_owner`; it need not be a superuser.
/// Must reach Postgres itself: through a pooler that shares connections the lock would not hold.
pub async fn up(admin_url: &str, options: &Options) -> Result<Report> {
    let migrator = files::migrator()?;
    let mut connection = address::connect(admin_url).await?;
    lock(&mut connection, options).await?;

    roles::refuse_the_service(&mut connection).await?;
    let roles_made = roles::ensure(&mut connection, options.service_password.as_deref()).await?;
    roles::become_owner(&mut connection).await?;
    // A statement that waits for a lock makes everybody behind it wait too; better to fail and try again.
    connection.execute("set lock_timeout = '15s'").await?;

    let before = status::applied(&mut connection).await?;
    migrator.run_direct(None, &mut connection, false).await.map_err(fault::in_migrations)?;
    let applied = files::MIGRATIONS
        .iter()
        .filter(|file| {
            !before.keys().any(|version| files::of_version(*version).is_some_and(|old| old.path == file.path))
        })
        .map(|file| file.path.to_owned())
        .collect();
    let functions = functions::replace(&mut connection, options.prune).await?;

    // Closing the connection gives the lock back.
    connection
        .close()
        .await
        .context("the connection broke while closing; everything was committed before")?;
    Ok(Report { roles_made, applied, functions })
}

async fn lock(connection: &mut PgConnection, options: &Options) -> Result<()> {
    let free: bool =
        sqlx::query_scalar("select pg_try_advisory_lock($1)").bind(LOCK).fetch_one(&mut *connection).await?;
    if free {
        return Ok(());
    }
    (options.notice)("another migration of this database is running; waiting for it");
    sqlx::query("select pg_advisory_lock($1)").bind(LOCK).execute(connection).await?;
    Ok(())
}

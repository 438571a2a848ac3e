//! The two roles: `imaging_owner`, which owns everything and cannot log in, and `imaging_service`.

use anyhow::{Context, Result, bail};
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use std::time::Duration;

pub(crate) const OWNER: &str = "imaging_owner";
pub(crate) const SERVICE: &str = "imaging_service";

/// Makes the roles that are missing, gives the service its password, and lets the owner make schemas here.
///
/// Roles belong to the whole cluster while the lock belongs to one database, so somebody who migrates
/// another database may be doing the same at this moment: whoever loses such a race looks again.
pub(crate) async fn ensure(
    connection: &mut PgConnection,
    service_password: Option<&str>,
) -> Result<Vec<String>> {
    let mut made = Vec::new();
    for attempt in 0.. {
        match try_ensure(connection, service_password, &mut made).await {
            Err(error) if attempt < 20 && lost_a_race(&error) => {
                tokio::time::sleep(Duration::from_millis(20 * (attempt + 1))).await;
            }
            Err(error) => return Err(explain(error)),
            Ok(()) => break,
        }
    }
    allow_in_database(connection).await?;
    Ok(made)
}

/// Everything after this is done as the owner, until `reset role`.
///
/// An administrator who is no superuser must be a member of the owner role, and from Postgres 16 on
/// whoever creates a role may grant it but is not yet allowed to set it.
pub(crate) async fn become_owner(connection: &mut PgConnection) -> Result<()> {
    let Err(refused) = connection.execute("set role imaging_owner").await else {
        return Ok(());
    };
    if code(&refused).as_deref() != Some("42501") {
        return Err(refused).context("could not become imaging_owner");
    }
    if let Err(error) = connection.execute("grant imaging_owner to current_user").await {
        return Err(error).context(
            "this role may not act as imaging_owner: let an administrator run `grant imaging_owner to <this role>`, \
             or give an administrator's URL as MIGRATION_DATABASE_URL",
        );
    }
    connection.execute("set role imaging_owner").await.context("could not become imaging_owner")?;
    Ok(())
}

pub(crate) async fn exists(connection: &mut PgConnection, role: &str) -> Result<bool> {
    let exists = sqlx::query_scalar("select exists (select from pg_roles where rolname = $1)")
        .bind(role)
        .fetch_one(connection)
        .await?;
    Ok(exists)
}

async fn try_ensure(
    connection: &mut PgConnection,
    service_password: Option<&str>,
    made: &mut Vec<String>,
) -> sqlx::Result<()> {
    for (role, create) in
        [(OWNER, "create role imaging_owner nologin"), (SERVICE, "create role imaging_service login")]
    {
        let exists: bool = sqlx::query_scalar("select exists (select from pg_roles where rolname = $1)")
            .bind(role)
            .fetch_one(&mut *connection)
            .await?;
        if exists {
            continue;
        }
        connection.execute(create).await?;
        made.push(role.to_owned());
    }
    if let Some(password) = service_password {
        // A utility statement takes no parameters; the server does the quoting.
        let statement: String =
            sqlx::query_scalar("select format('alter role imaging_service password %L', $1::text)")
                .bind(password)
                .fetch_one(&mut *connection)
                .await?;
        connection.execute(AssertSqlSafe(statement)).await?;
    }
    Ok(())
}

async fn allow_in_database(connection: &mut PgConnection) -> Result<()> {
    for (role, privilege) in [(OWNER, "create"), (SERVICE, "connect")] {
        for attempt in 1.. {
            let (allowed, grant): (bool, String) = sqlx::query_as(
                "select has_database_privilege($1, current_database(), $2),
                        format('grant %s on database %I to %I', $2, current_database(), $1)",
            )
            .bind(role)
            .bind(privilege)
            .fetch_one(&mut *connection)
            .await?;
            if allowed {
                break;
            }
            // Who may not grant is told so by a mere warning: hence the second look.
            let granted = connection.execute(AssertSqlSafe(grant.clone())).await;
            if granted.as_ref().is_err_and(lost_a_race) && attempt < 20 {
                tokio::time::sleep(Duration::from_millis(20 * attempt)).await;
            } else if granted.is_err() || attempt > 1 {
                bail!("the database's owner, or an administrator, must run once: {grant}");
            }
        }
    }
    Ok(())
}

fn explain(error: sqlx::Error) -> anyhow::Error {
    if code(&error).as_deref() != Some("42501") {
        return anyhow::Error::new(error).context("the roles could not be made");
    }
    anyhow::Error::new(error).context(
        "this role may not make roles: give a URL of one that may as MIGRATION_DATABASE_URL, \
         or let an administrator run once: create role imaging_owner nologin; create role imaging_service login; \
         grant imaging_owner to <this role>",
    )
}

fn lost_a_race(error: &sqlx::Error) -> bool {
    // duplicate_object; unique_violation in a catalog; "tuple concurrently updated", which has no code of its own.
    match code(error).as_deref() {
        Some("42710" | "23505") => true,
        Some("XX000") => error.to_string().contains("concurrently"),
        _ => false,
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|error| error.code()).map(Into::into)
}

/// The service's own role can neither migrate nor be given more than it has.
pub(crate) async fn refuse_the_service(connection: &mut PgConnection) -> Result<()> {
    let role: String = sqlx::query_scalar("select current_user::text").fetch_one(connection).await?;
    if role == SERVICE {
        bail!(
            "{SERVICE} is what the service connects as and may not migrate: give the owner's or an \
               administrator's URL as MIGRATION_DATABASE_URL"
        );
    }
    Ok(())
}

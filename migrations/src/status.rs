//! What a database has, against what this build carries. Reads only.

use crate::{address, files, functions, roles};
use anyhow::Result;
use sqlx::{Connection, Executor, PgConnection};
use std::collections::BTreeMap;

/// How one file stands in a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The database has it as it is.
    Current,
    /// `up` would apply it.
    Pending,
    /// The database has it with other text. A migration must be put back; a function `up` replaces.
    Changed,
    /// The database has it and this build does not.
    Unknown,
}

/// What `up` would find.
#[derive(Debug, Clone)]
pub struct Status {
    /// Roles that `up` would make.
    pub roles_missing: Vec<String>,
    /// Versioned files, by path; one that this build does not know by its number.
    pub migrations: Vec<(String, Standing)>,
    /// Files of functions, by path.
    pub functions: Vec<(String, Standing)>,
}

impl Status {
    /// Whether `up` would have nothing to do.
    pub fn is_current(&self) -> bool {
        self.roles_missing.is_empty()
            && self
                .migrations
                .iter()
                .chain(&self.functions)
                .all(|(_, standing)| *standing == Standing::Current)
    }
}

/// Compares the database at `admin_url` with this build, in a session that cannot write.
pub async fn status(admin_url: &str) -> Result<Status> {
    let migrator = files::migrator()?;
    let mut connection = address::connect(admin_url).await?;
    connection.execute("set default_transaction_read_only = on").await?;

    let mut roles_missing = Vec::new();
    for role in [roles::OWNER, roles::SERVICE] {
        if !roles::exists(&mut connection, role).await? {
            roles_missing.push(role.to_owned());
        }
    }

    let mut applied = BTreeMap::new();
    let mut recorded = BTreeMap::new();
    if table_exists(&mut connection, "imaging_migrations.functions").await? {
        roles::become_owner(&mut connection).await?;
        applied = self::applied(&mut connection).await?;
        recorded = functions::recorded(&mut connection).await?;
    }
    connection.close().await?;

    let mut migrations = Vec::new();
    for migration in migrator.iter() {
        let standing = match applied.remove(&migration.version) {
            None => Standing::Pending,
            Some(checksum) if checksum == *migration.checksum => Standing::Current,
            Some(_) => Standing::Changed,
        };
        let path = files::of_version(migration.version).map_or("", |file| file.path);
        migrations.push((path.to_owned(), standing));
    }
    migrations.extend(applied.keys().map(|version| (format!("migration {version}"), Standing::Unknown)));

    let mut functions = Vec::new();
    for (path, checksum) in functions::wanted() {
        let standing = match recorded.remove(&path) {
            None => Standing::Pending,
            Some(known) if known == checksum => Standing::Current,
            Some(_) => Standing::Changed,
        };
        functions.push((path, standing));
    }
    functions.extend(recorded.into_keys().map(|path| (path, Standing::Unknown)));

    Ok(Status { roles_missing, migrations, functions })
}

/// Version and checksum of every migration that the database has.
pub(crate) async fn applied(connection: &mut PgConnection) -> Result<BTreeMap<i64, Vec<u8>>> {
    if !table_exists(connection, files::TABLE).await? {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("select version, checksum from imaging_migrations.applied")
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().collect())
}

async fn table_exists(connection: &mut PgConnection, name: &str) -> Result<bool> {
    // Not to_regclass, which needs the right to look into the schema.
    let (schema, table) = name.split_once('.').unwrap_or(("public", name));
    let exists = sqlx::query_scalar(
        "select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
                        where n.nspname = $1 and c.relname = $2)",
    )
    .bind(schema)
    .bind(table)
    .fetch_one(connection)
    .await?;
    Ok(exists)
}

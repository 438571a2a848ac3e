//! The SQL that this binary carries, read from the repository when it was built.

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// One SQL file, by its path in the repository.
#[derive(Debug, Clone, Copy)]
pub(crate) struct File {
    pub(crate) path: &'static str,
    pub(crate) sql: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// The schema that holds what this tool remembers, away from `public`, where Prisma keeps its own tables.
pub(crate) const SCHEMA: &str = "imaging_migrations";
pub(crate) const TABLE: &str = "imaging_migrations.applied";

impl File {
    pub(crate) fn checksum(&self) -> String {
        Sha256::digest(self.sql.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// `migrations/0002_findings.sql` is version 2, "findings".
    fn version(&self) -> Result<(i64, String)> {
        let name = self.path.rsplit('/').next().unwrap_or(self.path).trim_end_matches(".sql");
        let Some((number, description)) = name.split_once('_') else {
            bail!("{}: name it NNNN_what_it_does.sql", self.path);
        };
        let version = number
            .parse()
            .with_context(|| format!("{}: name it NNNN_what_it_does.sql, NNNN a number", self.path))?;
        Ok((version, description.replace('_', " ")))
    }
}

/// The versioned files as sqlx wants them.
pub(crate) fn migrator() -> Result<Migrator> {
    let mut migrations: Vec<Migration> = Vec::new();
    for file in MIGRATIONS {
        let (version, description) = file.version()?;
        if let Some(twin) = migrations.iter().find(|other| other.version == version) {
            bail!(
                "{} and the migration \"{}\" have the same number: renumber the newer one",
                file.path,
                twin.description
            );
        }
        // What cannot run in a transaction (`create index concurrently`) says so in its first line.
        let outside_transaction = file.sql.starts_with("-- no-transaction");
        migrations.push(Migration::new(
            version,
            description.into(),
            MigrationType::Simple,
            file.sql.into_sql_str(),
            outside_transaction,
        ));
    }
    let mut migrator = Migrator::with_migrations(migrations);
    // Our own lock is held on the same connection, across roles, migrations and functions.
    migrator.set_locking(false);
    migrator.create_schema(SCHEMA);
    migrator.dangerous_set_table_name(TABLE);
    Ok(migrator)
}

/// The file that a version came from.
pub(crate) fn of_version(version: i64) -> Option<&'static File> {
    MIGRATIONS.iter().find(|file| file.version().is_ok_and(|(number, _)| number == version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_migration_has_a_number_of_its_own() {
        migrator().unwrap();
    }

    #[test]
    fn a_file_name_gives_version_and_description() {
        let file = File { path: "migrations/0012_two_words.sql", sql: "" };
        assert_eq!(file.version().unwrap(), (12, "two words".to_owned()));
        assert!(File { path: "migrations/oops.sql", sql: "" }.version().is_err());
    }

    #[test]
    fn shared_functions_come_before_the_families() {
        let first_family = FUNCTIONS.iter().position(|file| !file.path.starts_with("components/service/"));
        let last_shared = FUNCTIONS.iter().rposition(|file| file.path.starts_with("components/service/"));
        if let (Some(family), Some(shared)) = (first_family, last_shared) {
            assert!(shared < family);
        }
    }
}

//! Errors of SQL files, told by file, line and what to do.

use crate::files::{self, File};
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgDatabaseError, PgErrorPosition};

/// An error with its causes in one text. What the database said ends it: sqlx would repeat that in its own words, with
/// a line of Postgres' source.
pub fn explain(error: &anyhow::Error) -> String {
    let mut causes = Vec::new();
    for cause in error.chain() {
        if let Some(said) = cause.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error) {
            causes.push(said.message().to_owned());
            break;
        }
        let cause = cause.to_string();
        // Some errors contain their cause's text already.
        if !causes.iter().any(|text: &String| text.contains(&cause)) {
            causes.push(cause);
        }
    }
    causes.join(": ")
}

/// What Postgres said about a file, with the place it pointed at.
pub(crate) fn in_file(file: &File, error: &sqlx::Error) -> anyhow::Error {
    let Some(database) =
        error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>())
    else {
        return anyhow::anyhow!("{}: {error}", file.path);
    };

    let mut text = file.path.to_owned();
    if let Some(PgErrorPosition::Original(position)) = database.position() {
        let (line, column) = line_and_column(file.sql, position);
        text.push_str(&format!(":{line}:{column}"));
    }
    text.push_str(&format!(": {} (SQLSTATE {})", database.message(), database.code()));
    if let Some(PgErrorPosition::Internal { position, query }) = database.position() {
        let (line, column) = line_and_column(query, position);
        let shown = query.lines().nth(line.saturating_sub(1)).unwrap_or_default().trim();
        text.push_str(&format!("\n  at line {line}, column {column} of the function's body: {shown}"));
    }
    for (name, value) in
        [("detail", database.detail()), ("hint", database.hint()), ("where", database.r#where())]
    {
        if let Some(value) = value {
            text.push_str(&format!("\n  {name}: {value}"));
        }
    }
    if let Some(advice) = advice(database.code()) {
        text.push_str(&format!("\n  {advice}"));
    }
    text.push_str("\n  Nothing of this file was kept; correct it and run `migrate up` again.");
    anyhow::anyhow!(text)
}

/// What sqlx's migrator said, in the words of this repository.
pub(crate) fn in_migrations(error: MigrateError) -> anyhow::Error {
    match error {
        MigrateError::ExecuteMigration(error, version) => match files::of_version(version) {
            Some(file) => in_file(file, &error),
            None => anyhow::anyhow!("migration {version}: {error}"),
        },
        MigrateError::VersionMissing(version) => anyhow::anyhow!(
            "the database has migration {version}, which this build does not know: it is older than the database. \
             Run the `migrate` of the newer release"
        ),
        MigrateError::VersionMismatch(version) => {
            let path = files::of_version(version).map_or("its file", |file| file.path);
            anyhow::anyhow!(
                "migration {version} was applied to this database with other text than {path} has now. \
                 Put the file back as it was and write the change as a new migration; a database of your own \
                 that holds nothing of value may be thrown away instead (`cargo up --fresh`)"
            )
        }
        other => anyhow::Error::new(other).context("migrations could not be applied"),
    }
}

fn advice(code: &str) -> Option<&'static str> {
    match code {
        // invalid_function_definition: `create or replace` may not change names of parameters or the result.
        "42P13" => Some("A function's parameters and result may not change: give the new one another name."),
        "42501" => Some("Files run as the role imaging_owner: it must own, or be granted, what they touch."),
        "55P03" => Some("Something holds a lock on it: end long transactions, then try again."),
        _ => None,
    }
}

/// Postgres counts characters from 1 over the whole text.
fn line_and_column(text: &str, position: usize) -> (usize, usize) {
    let before: String = text.chars().take(position.saturating_sub(1)).collect();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::line_and_column;

    #[test]
    fn positions_count_characters_not_bytes() {
        assert_eq!(line_and_column("select 1", 1), (1, 1));
        assert_eq!(line_and_column("-- é\nselect x", 13), (2, 8));
        assert_eq!(line_and_column("a\n\nb", 4), (3, 1));
    }
}

//! Which database: read from a URL as Prisma and others write it.

use anyhow::{Context, Result, bail};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use std::str::FromStr;

/// What Prisma adds to a URL and libpq does not know.
const PRISMA_ONLY: &[&str] = &[
    "schema",
    "connection_limit",
    "pool_timeout",
    "socket_timeout",
    "connect_timeout",
    "pgbouncer",
    "statement_cache_size",
    "sslaccept",
    "sslidentity",
    "sslpassword",
];

/// Connects as the owner or administrator that the URL names.
///
/// An error names host, database and role, never the password.
pub(crate) async fn connect(url: &str) -> Result<PgConnection> {
    let url = without_prisma_parameters(url)?;
    let options = PgConnectOptions::from_str(&url)
        .context("the database URL cannot be read: write it as postgres://role:password@host:5432/database")?
        .application_name("migrate");
    let shown = format!(
        "{} at {}:{} as {}",
        options.get_database().unwrap_or(options.get_username()),
        options.get_host(),
        options.get_port(),
        options.get_username(),
    );
    options.connect().await.with_context(|| format!("no connection to the database {shown}"))
}

fn without_prisma_parameters(url: &str) -> Result<String> {
    let url = url.trim();
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        bail!("the database URL must begin with postgres:// or postgresql://");
    }
    let Some((address, query)) = url.split_once('?') else {
        return Ok(url.to_owned());
    };
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| !PRISMA_ONLY.contains(&pair.split('=').next().unwrap_or_default()))
        .filter(|pair| !pair.is_empty())
        .collect();
    if kept.is_empty() { Ok(address.to_owned()) } else { Ok(format!("{address}?{}", kept.join("&"))) }
}

#[cfg(test)]
mod tests {
    use super::without_prisma_parameters;

    #[test]
    fn prisma_parameters_are_left_out_and_others_kept() {
        let cases = [
            ("postgres://u:p@h/d?schema=public", "postgres://u:p@h/d"),
            (
                "postgresql://u:p@h/d?schema=a&sslmode=require&connection_limit=5",
                "postgresql://u:p@h/d?sslmode=require",
            ),
            ("postgres://u:p@h/d", "postgres://u:p@h/d"),
        ];
        for (given, wanted) in cases {
            assert_eq!(without_prisma_parameters(given).unwrap(), wanted);
        }
        assert!(without_prisma_parameters("mysql://u@h/d").is_err());
    }
}

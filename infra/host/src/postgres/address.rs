//! Addresses of databases: what `tokio-postgres` reads, and what other clients write in theirs.

use anyhow::{Context, Result, bail, ensure};
use tokio_postgres::config::{Config, Host, SslMode};

/// A database address that may be connected to.
#[derive(Debug)]
pub struct Address {
    pub config: Config,
    pub tls: bool,
}

/// Options of Prisma's that mean nothing to a connection.
const PRISMAS: [&str; 8] = [
    "connection_limit",
    "pgbouncer",
    "pool_timeout",
    "schema",
    "single_use_connections",
    "socket_timeout",
    "sslaccept",
    "statement_cache_size",
];

impl Address {
    pub fn parse(text: &str) -> Result<Self> {
        let config: Config = understandable(text).parse().context("this is not the address of a database")?;
        // With TLS the certificate is always verified: `require` means here what `verify-full` says.
        let tls = config.get_ssl_mode() == SslMode::Require;
        Ok(Self { config, tls })
    }

    /// The hosts and ports that it may connect to.
    pub fn hosts(&self) -> Result<Vec<(&str, u16)>> {
        let hosts = self.config.get_hosts();
        let ports = self.config.get_ports();
        ensure!(!hosts.is_empty(), "the address names no host");
        ensure!(self.config.get_hostaddrs().is_empty(), "hostaddr would go past allowed_outbound_hosts");
        hosts
            .iter()
            .enumerate()
            .map(|(index, host)| match host {
                Host::Tcp(name) => {
                    Ok((name.as_str(), ports.get(index).or(ports.first()).copied().unwrap_or(5432)))
                }
                #[cfg(unix)]
                Host::Unix(_) => bail!("a component cannot connect to a Unix socket"),
            })
            .collect()
    }
}

/// `host:port` of an address that names one.
pub fn host_and_port(text: &str) -> Option<String> {
    let address = Address::parse(text).ok()?;
    match address.hosts().ok()?.as_slice() {
        [(host, port)] if host.contains(':') => Some(format!("[{host}]:{port}")),
        [(host, port)] => Some(format!("{host}:{port}")),
        _ => None,
    }
}

/// Without Prisma's options, and with libpq's names for verified TLS put in the one that `tokio-postgres` knows.
fn understandable(text: &str) -> String {
    let Some((base, query)) = text.split_once('?') else { return text.to_owned() };
    let options: Vec<_> = query
        .split('&')
        .filter(|option| !PRISMAS.contains(&option.split('=').next().unwrap_or_default()))
        .map(|option| match option {
            "sslmode=verify-ca" | "sslmode=verify-full" => "sslmode=require",
            "sslmode=allow" => "sslmode=prefer",
            other => other,
        })
        .collect();
    if options.is_empty() { base.to_owned() } else { format!("{base}?{}", options.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_prisma_writes_is_understood() {
        let address = Address::parse("postgresql://me:x@db:5433/i?schema=public&connection_limit=5").unwrap();

        assert_eq!(address.hosts().unwrap(), [("db", 5433)]);
        assert_eq!(address.config.get_dbname(), Some("i"));
        assert!(!address.tls);
    }

    #[test]
    fn tls_follows_sslmode() {
        let tls = |query: &str| Address::parse(&format!("postgres://db/i?{query}")).unwrap().tls;

        assert!(tls("sslmode=require") && tls("schema=a&sslmode=verify-full") && tls("sslmode=verify-ca"));
        assert!(!tls("sslmode=disable") && !tls("sslmode=prefer") && !tls("application_name=x"));
    }

    #[test]
    fn ways_round_the_allowed_hosts_are_refused() {
        assert!(Address::parse("postgres:///i").unwrap().hosts().is_err());
        assert!(Address::parse("host=/run/postgresql dbname=i").unwrap().hosts().is_err());
        assert!(Address::parse("host=db hostaddr=10.0.0.1 dbname=i").unwrap().hosts().is_err());
        assert_eq!(Address::parse("postgres://a:1,b:2/i").unwrap().hosts().unwrap(), [("a", 1), ("b", 2)]);
        assert_eq!(host_and_port("postgres://a:1,b:2/i"), None);
    }
}

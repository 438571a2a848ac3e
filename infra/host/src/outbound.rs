//! `allowed_outbound_hosts`: where a component may connect to, by Spin's rules. What is not named is refused.

use crate::settings::{Secret, Settings};
use crate::template::Template;
use anyhow::{Context, Result, bail, ensure};
use std::ops::RangeInclusive;

/// The hosts that one component may reach.
#[derive(Debug, Default)]
pub struct AllowedHosts(Vec<Entry>);

#[derive(Debug, PartialEq)]
struct Entry {
    scheme: Option<String>,
    host: Host,
    ports: RangeInclusive<u16>,
}

#[derive(Debug, PartialEq)]
enum Host {
    Any,
    /// `*.example.com`, kept with its leading dot.
    Under(String),
    Exactly(String),
    /// `self`: this application.
    Own,
}

impl AllowedHosts {
    /// An entry whose variables have no value allows nothing; so does one that they make malformed, with a warning.
    pub fn resolve(component: &str, entries: &[String], settings: &Settings) -> Result<Self> {
        let mut allowed = Vec::new();
        for entry in entries {
            let about = || format!("component {component:?}, allowed_outbound_hosts entry {entry:?}");
            let template = Template::parse(entry).with_context(about)?;
            for name in template.variables() {
                ensure!(settings.is_declared(name), "{}: add {name:?} to [variables]", about());
            }
            let value = |name: &str| settings.get(name).map(Secret::expose).filter(|value| !value.is_empty());
            let Ok(text) = template.render(value) else { continue };
            match Entry::parse(&text) {
                Ok(entry) => allowed.push(entry),
                Err(error) if template.variables().next().is_none() => return Err(error.context(about())),
                Err(error) => {
                    tracing::warn!(component, entry, "allows nothing, its variable is malformed: {error:#}");
                }
            }
        }
        Ok(Self(allowed))
    }

    pub fn allows(&self, scheme: &str, host: &str, port: Option<u16>) -> bool {
        let Some(port) = port.or_else(|| default_port(scheme)) else { return false };
        let host = normalized(host);
        self.0.iter().any(|entry| {
            entry.allows_scheme(scheme) && entry.ports.contains(&port) && entry.host.allows(&host)
        })
    }

    /// Whether the component may call the application that it is part of.
    pub fn allows_self(&self) -> bool {
        self.0.iter().any(|entry| {
            matches!(entry.host, Host::Own | Host::Any)
                && (entry.allows_scheme("http") || entry.allows_scheme("https"))
        })
    }
}

impl Entry {
    fn parse(text: &str) -> Result<Self> {
        let (scheme, rest) = text
            .split_once("://")
            .context("write it as scheme://host:port, `*` stands for any of the three")?;
        ensure!(
            scheme == "*" || (!scheme.is_empty() && scheme.chars().all(|char| char.is_ascii_alphabetic())),
            "{scheme:?} is not a scheme"
        );
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        ensure!(!rest.contains(['/', '?', '#', '@']), "only a host and a port may follow the scheme");

        let (host, port) = match rest.rsplit_once(':') {
            // The colons of a bare IPv6 address are within its brackets.
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let host = match host {
            "*" => Host::Any,
            "self" | "self.alt" => Host::Own,
            "" => bail!("the host is missing"),
            _ => match host.strip_prefix('*') {
                Some(suffix) if suffix.starts_with('.') && !suffix.contains('*') => {
                    Host::Under(normalized(suffix))
                }
                Some(_) => {
                    bail!("a wildcard may only stand for whole labels at the start, as in *.example.com")
                }
                None if host.contains(['*', '{', ' ', ',']) => bail!("{host:?} is not the name of one host"),
                None => Host::Exactly(normalized(host)),
            },
        };
        let ports = match port {
            Some("*") => 0..=u16::MAX,
            Some(port) => parse_ports(port)?,
            None if host == Host::Own => 0..=u16::MAX,
            None => {
                let port = default_port(scheme).with_context(|| format!("{scheme}:// needs a port"))?;
                port..=port
            }
        };
        Ok(Self { scheme: (scheme != "*").then(|| scheme.to_ascii_lowercase()), host, ports })
    }

    fn allows_scheme(&self, scheme: &str) -> bool {
        self.scheme.as_deref().is_none_or(|allowed| allowed == scheme)
    }
}

impl Host {
    fn allows(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Under(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
            Self::Exactly(name) => host == name,
            Self::Own => false,
        }
    }
}

/// `443`, or `8000..8010` without its end.
fn parse_ports(text: &str) -> Result<RangeInclusive<u16>> {
    let number = |text: &str| text.parse::<u16>().with_context(|| format!("{text:?} is not a port"));
    let Some((start, end)) = text.split_once("..") else {
        let port = number(text)?;
        return Ok(port..=port);
    };
    let (start, end) = (number(start)?, number(end)?);
    ensure!(start < end, "{text:?} holds no port");
    Ok(start..=end.saturating_sub(1))
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        "postgres" | "postgresql" => Some(5432),
        _ => None,
    }
}

fn normalized(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Declaration;
    use crate::settings::Environment;

    fn allowed(entry: &str) -> AllowedHosts {
        AllowedHosts(vec![Entry::parse(entry).unwrap()])
    }

    #[test]
    fn scheme_host_and_port_must_all_fit() {
        let database = allowed("postgres://127.0.0.1:5499");
        assert!(database.allows("postgres", "127.0.0.1", Some(5499)));
        assert!(!database.allows("postgres", "127.0.0.1", None));
        assert!(!database.allows("postgres", "127.0.0.2", Some(5499)));
        assert!(!database.allows("http", "127.0.0.1", Some(5499)));

        assert!(allowed("postgres://db").allows("postgres", "DB", None));
        assert!(allowed("https://[::1]").allows("https", "[::1]", Some(443)));
        assert!(allowed("https://example.com/").allows("https", "example.com", None));
    }

    #[test]
    fn wildcards_stand_for_subdomains_ports_or_everything() {
        let storage = allowed("https://*.blob.core.windows.net:443");
        assert!(storage.allows("https", "scans.blob.core.windows.net", None));
        assert!(!storage.allows("https", "blob.core.windows.net", None));
        assert!(!storage.allows("https", "evilblob.core.windows.net", None));
        assert!(!storage.allows("https", "scans.blob.core.windows.net.evil.example", None));

        assert!(allowed("*://*:*").allows("redis", "anything", Some(1)));
        assert!(allowed("http://a:*").allows("http", "a", Some(9)));
        assert!(allowed("http://a:8000..8002").allows("http", "a", Some(8001)));
        assert!(!allowed("http://a:8000..8002").allows("http", "a", Some(8002)));
    }

    #[test]
    fn the_application_itself_is_no_host() {
        let own = allowed("http://self");
        assert!(own.allows_self());
        assert!(!own.allows("http", "self", None));
        assert!(!allowed("http://example.com").allows_self());
        assert!(!AllowedHosts::default().allows_self());
    }

    #[test]
    fn an_entry_whose_variable_is_empty_allows_nothing() {
        let declared = [("jwks_host".to_owned(), Declaration { default: Some(Secret::from(String::new())) })];
        let settings = Settings::resolve(&declared.into(), &Environment::read(None).unwrap());
        let entries = ["http", "https", "*"].map(|scheme| format!("{scheme}://{{{{ jwks_host }}}}"));

        let allowed = AllowedHosts::resolve("orders", &entries, &settings).unwrap();

        assert_eq!(allowed.0, []);
        assert!(!allowed.allows("https", "", Some(443)) && !allowed.allows_self());
    }

    #[test]
    fn malformed_entries_are_refused() {
        for entry in [
            "example.com",
            "https://",
            "https://a/b",
            "https://user@a",
            "https://a*.com",
            "redis://a",
            "http://a:x",
            "http://{a,b}",
            "postgres://a:1,b:2",
        ] {
            assert!(Entry::parse(entry).is_err(), "{entry}");
        }
    }
}

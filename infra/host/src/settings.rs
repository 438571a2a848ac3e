//! The values of the application's variables: what was set, what follows from what was set, else the defaults.

use crate::manifest::Declaration;
use crate::postgres::address;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// A value that has no way into a log: its `Debug` hides it, and it has no `Display`.
#[derive(Clone, PartialEq)]
pub struct Secret(String);

impl Secret {
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(hidden)")
    }
}

/// The process's environment, and beneath it an env file.
#[derive(Debug)]
pub struct Environment {
    process: BTreeMap<String, Secret>,
    file: BTreeMap<String, Secret>,
}

impl Environment {
    pub fn read(file: Option<&Path>) -> Result<Self> {
        let process = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, Secret(value.into_string().ok()?))))
            .collect();
        let file = match file {
            None => BTreeMap::new(),
            Some(path) => {
                let text = std::fs::read_to_string(path).with_context(|| {
                    format!("cannot read {}: correct --env-file or leave it out", path.display())
                })?;
                parse_file(&text).with_context(|| format!("in {}", path.display()))?
            }
        };
        Ok(Self { process, file })
    }

    /// A value that is set to something.
    pub fn get(&self, name: &str) -> Option<&str> {
        [&self.process, &self.file]
            .into_iter()
            .find_map(|values| values.get(name).map(Secret::expose).filter(|value| !value.is_empty()))
    }
}

/// Lines of `NAME=value`; blank lines, `# comments`, a leading `export` and quotes around the value are understood.
fn parse_file(text: &str) -> Result<BTreeMap<String, Secret>> {
    let mut values = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        // The line itself is not shown: it may hold a secret.
        let Some((name, value)) = line.split_once('=') else {
            bail!("line {} is not NAME=value", index + 1);
        };
        let value = value.trim();
        let quoted = |quote| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        let value = quoted('"').or_else(|| quoted('\'')).unwrap_or(value);
        values.insert(name.trim().to_owned(), Secret(value.to_owned()));
    }
    Ok(values)
}

/// The variables of the application; one without a value is undefined.
#[derive(Debug)]
pub struct Settings(BTreeMap<String, Option<Secret>>);

impl Settings {
    pub fn resolve(declared: &BTreeMap<String, Declaration>, environment: &Environment) -> Self {
        let set = |name: &String| {
            let upper = name.to_ascii_uppercase();
            let value =
                environment.get(&format!("SPIN_VARIABLE_{upper}")).or_else(|| environment.get(&upper));
            value.map(|value| Secret(value.to_owned()))
        };
        let given: BTreeMap<_, _> = declared
            .iter()
            .map(|(name, declaration)| (name.clone(), set(name).or_else(|| declaration.default.clone())))
            .collect();

        let mut values = given.clone();
        for (name, value) in &mut values {
            if set(name).is_none()
                && let Some(host) = derive(name, &given)
            {
                *value = Some(Secret(host));
            }
        }
        Self(values)
    }

    pub fn is_declared(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)?.as_ref()
    }

    /// The names of the variables that are required and have no value.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.as_str())
    }
}

/// `host:port` for a variable that `allowed_outbound_hosts` names, out of the URL that says where to connect.
fn derive(name: &str, values: &BTreeMap<String, Option<Secret>>) -> Option<String> {
    let value = |name: &str| Some(values.get(name)?.as_ref()?.expose()).filter(|value| !value.is_empty());
    match name {
        "database_host" => address::host_and_port(value("database_url")?),
        "storage_host" => storage_host(value("azure_storage_connection_string")?),
        "notification_host" => url_host(value("notification_service_url")?),
        "ehr_host" => url_host(value("ehr_service_url")?),
        "jwks_host" => url_host(value("jwks_url")?),
        _ => None,
    }
}

fn url_host(url: &str) -> Option<String> {
    let uri: http::Uri = url.trim().parse().ok()?;
    let default = match uri.scheme_str()? {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    Some(format!("{}:{}", uri.host()?, uri.port_u16().unwrap_or(default)))
}

/// Azure's connection strings: an endpoint, else an account under a suffix, or the emulator's short form.
fn storage_host(connection: &str) -> Option<String> {
    let part = |wanted: &str| {
        connection.split(';').find_map(|part| {
            let (name, value) = part.split_once('=')?;
            (name.trim().eq_ignore_ascii_case(wanted) && !value.is_empty()).then(|| value.trim())
        })
    };
    if let Some(endpoint) = part("BlobEndpoint") {
        return url_host(endpoint);
    }
    if part("UseDevelopmentStorage").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Some("127.0.0.1:10000".to_owned());
    }
    let account = part("AccountName")?;
    let suffix = part("EndpointSuffix").unwrap_or("core.windows.net");
    let port = if part("DefaultEndpointsProtocol") == Some("http") { 80 } else { 443 };
    Some(format!("{account}.blob.{suffix}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(declared: &[(&str, Option<&str>)], set: &[(&str, &str)], file: &str) -> Settings {
        let declared = declared
            .iter()
            .map(|(name, default)| {
                let default = default.map(|default| Secret(default.to_owned()));
                ((*name).to_owned(), Declaration { default })
            })
            .collect();
        let process =
            set.iter().map(|(name, value)| ((*name).to_owned(), Secret((*value).to_owned()))).collect();
        Settings::resolve(&declared, &Environment { process, file: parse_file(file).unwrap() })
    }

    fn get<'a>(settings: &'a Settings, name: &str) -> Option<&'a str> {
        settings.get(name).map(Secret::expose)
    }

    #[test]
    fn spins_own_name_beats_the_platforms_and_both_beat_the_default() {
        let declared = [("log_level", Some("info"))];

        let both = [("SPIN_VARIABLE_LOG_LEVEL", "debug"), ("LOG_LEVEL", "warn")];
        assert_eq!(get(&settings(&declared, &both, ""), "log_level"), Some("debug"));
        assert_eq!(get(&settings(&declared, &[("LOG_LEVEL", "warn")], ""), "log_level"), Some("warn"));
        assert_eq!(get(&settings(&declared, &[("LOG_LEVEL", "")], ""), "log_level"), Some("info"));
        assert_eq!(get(&settings(&declared, &[], ""), "log_level"), Some("info"));
    }

    #[test]
    fn the_environment_beats_the_env_file() {
        let file = "# secrets\n\nexport JWT_SECRET='from file'\nEVENT_KEY=\"a=b\"\n";
        let declared = [("jwt_secret", None), ("event_key", None)];

        let settings = settings(&declared, &[("JWT_SECRET", "from process")], file);

        assert_eq!(get(&settings, "jwt_secret"), Some("from process"));
        assert_eq!(get(&settings, "event_key"), Some("a=b"));
        assert!(parse_file("nonsense").is_err());
    }

    #[test]
    fn a_required_variable_without_a_value_is_undefined_and_named() {
        let settings = settings(&[("phi_keys", None), ("port", Some(""))], &[], "");

        assert_eq!(settings.get("phi_keys"), None);
        assert_eq!(settings.missing().collect::<Vec<_>>(), ["phi_keys"]);
        assert!(settings.is_declared("phi_keys") && !settings.is_declared("other"));
    }

    #[test]
    fn the_hosts_follow_from_the_urls() {
        let check = |name: &str, url_name: &str, url: &str, host: Option<&str>| {
            let declared = [(name, None), (url_name, None)];
            let set = [(url_name.to_ascii_uppercase(), url)];
            let set: Vec<_> = set.iter().map(|(name, url)| (name.as_str(), *url)).collect();
            assert_eq!(get(&settings(&declared, &set, ""), name), host, "{url}");
        };

        let database = |url, host| check("database_host", "database_url", url, host);
        database("postgres://me:p%40ss@db.example:6543/imaging?schema=public", Some("db.example:6543"));
        database("postgresql://me@127.0.0.1/imaging", Some("127.0.0.1:5432"));
        database("not a url", None);

        let storage = |string, host| check("storage_host", "azure_storage_connection_string", string, host);
        storage(
            "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=a==;\
             BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;",
            Some("127.0.0.1:10000"),
        );
        storage(
            "DefaultEndpointsProtocol=https;AccountName=scans;AccountKey=a==;EndpointSuffix=core.windows.net",
            Some("scans.blob.core.windows.net:443"),
        );
        storage("BlobEndpoint=https://scans.example/;SharedAccessSignature=x", Some("scans.example:443"));
        storage("UseDevelopmentStorage=true", Some("127.0.0.1:10000"));
        storage("nonsense", None);

        let ehr = |url, host| check("ehr_host", "ehr_service_url", url, host);
        ehr("http://ehr.example:8080/api", Some("ehr.example:8080"));
        ehr("https://ehr.example", Some("ehr.example:443"));
        ehr("", None);

        let keys = |url, host| check("jwks_host", "jwks_url", url, host);
        keys("https://login.example/realms/care/keys?v=2", Some("login.example:443"));
        keys("http://[::1]:8080/keys", Some("[::1]:8080"));
        keys("ftp://login.example/keys", None);
    }

    #[test]
    fn a_host_that_is_set_is_not_derived() {
        let declared = [("ehr_host", Some("")), ("ehr_service_url", Some("http://ehr"))];

        assert_eq!(get(&settings(&declared, &[], ""), "ehr_host"), Some("ehr:80"));
        let set = [("EHR_HOST", "proxy:3128")];
        assert_eq!(get(&settings(&declared, &set, ""), "ehr_host"), Some("proxy:3128"));
    }

    #[test]
    fn values_are_hidden_from_logs() {
        let settings = settings(&[("jwt_secret", None)], &[("JWT_SECRET", "s3cret")], "");

        assert!(!format!("{settings:?}").contains("s3cret"));
        assert_eq!(format!("{:?}", Secret("s3cret".to_owned())), "(hidden)");
    }
}

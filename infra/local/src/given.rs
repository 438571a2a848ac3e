//! What the environment gives instead of what would be made up here.

use crate::secrets::Secrets;
use crate::storage::Account;
use anyhow::{Context, Result, bail};

/// Where the service is reached unless PORT says otherwise.
const PORT: u16 = 3006;

/// Settings that go to the service as they are, where they are set.
const PASSED_ON: &[&str] = &[
    "AZURE_STORAGE_AUDIT_CONTAINER_NAME",
    "EHR_SERVICE_KEY",
    "EHR_SERVICE_URL",
    "JWKS_URL",
    "JWT_ISSUER",
    "JWT_AUDIENCE",
    "LOG_LEVEL",
    "NOTIFICATION_SERVICE_KEY",
    "NOTIFICATION_SERVICE_URL",
    "PORTAL_URL",
];

/// The environment's part of the settings.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) port: u16,
    pub(crate) database: Option<GivenDatabase>,
    pub(crate) account: Option<Account>,
    pub(crate) container: String,
    pub(crate) jwt_secret: String,
    pub(crate) phi_keys: String,
    pub(crate) event_key: String,
    pub(crate) passed_on: Vec<(String, String)>,
}

/// A database that is not ours: nothing in it is made up or thrown away.
#[derive(Debug)]
pub(crate) struct GivenDatabase {
    /// For the service; migrated with as well when `migration` is not given.
    pub(crate) url: String,
    pub(crate) migration: Option<String>,
    pub(crate) service_password: Option<String>,
}

impl Given {
    pub(crate) fn read(secrets: &Secrets) -> Result<Self> {
        let database = variable("DATABASE_URL").map(|url| GivenDatabase {
            url,
            migration: variable("MIGRATION_DATABASE_URL"),
            service_password: variable("IMAGING_SERVICE_PASSWORD"),
        });
        let phi_keys = match (variable("PHI_KEYS"), &database) {
            (Some(keys), _) => keys,
            (None, None) => secrets.phi_keys.clone(),
            (None, Some(_)) => bail!(
                "DATABASE_URL is set and PHI_KEYS is not. What seals the patients' data in a database of yours must \
                 be kept by you: without it that data is lost. Make a key once with\n\n    \
                 echo \"k1:$(openssl rand -base64 32)\"\n\nkeep it where you keep secrets, and set PHI_KEYS to it"
            ),
        };
        let account = match variable("AZURE_STORAGE_CONNECTION_STRING") {
            Some(text) => {
                Some(Account::parse(&text).context("AZURE_STORAGE_CONNECTION_STRING cannot be used")?)
            }
            None => None,
        };
        Ok(Self {
            port: port()?,
            database,
            account,
            container: variable("AZURE_STORAGE_CONTAINER_NAME")
                .unwrap_or_else(|| "medical-images".to_owned()),
            jwt_secret: jwt_secret(secrets),
            phi_keys,
            event_key: variable("EVENT_KEY").unwrap_or_else(|| secrets.event_key.clone()),
            passed_on: PASSED_ON
                .iter()
                .filter_map(|name| Some((name.to_lowercase(), variable(name)?)))
                .collect(),
        })
    }
}

/// What tokens are signed with.
pub(crate) fn jwt_secret(secrets: &Secrets) -> String {
    variable("JWT_SECRET").unwrap_or_else(|| secrets.jwt_secret.clone())
}

/// A variable of the environment; an empty one is as good as none.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

fn port() -> Result<u16> {
    let Some(text) = variable("PORT") else { return Ok(PORT) };
    match text.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => bail!("PORT is {text:?}: it must be a number from 1 to 65535"),
    }
}

impl GivenDatabase {
    /// The role that the service's URL names.
    pub(crate) fn role(&self) -> Option<&str> {
        let credentials = self.credentials()?;
        Some(credentials.split_once(':').map_or(credentials, |(role, _)| role))
    }

    /// The same database for the role imaging_service.
    pub(crate) fn url_of_service(&self, password: &str) -> Result<String> {
        let credentials = self.credentials().context("DATABASE_URL names no role")?;
        // A password from the environment may hold what a URL may not.
        let escaped: String = password
            .bytes()
            .map(|byte| match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    char::from(byte).to_string()
                }
                other => format!("%{other:02X}"),
            })
            .collect();
        Ok(self.url.replacen(&format!("://{credentials}@"), &format!("://imaging_service:{escaped}@"), 1))
    }

    fn credentials(&self) -> Option<&str> {
        let (_, rest) = self.url.split_once("://")?;
        let authority = rest.split(['/', '?']).next()?;
        Some(authority.rsplit_once('@')?.0)
    }
}

#[cfg(test)]
mod tests {
    use super::GivenDatabase;

    #[test]
    fn the_services_url_differs_in_role_and_password_only() {
        let database = GivenDatabase {
            url: "postgresql://owner:p%40ss@db.example.org:5432/imaging?sslmode=require".to_owned(),
            migration: None,
            service_password: None,
        };
        assert_eq!(database.role(), Some("owner"));
        assert_eq!(
            database.url_of_service("a/b").unwrap(),
            "postgresql://imaging_service:a%2Fb@db.example.org:5432/imaging?sslmode=require"
        );
    }
}

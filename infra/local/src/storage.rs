//! Blob storage: Azurite, or an account that was given.

use crate::process::Process;
use crate::{home, orphans, packages, places, ports, random};
use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::StatusCode;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

/// The version of the storage protocol that we speak, in which no header below is left out of what is signed.
const VERSION: &str = "2021-12-02";

/// A storage account and where its blobs are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Account {
    /// The account's name.
    pub name: String,
    /// The account's key, in base64.
    pub key: String,
    /// Where its blobs are, without a slash at the end.
    pub endpoint: String,
}

impl Account {
    /// Reads a connection string as Azure writes it.
    pub fn parse(connection_string: &str) -> Result<Self> {
        let value = |wanted: &str| {
            connection_string
                .split(';')
                .filter_map(|pair| pair.split_once('='))
                .find_map(|(name, value)| (name.trim() == wanted).then(|| value.trim().to_owned()))
        };
        let name = value("AccountName").context("it has no AccountName")?;
        let key = value("AccountKey").context("it has no AccountKey")?;
        let endpoint = value("BlobEndpoint").unwrap_or_else(|| {
            let protocol = value("DefaultEndpointsProtocol").unwrap_or_else(|| "https".to_owned());
            let suffix = value("EndpointSuffix").unwrap_or_else(|| "core.windows.net".to_owned());
            format!("{protocol}://{name}.blob.{suffix}")
        });
        Ok(Self { name, key, endpoint: endpoint.trim_end_matches('/').to_owned() })
    }

    /// The connection string, as Azure writes it.
    pub fn connection_string(&self) -> String {
        let protocol = self.endpoint.split(':').next().unwrap_or("https");
        format!(
            "DefaultEndpointsProtocol={protocol};AccountName={};AccountKey={};BlobEndpoint={};",
            self.name, self.key, self.endpoint
        )
    }

    /// Whether it is reached without TLS, as only an emulator is.
    pub fn is_plain(&self) -> bool {
        self.endpoint.starts_with("http://")
    }

    /// Makes a container; one that exists already is as good. Says whether it was made now.
    pub async fn create_container(&self, container: &str) -> Result<bool> {
        let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let authorization = self.authorization(container, &date)?;
        let reply = reqwest::Client::builder()
            .no_proxy()
            .build()?
            .put(format!("{}/{container}?restype=container", self.endpoint))
            .header("x-ms-date", date)
            .header("x-ms-version", VERSION)
            .header("authorization", authorization)
            .header("content-length", "0")
            .send()
            .await
            .with_context(|| format!("the storage at {} does not answer", self.endpoint))?;
        match reply.status() {
            StatusCode::CREATED => Ok(true),
            StatusCode::CONFLICT => Ok(false),
            status => {
                let body = reply.text().await.unwrap_or_default();
                bail!("the container {container} could not be made: {status} {body}")
            }
        }
    }

    /// "Shared Key" of the Blob service: the verb, eleven standard headers that are all absent, then ours.
    fn authorization(&self, container: &str, date: &str) -> Result<String> {
        let path = self.endpoint.splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap_or_default();
        let absent = "\n".repeat(11);
        let text = format!(
            "PUT\n{absent}x-ms-date:{date}\nx-ms-version:{VERSION}\n/{}{path}/{container}\nrestype:container",
            self.name
        );
        let key = STANDARD.decode(&self.key).context("the storage account's key is not base64")?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key)?;
        mac.update(text.as_bytes());
        Ok(format!("SharedKey {}:{}", self.name, STANDARD.encode(mac.finalize().into_bytes())))
    }
}

/// How Azurite is to be.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its data and log.
    pub directory: PathBuf,
    /// The account's name; not Azurite's well-known one.
    pub name: String,
    /// The account's key, in base64.
    pub key: String,
    /// Taken if it is free.
    pub port: Option<u16>,
}

impl Settings {
    /// An account made up now.
    pub fn made_up(directory: PathBuf) -> Result<Self> {
        Ok(Self { directory, name: account_name()?, key: account_key()?, port: None })
    }
}

pub(crate) fn account_name() -> Result<String> {
    // Three to 24 lower-case letters and digits.
    Ok(format!("local{}", random::name()?))
}

pub(crate) fn account_key() -> Result<String> {
    random::key::<64>()
}

/// An Azurite that runs, or was stopped on purpose. Dropping it stops it.
#[derive(Debug)]
pub struct Azurite {
    settings: Settings,
    port: u16,
    process: Option<Process>,
}

impl Azurite {
    /// Ends what an earlier run left running on the same data, and starts.
    pub async fn start(settings: Settings) -> Result<Self> {
        places::make_all(&settings.directory, 0o700)?;
        orphans::end_remembered(&settings.directory, &settings.directory, Signal::TERM);
        let port = ports::free(settings.port)?;
        let mut server = Self { settings, port, process: None };
        let _ = std::fs::remove_file(server.log());
        server.start_again().await?;
        Ok(server)
    }

    /// Starts one that was stopped, on the port it had.
    pub async fn start_again(&mut self) -> Result<()> {
        for attempt in 0..3 {
            match self.try_start().await {
                Err(error) if attempt < 2 && format!("{error:#}").contains("EADDRINUSE") => {
                    self.port = ports::free(None)?;
                }
                other => return other,
            }
        }
        Ok(())
    }

    /// Stops in good order.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.stop(Signal::TERM, Duration::from_secs(10));
        }
    }

    /// Ends at once. What was written in the last seconds may be lost: Azurite keeps its index in memory.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Why it ended by itself, if it did.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.process.as_mut()?.exited()
    }

    pub(crate) fn last_words(&self) -> String {
        self.process.as_ref().map(Process::last_words).unwrap_or_default()
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its data is.
    pub fn directory(&self) -> &Path {
        &self.settings.directory
    }

    /// What it writes.
    pub fn log(&self) -> PathBuf {
        self.settings.directory.join("azurite.log")
    }

    /// The account that it serves.
    pub fn account(&self) -> Account {
        Account {
            name: self.settings.name.clone(),
            key: self.settings.key.clone(),
            endpoint: format!("http://127.0.0.1:{}/{}", self.port, self.settings.name),
        }
    }

    async fn try_start(&mut self) -> Result<()> {
        let mut command = Command::new("node");
        command
            .arg("--require")
            .arg(home().join("azurite-signals.cjs"))
            .arg(packages::azurite())
            .arg("--location")
            .arg(&self.settings.directory)
            .args(["--blobHost", "127.0.0.1", "--blobPort", &self.port.to_string()])
            .args(["--silent", "--skipApiVersionCheck", "--disableTelemetry"])
            .env("AZURITE_ACCOUNTS", format!("{}:{}", self.settings.name, self.settings.key))
            .env_remove("AZURITE_DB");
        let mut process = Process::start("Azurite", &mut command, &self.log())?;
        orphans::remember(&self.settings.directory, process.pid())?;
        let client = reqwest::Client::builder().no_proxy().build()?;
        let url = self.account().endpoint;
        // Any answer will do: without a signature it is a refusal.
        process.wait_until(Duration::from_secs(60), async || client.get(&url).send().await.is_ok()).await?;
        self.process = Some(process);
        Ok(())
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::Account;

    #[test]
    fn a_connection_string_is_read_as_azure_writes_it() {
        let account = Account::parse(
            "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=eA==;EndpointSuffix=core.windows.net",
        )
        .unwrap();
        assert_eq!(account.endpoint, "https://a.blob.core.windows.net");
        assert_eq!(account.key, "eA==");

        let account =
            Account::parse("AccountName=a;AccountKey=eA==;BlobEndpoint=http://127.0.0.1:1/a/").unwrap();
        assert_eq!(account.endpoint, "http://127.0.0.1:1/a");
        assert!(account.is_plain());
        assert!(Account::parse("AccountName=a").is_err());
    }
}

//! Blob storage: Azurite, or an account that was given.

use crate::process::Process;
use crate::{home, orphans, packages, places, ports, random};
use anyhow::Result;
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

pub use migrate::storage::Account;

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

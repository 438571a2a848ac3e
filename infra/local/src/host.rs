//! The service itself, as one process.

use crate::process::Process;
use crate::{orphans, places, ports};
use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

/// The platform's own names of settings, which the host would read as well. It is to have ours only.
const PLATFORM_NAMES: &[&str] = &[
    "AZURE_STORAGE_AUDIT_CONTAINER_NAME",
    "AZURE_STORAGE_CONNECTION_STRING",
    "AZURE_STORAGE_CONTAINER_NAME",
    "DATABASE_URL",
    "EHR_HOST",
    "EHR_SERVICE_KEY",
    "EHR_SERVICE_URL",
    "EVENT_KEY",
    "FUNCTIONS_CUSTOMHANDLER_PORT",
    "IMAGING_SERVICE_PASSWORD",
    "JWKS_HOST",
    "JWKS_URL",
    "JWT_SECRET",
    "MIGRATION_DATABASE_URL",
    "NOTIFICATION_HOST",
    "NOTIFICATION_SERVICE_KEY",
    "NOTIFICATION_SERVICE_URL",
    "PHI_KEYS",
    "PORT",
    "PORTAL_URL",
];

/// How a host is to be started.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The program.
    pub binary: PathBuf,
    /// The application: `spin.toml`.
    pub manifest: PathBuf,
    /// For the log and what tells a later run of this process.
    pub directory: PathBuf,
    /// Compiled components, shared by all hosts of this machine.
    pub cache: PathBuf,
    /// On 127.0.0.1; any free one when not given.
    pub port: Option<u16>,
    /// Spin variables, by their lower-case names.
    pub variables: BTreeMap<String, String>,
    /// Paths called by the host itself, with seconds between two calls.
    pub timers: BTreeMap<String, u32>,
    /// Further arguments.
    pub arguments: Vec<String>,
}

/// A host that runs, or was ended on purpose. Dropping it stops it.
#[derive(Debug)]
pub struct Host {
    settings: Settings,
    port: u16,
    process: Option<Process>,
}

impl Host {
    /// Starts it and waits until it listens.
    pub async fn start(settings: Settings) -> Result<Self> {
        places::make_all(&settings.directory, 0o755)?;
        places::make_all(&settings.cache, 0o755)?;
        orphans::end_remembered(&settings.directory, &settings.cache, Signal::TERM);
        let port = match settings.port {
            Some(port) => port,
            None => ports::free(None)?,
        };
        let mut host = Self { settings, port, process: None };
        let _ = fs::remove_file(host.log());
        for attempt in 0..3 {
            match host.try_start().await {
                // Somebody took the free port before the host did.
                Err(error)
                    if attempt < 2
                        && host.settings.port.is_none()
                        && format!("{error:#}").contains("Address already in use") =>
                {
                    host.port = ports::free(None)?;
                }
                other => {
                    other?;
                    break;
                }
            }
        }
        Ok(host)
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Ends it in good order: what it is answering is answered.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.stop(Signal::TERM, Duration::from_secs(15));
        }
    }

    /// Starts it again on the port it had, ending it first if need be. Its log goes on.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop();
        self.try_start().await
    }

    /// Where it listens: `http://127.0.0.1:<port>`.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it writes.
    pub fn log(&self) -> PathBuf {
        self.settings.directory.join("host.log")
    }

    /// Its process, for measuring it.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Its settings; a change is for the next `restart`.
    pub fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// Why it ended by itself, if it did.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.process.as_mut()?.exited()
    }

    pub(crate) fn last_words(&self) -> String {
        self.process.as_ref().map(Process::last_words).unwrap_or_default()
    }

    async fn try_start(&mut self) -> Result<()> {
        if !self.settings.binary.is_file() {
            bail!("{} is not there: build it with `cargo build -p host`", self.settings.binary.display());
        }
        let mut command = Command::new(&self.settings.binary);
        command
            .arg("--manifest")
            .arg(&self.settings.manifest)
            .args(["--listen", "127.0.0.1", "--port", &self.port.to_string()])
            .arg("--cache-dir")
            .arg(&self.settings.cache);
        for (path, seconds) in &self.settings.timers {
            command.arg("--timer").arg(format!("{path}={seconds}"));
        }
        command.args(&self.settings.arguments);
        for name in PLATFORM_NAMES {
            command.env_remove(name);
        }
        for (name, value) in &self.settings.variables {
            command.env(format!("SPIN_VARIABLE_{}", name.to_uppercase()), value);
        }

        let log = self.log();
        let before = fs::metadata(&log).map_or(0, |metadata| metadata.len());
        let mut process = Process::start("The host", &mut command, &log)?;
        orphans::remember(&self.settings.directory, process.pid())?;
        process.wait_until(Duration::from_secs(120), async || listens(&log, before).unwrap_or(false)).await?;
        self.process = Some(process);
        Ok(())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Whether the log has, since `before`, the line by which the host says that it listens.
fn listens(log: &Path, before: u64) -> Result<bool> {
    let mut file = fs::File::open(log).context("no log yet")?;
    file.seek(SeekFrom::Start(before))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).any(|line: serde_json::Value| {
        let message = line.get("message").or_else(|| line.get("fields")?.get("message"));
        message.is_some_and(|message| message == "listening")
    }))
}

//! A child process with a log: started in a group of its own, watched, and ended in good order.

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A running part of the stack. Dropped without `stop`, it is killed.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with both its outputs going to the end of `log`.
    ///
    /// The group of its own keeps a Ctrl-C in the terminal from reaching it before we have decided on the order.
    pub(crate) fn start(name: &'static str, command: &mut Command, log: &Path) -> Result<Self> {
        let output = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let errors = output.try_clone()?;
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .with_context(|| format!("{name} could not be started: {program}"))?;
        Ok(Self { name, child, log: log.to_owned() })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        // It may be gone already, which is what every caller wants.
        if let Some(pid) = Pid::from_raw(self.child.id().cast_signed()) {
            let _ = kill_process(pid, signal);
        }
    }

    /// Asks with `signal` and, after `patience`, no longer asks.
    pub(crate) fn stop(&mut self, signal: Signal, patience: Duration) {
        if self.exited().is_some() {
            return;
        }
        self.signal(signal);
        let asked = Instant::now();
        while asked.elapsed() < patience {
            if self.exited().is_some() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.kill();
    }

    /// Ends it, and whatever it started, without a chance to tidy up.
    pub(crate) fn kill(&mut self) {
        if self.exited().is_some() {
            return;
        }
        if let Some(group) = Pid::from_raw(self.child.id().cast_signed()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until `ready` answers yes; fails, with the end of the log, when the process dies or time runs out.
    pub(crate) async fn wait_until<F>(&mut self, patience: Duration, mut ready: F) -> Result<()>
    where
        F: AsyncFnMut() -> bool,
    {
        let started = Instant::now();
        loop {
            if ready().await {
                return Ok(());
            }
            if let Some(status) = self.exited() {
                bail!("{} ended while starting ({status}). {}", self.name, self.last_words());
            }
            if started.elapsed() > patience {
                bail!("{} was not ready after {} s. {}", self.name, patience.as_secs(), self.last_words());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The end of its log, for a message about what went wrong.
    pub(crate) fn last_words(&self) -> String {
        let tail = tail(&self.log, 20);
        if tail.trim().is_empty() {
            return format!("Its log is empty: {}", self.log.display());
        }
        format!("The end of its log, {}:\n{tail}", self.log.display())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The last lines of a file; nothing when it cannot be read.
fn tail(path: &Path, lines: usize) -> String {
    let Ok(mut file) = File::open(path) else { return String::new() };
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let mut bytes = Vec::new();
    if file.seek(SeekFrom::Start(length.saturating_sub(16 * 1024))).is_err()
        || file.read_to_end(&mut bytes).is_err()
    {
        return String::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    let skipped = all.len().saturating_sub(lines);
    all.into_iter().skip(skipped).map(|line| format!("  {line}\n")).collect()
}

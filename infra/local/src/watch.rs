//! The process that owns the shared stack of a test run.
//!
//! Tests may be one process or, with nextest, one process each, so none of them can own it. Each holds a shared
//! lock on `users.lock` for as long as it lives; when nobody holds one any more, the watcher takes it, ends
//! everything, what killed tests left behind included, and ends itself.

use crate::postgres::{self, Installation, Postgres};
use crate::progress::Detail;
use crate::stack::{self, State};
use crate::storage::{self, Azurite};
use crate::{orphans, packages, places, random};
use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long the stack waits for another user after the last one.
const LINGER: Duration = Duration::from_secs(3);

/// Starts the stack in `directory`, and ends when nobody uses it.
pub async fn watch(directory: &Path) -> Result<()> {
    let alive = stack::open_lock(directory, "watcher.lock")?;
    if alive.try_lock().is_err() {
        bail!("another watcher is there");
    }
    end_leftovers_of_tests(directory);
    for name in ["postgres", "azurite"] {
        orphans::end_instance(&directory.join(name));
    }
    remove(directory, &["postgres", "azurite", "private", "hosts", "logs"])?;

    packages::install(&Detail::default()).await?;
    let password = random::word()?;
    let installation = Installation::find()?;
    let settings = postgres::Settings {
        directory: directory.join("postgres"),
        password: password.clone(),
        port: None,
        durable: false,
    };
    let (mut postgres, mut azurite) = tokio::try_join!(
        Postgres::start(&installation, settings),
        Azurite::start(storage::Settings::made_up(directory.join("azurite"))?),
    )?;
    let state = State {
        watcher: std::process::id(),
        postgres_port: postgres.port(),
        postgres_password: password,
        service_password: random::word()?,
        account: azurite.account(),
    };
    state.write(directory)?;

    let mut last_used = Instant::now();
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if let Some(status) = postgres.exited() {
            bail!("Postgres ended ({status}). {}", postgres.last_words());
        }
        if let Some(status) = azurite.exited() {
            bail!("Azurite ended ({status}). {}", azurite.last_words());
        }
        // Under this lock nobody is between asking for the stack and using it.
        let start = stack::open_lock(directory, "start.lock")?;
        let users = stack::open_lock(directory, "users.lock")?;
        if start.try_lock().is_err() || users.try_lock().is_err() {
            last_used = Instant::now();
            continue;
        }
        if last_used.elapsed() < LINGER {
            continue;
        }
        fs::remove_file(State::path(directory)).context("the stack's state file is gone")?;
        end_leftovers_of_tests(directory);
        azurite.kill();
        postgres.stop();
        // Logs stay until the next run, for whoever has to find out why a test failed.
        let logs = stack::kept_logs(directory);
        places::make_all(&logs, 0o755)?;
        fs::copy(postgres.log(), logs.join("postgres.log"))?;
        fs::copy(azurite.log(), logs.join("azurite.log"))?;
        remove(directory, &["postgres", "azurite", "private"])?;
        return Ok(());
    }
}

/// Ends what tests left running because they were killed.
fn end_leftovers_of_tests(directory: &Path) {
    for host in entries(&directory.join("hosts")) {
        orphans::end_remembered(&host, &stack::cache(directory), Signal::KILL);
    }
    for instance in entries(&directory.join("private")) {
        orphans::end_instance(&instance);
    }
}

fn remove(directory: &Path, names: &[&str]) -> Result<()> {
    // Under root an instance may be a link to where Postgres could go.
    for instance in entries(&directory.join("private")).iter().filter(|_| names.contains(&"private")) {
        places::remove(instance)?;
    }
    names.iter().try_for_each(|name| places::remove(&directory.join(name)))
}

pub(crate) fn entries(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

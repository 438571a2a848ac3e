//! One Postgres and one Azurite for a whole test run, and for each test a database and a container of its own.

use crate::postgres::{self, Installation, Postgres, Server};
use crate::progress::Step;
use crate::storage::{self, Account, Azurite};
use crate::{builds, host, places, random, root, watch};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Connection, Executor};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// The stack that all tests of a run share. See `watch.rs` for who owns it.
#[derive(Debug)]
pub struct Stack {
    directory: PathBuf,
    built: builds::Built,
    state: State,
    template: String,
    /// Held for as long as this process lives, which keeps the stack alive.
    _user: File,
}

/// What the watcher tells the tests.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) watcher: u32,
    pub(crate) postgres_port: u16,
    pub(crate) postgres_password: String,
    pub(crate) service_password: String,
    pub(crate) account: Account,
}

impl State {
    pub(crate) fn path(directory: &Path) -> PathBuf {
        directory.join("stack.json")
    }

    pub(crate) fn write(&self, directory: &Path) -> Result<()> {
        let draft = directory.join("stack.json.draft");
        let _ = fs::remove_file(&draft);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        fs::rename(draft, Self::path(directory))?;
        Ok(())
    }

    fn read(directory: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(Self::path(directory)).ok()?).ok()
    }
}

impl Stack {
    /// The stack of this run, with everything built; started if this is the first test to ask.
    pub async fn shared() -> Result<&'static Self> {
        static STACK: OnceCell<Stack> = OnceCell::const_new();
        STACK.get_or_try_init(Self::join).await
    }

    async fn join() -> Result<Self> {
        let built = builds::everything().await?;
        let directory = root().join("target/stack");
        places::make_all(&directory, 0o755)?;

        // First a user, so that the watcher cannot leave between our look and our use.
        let user = open_lock(&directory, "users.lock")?;
        let user = tokio::task::spawn_blocking(move || user.lock_shared().map(|()| user)).await??;
        let start = open_lock(&directory, "start.lock")?;
        let start = tokio::task::spawn_blocking(move || start.lock().map(|()| start)).await??;

        let state = match running(&directory)? {
            Some(state) => state,
            None => spawn_watcher(&built.local, &directory).await?,
        };
        let server = state.server();
        let template = format!("imaging_template_{}", migrate::fingerprint());
        if !server.has_database(&template).await? {
            make_template(&server, &template, &state.service_password).await?;
        }
        drop(start);
        Ok(Self { directory, built, state, template, _user: user })
    }

    /// An empty, migrated database that nobody else uses. Dropped with its handle.
    pub async fn database(&self) -> Result<Database> {
        let name = format!("test_{}", random::name()?);
        let server = self.state.server();
        server.create_database(&name, Some(&self.template)).await?;
        Ok(Database { server, service_password: self.state.service_password.clone(), name })
    }

    /// The storage account that all tests share.
    pub fn account(&self) -> &Account {
        &self.state.account
    }

    /// A container that nobody else uses.
    pub async fn container(&self) -> Result<String> {
        let name = format!("test-{}", random::name()?);
        self.state.account.create_container(&name).await?;
        Ok(name)
    }

    /// Settings of a host over a database and a container, on a free port, which a test may change.
    pub fn host(&self, database_url: &str, account: &Account, container: &str) -> Result<host::Settings> {
        let variables = [
            ("database_url", database_url.to_owned()),
            ("azure_storage_connection_string", account.connection_string()),
            ("azure_storage_container_name", container.to_owned()),
            ("jwt_secret", random::word()?),
            ("phi_keys", crate::secrets::new_phi_keys()?),
            ("event_key", random::word()?),
            ("development", "true".to_owned()),
        ];
        Ok(host::Settings {
            binary: self.built.host.clone(),
            manifest: root().join("spin.toml"),
            directory: self.directory.join("hosts").join(random::name()?),
            cache: cache(&self.directory),
            port: None,
            variables: variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            timers: BTreeMap::from([("/tasks/sweep".to_owned(), 1)]),
            arguments: Vec::new(),
        })
    }

    /// A Postgres that only one test uses, and may stop. Its database `imaging` is empty and migrated.
    pub async fn private_postgres(&self) -> Result<Private<Postgres>> {
        let directory = self.private()?;
        let settings = postgres::Settings {
            directory: directory.clone(),
            password: random::word()?,
            port: None,
            durable: false,
        };
        let postgres = Postgres::start(&Installation::find()?, settings).await?;
        let server = postgres.server();
        server.create_database("imaging", None).await?;
        let options = migrate::Options {
            service_password: Some(self.state.service_password.clone()),
            ..migrate::Options::default()
        };
        migrate::up(&server.url("imaging"), &options).await?;
        let service_password = self.state.service_password.clone();
        Ok(Private {
            log: postgres.log(),
            kept: self.kept_log()?,
            part: Some(postgres),
            directory,
            service_password,
        })
    }

    /// An Azurite that only one test uses, and may stop, with an account of its own.
    pub async fn private_azurite(&self) -> Result<Private<Azurite>> {
        let directory = self.private()?;
        let azurite = Azurite::start(storage::Settings::made_up(directory.clone())?).await?;
        let service_password = String::new();
        Ok(Private {
            log: azurite.log(),
            kept: self.kept_log()?,
            part: Some(azurite),
            directory,
            service_password,
        })
    }

    /// What Postgres and Azurite have written in this run: those that all tests share, and those that single tests had
    /// for themselves.
    pub fn logs(&self) -> Vec<PathBuf> {
        let shared = ["postgres/postgres.log", "azurite/azurite.log"].map(|log| self.directory.join(log));
        shared.into_iter().chain(watch::entries(&kept_logs(&self.directory))).collect()
    }

    fn kept_log(&self) -> Result<PathBuf> {
        let directory = kept_logs(&self.directory);
        places::make_all(&directory, 0o755)?;
        Ok(directory.join(format!("{}.log", random::name()?)))
    }

    fn private(&self) -> Result<PathBuf> {
        let directory = self.directory.join("private");
        places::make_all(&directory, 0o755)?;
        Ok(directory.join(random::name()?))
    }
}

impl State {
    fn server(&self) -> Server {
        Server { port: self.postgres_port, password: self.postgres_password.clone() }
    }
}

/// A part of the stack that one test has for itself; its data goes with it, its log stays.
#[derive(Debug)]
pub struct Private<T> {
    part: Option<T>,
    directory: PathBuf,
    log: PathBuf,
    kept: PathBuf,
    service_password: String,
}

impl Private<Postgres> {
    /// The URL of the database `imaging` for the service.
    pub fn service_url(&self) -> Result<String> {
        let server = self.get()?.server();
        Ok(server.url_of("imaging_service", &self.service_password, "imaging"))
    }
}

impl<T> Private<T> {
    /// The part itself.
    pub fn get(&self) -> Result<&T> {
        self.part.as_ref().context("it was taken away")
    }

    /// The part itself, to stop it and start it again.
    pub fn get_mut(&mut self) -> Result<&mut T> {
        self.part.as_mut().context("it was taken away")
    }
}

impl<T> Drop for Private<T> {
    fn drop(&mut self) {
        // First the process, then its data.
        drop(self.part.take());
        let _ = fs::copy(&self.log, &self.kept);
        let _ = places::remove(&self.directory);
    }
}

/// A database that one test has for itself. Dropping it drops the database.
#[derive(Debug)]
pub struct Database {
    server: Server,
    service_password: String,
    name: String,
}

impl Database {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// For the service, which may execute the functions and nothing else.
    pub fn service_url(&self) -> String {
        self.server.url_of("imaging_service", &self.service_password, &self.name)
    }

    /// For a test that looks, or sets the clock forward.
    pub fn admin_url(&self) -> String {
        self.server.url(&self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let server = self.server.clone();
        let name = self.name.clone();
        // A runtime of its own: the test's may be ending, and cannot be waited for from here.
        let dropped = std::thread::spawn(move || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(server.drop_database(&name))
        });
        // A database that stays goes with the whole server soon.
        let _ = dropped.join();
    }
}

pub(crate) fn cache(directory: &Path) -> PathBuf {
    directory.join("cache")
}

/// Where the logs of what has gone are, until the next run.
pub(crate) fn kept_logs(directory: &Path) -> PathBuf {
    directory.join("logs")
}

pub(crate) fn open_lock(directory: &Path, name: &str) -> Result<File> {
    let path = directory.join(name);
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))
}

/// The state of the stack if its watcher lives.
fn running(directory: &Path) -> Result<Option<State>> {
    match open_lock(directory, "watcher.lock")?.try_lock() {
        Ok(()) => Ok(None),
        Err(fs::TryLockError::WouldBlock) => Ok(State::read(directory)),
        Err(fs::TryLockError::Error(error)) => Err(error.into()),
    }
}

async fn spawn_watcher(local: &Path, directory: &Path) -> Result<State> {
    let step = Step::begin("Starting Postgres and Azurite for the tests");
    let _ = fs::remove_file(State::path(directory));
    let log = directory.join("watcher.log");
    let output = File::create(&log)?;
    let mut watcher = Command::new(local)
        .arg("watch")
        .arg(directory)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        // It outlives this test, and a Ctrl-C that ends the run.
        .process_group(0)
        .spawn()
        .with_context(|| format!("{} could not be started", local.display()))?;
    let started = Instant::now();
    loop {
        if let Some(state) = State::read(directory) {
            step.done("");
            return Ok(state);
        }
        if let Some(status) = watcher.try_wait()? {
            bail!("the tests' Postgres and Azurite did not start ({status}):\n{}", fs::read_to_string(&log)?);
        }
        if started.elapsed() > Duration::from_secs(600) {
            bail!(
                "the tests' Postgres and Azurite were not ready after ten minutes:\n{}",
                fs::read_to_string(&log)?
            );
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Migrates a database once, for all tests to copy.
async fn make_template(server: &Server, name: &str, service_password: &str) -> Result<()> {
    let draft = format!("{name}_draft");
    server.drop_database(&draft).await?;
    server.create_database(&draft, None).await?;
    let options = migrate::Options {
        service_password: Some(service_password.to_owned()),
        ..migrate::Options::default()
    };
    migrate::up(&server.url(&draft), &options).await.context("the tests' database could not be migrated")?;
    let mut connection = server.connect("postgres").await?;
    // Nobody may be connected to a database that is being copied.
    for statement in [
        format!(r#"alter database "{draft}" with allow_connections false"#),
        format!(r#"alter database "{draft}" rename to "{name}""#),
    ] {
        connection.execute(AssertSqlSafe(statement)).await?;
    }
    connection.close().await?;
    Ok(())
}

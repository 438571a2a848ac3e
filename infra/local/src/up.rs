//! `cargo up`: the whole service on this machine, until Ctrl-C.

use crate::given::{Given, GivenDatabase};
use crate::postgres::{self, Installation, Postgres};
use crate::progress::{Step, say};
use crate::secrets::Secrets;
use crate::storage::{self, Account, Azurite};
use crate::{builds, given, host, packages, places, ports, root, stack};
use anyhow::{Context, Result, bail};
use sqlx::{ConnectOptions, Connection};
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The database of the embedded Postgres.
const DATABASE: &str = "imaging";

/// Where everything lives that must outlive a restart.
pub fn directory() -> PathBuf {
    root().join(".local")
}

/// The secret that tokens are signed with here, made up if need be.
pub fn jwt_secret() -> Result<String> {
    Ok(given::jwt_secret(&Secrets::open(&directory())?))
}

/// Starts everything, serves until Ctrl-C or SIGTERM, and stops everything.
pub async fn up(fresh: bool) -> Result<()> {
    let mut interrupts = Interrupts::listen()?;
    let directory = directory();
    places::make_all(&directory, 0o711)?;
    let lock = lock(&directory)?;

    let started = tokio::select! {
        started = start(&directory, fresh, &lock) => started,
        () = interrupts.next() => {
            say("Stopping; not everything had started.");
            return Ok(());
        }
    };
    let mut running = started?;
    let ended = tokio::select! {
        ended = running.watch() => ended,
        () = interrupts.next() => Ok(()),
    };
    say("Stopping …");
    running.stop();
    if ended.is_ok() {
        say("Stopped.");
    }
    ended
}

/// What runs. The order of the fields is the order in which they are dropped.
struct Running {
    host: host::Host,
    azurite: Option<Azurite>,
    postgres: Option<Postgres>,
}

impl Running {
    /// Returns when a part has ended that should not have.
    async fn watch(&mut self) -> Result<()> {
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if let Some(status) = self.host.exited() {
                bail!("the host ended ({status}). {}", self.host.last_words());
            }
            if let Some(azurite) = &mut self.azurite
                && let Some(status) = azurite.exited()
            {
                bail!("Azurite ended ({status}). {}", azurite.last_words());
            }
            if let Some(postgres) = &mut self.postgres
                && let Some(status) = postgres.exited()
            {
                bail!("Postgres ended ({status}). {}", postgres.last_words());
            }
        }
    }

    /// First who asks, then who is asked.
    fn stop(&mut self) {
        self.host.stop();
        if let Some(azurite) = &mut self.azurite {
            azurite.stop();
        }
        if let Some(postgres) = &mut self.postgres {
            postgres.stop();
        }
    }
}

async fn start(directory: &Path, fresh: bool, lock: &File) -> Result<Running> {
    stop_leftovers(directory);
    if fresh {
        empty(directory)?;
    }
    let secrets = Secrets::open(directory)?;
    let given = Given::read(&secrets)?;
    if !ports::is_free(given.port) {
        bail!(
            "port {} is taken by another program: end it, or choose another port with PORT=3007 cargo up",
            given.port
        );
    }
    let address = format!("http://127.0.0.1:{}", given.port);
    note_owner(lock, &address)?;

    let (built, data) = tokio::try_join!(builds::everything(), data(directory, &secrets, &given))?;
    let Data { postgres, azurite, database_url, account } = data;

    let step = Step::begin("Starting the host");
    let mut variables = BTreeMap::from([
        ("database_url".to_owned(), database_url),
        ("azure_storage_connection_string".to_owned(), account.connection_string()),
        ("azure_storage_container_name".to_owned(), given.container.clone()),
        ("jwt_secret".to_owned(), given.jwt_secret.clone()),
        ("phi_keys".to_owned(), given.phi_keys.clone()),
        ("event_key".to_owned(), given.event_key.clone()),
        // Upload URLs are for https alone, except where storage is an emulator without it.
        ("development".to_owned(), account.is_plain().to_string()),
    ]);
    variables.extend(given.passed_on.iter().cloned());
    let host = host::Host::start(host::Settings {
        binary: built.host,
        manifest: root().join("spin.toml"),
        directory: directory.join("host"),
        cache: stack::cache(directory),
        port: Some(given.port),
        variables,
        timers: BTreeMap::from([
            ("/tasks/sweep".to_owned(), 1),
            ("/tasks/dispatch".to_owned(), 1),
            ("/tasks/seal".to_owned(), 5),
        ]),
        arguments: Vec::new(),
    })
    .await?;
    step.done("");

    let running = Running { host, azurite, postgres };
    tell(&address, &running);
    Ok(running)
}

/// What the service works on.
struct Data {
    postgres: Option<Postgres>,
    azurite: Option<Azurite>,
    database_url: String,
    account: Account,
}

async fn data(directory: &Path, secrets: &Secrets, given: &Given) -> Result<Data> {
    if given.database.is_none() || given.account.is_none() {
        let step = Step::begin("Installing Postgres and Azurite");
        packages::install(&step.detail()).await?;
        step.done("");
    }
    let ((postgres, database_url), (azurite, account)) =
        tokio::try_join!(database(directory, secrets, given), storage(directory, secrets, given))?;
    Ok(Data { postgres, azurite, database_url, account })
}

async fn database(directory: &Path, secrets: &Secrets, given: &Given) -> Result<(Option<Postgres>, String)> {
    if let Some(database) = &given.database {
        let step = Step::begin("Migrating the given database");
        let (url, what) = prepare(database, secrets).await?;
        step.done(what);
        return Ok((None, url));
    }

    let step = Step::begin("Starting Postgres");
    let settings = postgres::Settings {
        directory: directory.join("postgres"),
        password: secrets.postgres_password.clone(),
        port: remembered_port(directory, "postgres"),
        durable: true,
    };
    let postgres = Postgres::start(&Installation::find()?, settings).await?;
    remember_port(directory, "postgres", postgres.port())?;
    step.done("");

    let step = Step::begin("Migrating the database");
    let server = postgres.server();
    if !server.has_database(DATABASE).await? {
        server.create_database(DATABASE, None).await?;
    }
    let options = migrate::Options { service_password: Some(secrets.service_password.clone()), ..quiet() };
    let report = migrate::up(&server.url(DATABASE), &options).await?;
    step.done(told(&report));
    Ok((Some(postgres), server.url_of("imaging_service", &secrets.service_password, DATABASE)))
}

async fn storage(directory: &Path, secrets: &Secrets, given: &Given) -> Result<(Option<Azurite>, Account)> {
    if let Some(account) = &given.account {
        if account.is_plain() {
            account.create_container(&given.container).await?;
        } else {
            say(format_args!(
                "Using the given storage account; its container {} must exist.",
                given.container
            ));
        }
        return Ok((None, account.clone()));
    }
    let step = Step::begin("Starting Azurite");
    let azurite = Azurite::start(storage::Settings {
        directory: directory.join("azurite"),
        name: secrets.storage_name.clone(),
        key: secrets.storage_key.clone(),
        port: remembered_port(directory, "azurite"),
    })
    .await?;
    remember_port(directory, "azurite", azurite.port())?;
    let account = azurite.account();
    account.create_container(&given.container).await?;
    step.done("");
    Ok((Some(azurite), account))
}

/// Migrates a database that was given, as far as its URLs allow, and says how the service reaches it.
async fn prepare(database: &GivenDatabase, secrets: &Secrets) -> Result<(String, String)> {
    if let Some(migration) = &database.migration {
        let options = migrate::Options { service_password: database.service_password.clone(), ..quiet() };
        let report = migrate::up(migration, &options).await?;
        return Ok((database.url.clone(), told(&report)));
    }
    if database.role() == Some("imaging_service") {
        let what = " (not migrated: imaging_service may not; MIGRATION_DATABASE_URL would be migrated with)";
        return Ok((database.url.clone(), what.to_owned()));
    }

    // The password of a role that others may be using is changed only by whoever gives it.
    let is_new =
        migrate::status(&database.url).await?.roles_missing.iter().any(|role| role == "imaging_service");
    let password = database.service_password.clone().unwrap_or_else(|| secrets.service_password.clone());
    let service_password = (is_new || database.service_password.is_some()).then(|| password.clone());
    let report = migrate::up(&database.url, &migrate::Options { service_password, ..quiet() }).await?;
    let url = database.url_of_service(&password)?;
    let options: sqlx::postgres::PgConnectOptions = url.parse().context("DATABASE_URL cannot be read")?;
    let connection = options.connect().await.context(
        "the role imaging_service has a password that is not known here: set IMAGING_SERVICE_PASSWORD to it, or \
         give DATABASE_URL for imaging_service and MIGRATION_DATABASE_URL for the owner",
    )?;
    connection.close().await?;
    Ok((url, told(&report)))
}

fn quiet() -> migrate::Options {
    migrate::Options { notice: |text| say(format_args!("Migrating: {text}")), ..migrate::Options::default() }
}

fn told(report: &migrate::Report) -> String {
    match (report.applied.len(), report.functions.replaced) {
        (0, false) => String::new(),
        (0, true) => format!(" ({} files of functions replaced)", report.functions.files),
        (files, _) => format!(" ({files} migrations and {} files of functions)", report.functions.files),
    }
}

fn tell(address: &str, running: &Running) {
    let postgres = running.postgres.as_ref().map_or_else(
        || "the one that DATABASE_URL names".to_owned(),
        |postgres| format!("{} (127.0.0.1:{})", postgres.directory().display(), postgres.port()),
    );
    let azurite = running.azurite.as_ref().map_or_else(
        || "the account that AZURE_STORAGE_CONNECTION_STRING names".to_owned(),
        |azurite| format!("{} (127.0.0.1:{})", azurite.directory().display(), azurite.port()),
    );
    say(format_args!(
        "
Serving {address}

  Database  {postgres}
  Storage   {azurite}
  Logs      {}
  Token     cargo up token --role radiologist --organization org-1 --facility fac-1
  Try       curl -H \"Authorization: Bearer $(cargo up token --role radiologist --organization org-1 --facility fac-1)\" \\
              {address}/api/imaging-orders
  Stop      Ctrl-C; data stays, and `cargo up --fresh` starts empty
",
        running.host.log().display(),
    ));
}

/// Deletes what earlier starts made, except compiled components and what was given.
fn empty(directory: &Path) -> Result<()> {
    for name in ["postgres", "azurite", "host"] {
        places::remove(&directory.join(name))?;
    }
    for name in ["secrets.env", "postgres.port", "azurite.port"] {
        match fs::remove_file(directory.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Ends what an earlier start left running because it was killed. The host among it would hold the port.
fn stop_leftovers(directory: &Path) {
    crate::orphans::end_remembered(
        &directory.join("host"),
        &stack::cache(directory),
        rustix::process::Signal::TERM,
    );
    for name in ["azurite", "postgres"] {
        crate::orphans::end_instance(&directory.join(name));
    }
}

/// The one who holds this lock is the one who runs. It is let go by the system, however the process ends.
fn lock(directory: &Path) -> Result<File> {
    let path = directory.join("lock");
    let file = stack::open_lock(directory, "lock")?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0)?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let owner = fs::read_to_string(&path).unwrap_or_default();
            let owner = if owner.is_empty() { "still starting" } else { owner.trim() };
            bail!("it runs already: {owner}. Use that, or stop it with Ctrl-C where it was started")
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

fn note_owner(lock: &File, address: &str) -> Result<()> {
    lock.set_len(0)?;
    lock.write_all_at(format!("{address}, process {}\n", std::process::id()).as_bytes(), 0)?;
    (&*lock).flush()?;
    Ok(())
}

fn remembered_port(directory: &Path, name: &str) -> Option<u16> {
    fs::read_to_string(directory.join(format!("{name}.port"))).ok()?.trim().parse().ok()
}

fn remember_port(directory: &Path, name: &str, port: u16) -> Result<()> {
    Ok(fs::write(directory.join(format!("{name}.port")), format!("{port}\n"))?)
}

/// Ctrl-C, and what a supervisor sends.
struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Interrupts {
    fn listen() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

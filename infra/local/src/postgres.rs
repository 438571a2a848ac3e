//! A Postgres server of our own.

use crate::places::{self, User};
use crate::process::Process;
use crate::{orphans, packages, ports};
use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

/// Who administers a server of ours.
const ADMINISTRATOR: &str = "postgres";

/// Where the programs are: a directory that holds `bin/postgres` and `bin/initdb`.
#[derive(Debug, Clone)]
pub struct Installation {
    directory: PathBuf,
    major: u32,
}

impl Installation {
    /// Looks where `POSTGRES_BIN` says; else among the npm packages; else where the system has it.
    pub fn find() -> Result<Self> {
        if let Some(bin) = std::env::var_os("POSTGRES_BIN").filter(|bin| !bin.is_empty()) {
            let bin = PathBuf::from(bin);
            return Self::at(&bin).with_context(|| {
                format!(
                    "POSTGRES_BIN is {}: it must be the directory that holds postgres and initdb",
                    bin.display()
                )
            });
        }
        let candidates = packages::postgres().into_iter().chain(of_the_system());
        for bin in candidates {
            if let Ok(found) = Self::at(&bin) {
                return Ok(found);
            }
        }
        bail!(
            "no PostgreSQL was found for this machine: install it (the package `postgresql`), or set POSTGRES_BIN to \
             the directory that holds postgres and initdb, or set DATABASE_URL to use a server that runs already"
        )
    }

    fn at(bin: &Path) -> Result<Self> {
        let output = Command::new(bin.join("postgres")).arg("--version").output()?;
        // "postgres (PostgreSQL) 17.10 (Debian 17.10-1)"
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let major = text
            .split_whitespace()
            .find_map(|word| word.split(['.', 'b', 'r']).next()?.parse().ok())
            .with_context(|| format!("{} did not tell its version", bin.display()))?;
        if !bin.join("initdb").is_file() {
            bail!("{} has no initdb", bin.display());
        }
        let directory = fs::canonicalize(bin)?.parent().context("bin/ has no parent")?.to_owned();
        Ok(Self { directory, major })
    }
}

fn of_the_system() -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for base in ["/usr/lib/postgresql", "/usr/local/opt", "/opt/homebrew/opt"] {
        for entry in fs::read_dir(base).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().replace("postgresql@", "");
            if let Ok(version) = name.parse() {
                found.push((version, entry.path().join("bin")));
            }
        }
    }
    found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    let path = std::env::var_os("PATH").unwrap_or_default();
    found.into_iter().map(|(_, bin)| bin).chain(std::env::split_paths(&path)).collect()
}

/// How a server is to be.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Holds `data/` and the log. Under root it may really be elsewhere, with a link here.
    pub directory: PathBuf,
    /// The administrator's password.
    pub password: String,
    /// Taken if it is free.
    pub port: Option<u16>,
    /// False for tests, whose data need not survive the machine.
    pub durable: bool,
}

/// A server that runs, or was stopped on purpose. Dropping it stops it.
#[derive(Debug)]
pub struct Postgres {
    installation: Installation,
    settings: Settings,
    user: Option<User>,
    directory: PathBuf,
    port: u16,
    process: Option<Process>,
}

impl Postgres {
    /// Makes the cluster if there is none, ends what an earlier run left running on it, and starts it.
    pub async fn start(installation: &Installation, settings: Settings) -> Result<Self> {
        let user = User::for_postgres()?;
        let mut installation = installation.clone();
        installation.directory = places::runnable(&installation.directory, user)?;
        let directory = places::make(&settings.directory, user)?;
        let port = ports::free(settings.port)?;
        let mut server = Self { installation, settings, user, directory, port, process: None };

        orphans::end_postgres(&server.data());
        let _ = fs::remove_file(server.log());
        server.initialise()?;
        server.start_again().await?;
        Ok(server)
    }

    /// Starts a server that was stopped, on the port it had.
    pub async fn start_again(&mut self) -> Result<()> {
        for attempt in 0..3 {
            match self.try_start().await {
                // Somebody took the port between our look and Postgres' own.
                Err(error) if attempt < 2 && format!("{error:#}").contains("Address already in use") => {
                    self.port = ports::free(None)?;
                }
                other => return other,
            }
        }
        Ok(())
    }

    /// Ends every connection and stops in good order.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.stop(Signal::INT, Duration::from_secs(15));
        }
    }

    /// Stops as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.stop(Signal::QUIT, Duration::from_secs(5));
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

    /// Where data and log really are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// How to reach the server as its administrator.
    pub fn server(&self) -> Server {
        Server { port: self.port, password: self.settings.password.clone() }
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// What the server writes.
    pub fn log(&self) -> PathBuf {
        self.directory.join("postgres.log")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.installation.directory.join("bin").join(program));
        if let Some(user) = self.user {
            user.run(&mut command);
        }
        // The variables that a developer has set for psql are not for this server.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(&name);
            }
        }
        command.env("LC_ALL", "C").env("TZ", "UTC").current_dir(&self.directory);
        command
    }

    fn initialise(&self) -> Result<()> {
        let data = self.data();
        let version = data.join("PG_VERSION");
        if let Ok(made_by) = fs::read_to_string(&version) {
            if made_by.trim() == self.installation.major.to_string() {
                return Ok(());
            }
            bail!(
                "the data in {} was made by PostgreSQL {made_by} and this is {}: let POSTGRES_BIN name a PostgreSQL \
                 {made_by}, or begin anew with `cargo up --fresh`",
                data.display(),
                self.installation.major,
                made_by = made_by.trim()
            );
        }
        // An initdb that was cut short leaves no version behind.
        places::remove_directory(&data)?;

        let password_file = self.directory.join("password");
        let _ = fs::remove_file(&password_file);
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&password_file)?
            .write_all(self.settings.password.as_bytes())?;
        places::give(&password_file, self.user)?;

        let mut command = self.command("initdb");
        command.arg("--pgdata").arg(&data).arg("--pwfile").arg(&password_file).args([
            "--username",
            ADMINISTRATOR,
            "--encoding=UTF8",
            "--auth=scram-sha-256",
            "--no-instructions",
        ]);
        if self.installation.major >= 17 {
            // Sorts the same on every machine, whatever its C library.
            command.args(["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]);
        } else {
            command.arg("--locale=C.UTF-8");
        }
        if !self.settings.durable {
            command.arg("--no-sync");
        }
        let output = command.output().context("initdb could not be started")?;
        fs::remove_file(&password_file)?;
        if !output.status.success() {
            bail!(
                "initdb failed ({}):\n{}{}",
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(())
    }

    async fn try_start(&mut self) -> Result<()> {
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).args(["-c", &format!("port={}", self.port)]);
        let mut options = vec![
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "timezone=UTC",
            "log_timezone=UTC",
            // A statement's parameters are patients' data, and so is what an error says beside its first line: rows, keys,
            // pieces of documents. Every role may set the second of these for itself; it adds to what terse leaves out.
            "log_parameter_max_length=0",
            "log_parameter_max_length_on_error=0",
            "log_error_verbosity=terse",
            "log_min_error_statement=panic",
            "max_connections=300",
        ];
        if !self.settings.durable {
            options.extend([
                // A commit must still survive `kill`: it waits for the file to be written, not for the disk.
                "fsync=off",
                "full_page_writes=off",
                "wal_level=minimal",
                "max_wal_senders=0",
                "max_wal_size=4GB",
            ]);
        }
        for option in options {
            command.args(["-c", option]);
        }
        let mut process = Process::start("Postgres", &mut command, &self.log())?;
        let server = self.server();
        // Ready is when it answers at all; 57P03 is "starting up".
        process
            .wait_until(Duration::from_secs(60), async || match server.try_connect("postgres").await {
                Ok(_) => true,
                Err(error) => code(&error).is_some_and(|code| code != "57P03"),
            })
            .await?;
        self.process = Some(process);
        server.try_connect("postgres").await.map(drop).map_err(|error| match code(&error).as_deref() {
            Some("28P01") => anyhow::Error::new(error).context(format!(
                "the data in {} was made with another password than .local/secrets.env holds: put that file back, \
                 or begin anew with `cargo up --fresh`",
                self.directory.display()
            )),
            _ => anyhow::Error::new(error).context("Postgres refuses its administrator"),
        })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

/// How to reach a server of ours as its administrator.
#[derive(Debug, Clone)]
pub struct Server {
    pub(crate) port: u16,
    pub(crate) password: String,
}

impl Server {
    /// The administrator's URL of one database.
    pub fn url(&self, database: &str) -> String {
        self.url_of(ADMINISTRATOR, &self.password, database)
    }

    /// Another role's URL of one database. Our passwords need no escaping.
    pub fn url_of(&self, role: &str, password: &str, database: &str) -> String {
        format!("postgres://{role}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// A connection as administrator.
    pub async fn connect(&self, database: &str) -> Result<PgConnection> {
        self.try_connect(database).await.with_context(|| format!("no connection to the database {database}"))
    }

    async fn try_connect(&self, database: &str) -> sqlx::Result<PgConnection> {
        PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username(ADMINISTRATOR)
            .password(&self.password)
            .database(database)
            .ssl_mode(PgSslMode::Disable)
            .connect()
            .await
    }

    /// Whether there is such a database.
    pub async fn has_database(&self, name: &str) -> Result<bool> {
        let mut connection = self.connect("postgres").await?;
        let found = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(name)
            .fetch_one(&mut connection)
            .await?;
        connection.close().await?;
        Ok(found)
    }

    /// Makes a database, as a copy of `template` or empty.
    pub async fn create_database(&self, name: &str, template: Option<&str>) -> Result<()> {
        let template = template.unwrap_or("template0");
        self.execute(&format!(r#"create database "{name}" template "{template}""#))
            .await
            .with_context(|| format!("the database {name} could not be made"))
    }

    /// Drops a database and ends its connections.
    pub async fn drop_database(&self, name: &str) -> Result<()> {
        self.execute(&format!(r#"drop database if exists "{name}" with (force)"#)).await
    }

    /// One statement, as administrator, in the database `postgres`.
    pub async fn execute(&self, statement: &str) -> Result<()> {
        let mut connection = self.connect("postgres").await?;
        connection.execute(AssertSqlSafe(statement.to_owned())).await?;
        connection.close().await?;
        Ok(())
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|error| error.code()).map(Into::into)
}

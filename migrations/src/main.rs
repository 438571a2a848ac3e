//! `migrate up | status | audit verify`: see `migrate --help`.

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use migrate::{
    Options, Standing, Status, audit,
    storage::{Account, Container},
};
use std::process::ExitCode;

/// Brings the imaging service's database to what this build needs.
///
/// Makes the roles imaging_owner and imaging_service where they are missing, applies the versioned files of
/// migrations/, replaces the functions of components/*/src/*.sql, and lets imaging_service execute those
/// functions and nothing else. The SQL is inside this binary. Two that start at once do not disturb each other.
#[derive(Parser)]
#[command(name = "migrate", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Apply what the database lacks
    Up {
        #[command(flatten)]
        database: Database,
        /// Print what would be applied and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Also drop functions that no file makes any more; only once no older release is running
        #[arg(long, conflicts_with = "dry_run")]
        prune: bool,
        /// Password for imaging_service; left as it is when not given
        #[arg(long, env = "IMAGING_SERVICE_PASSWORD", hide_env_values = true)]
        service_password: Option<String>,
    },
    /// Compare the database with this build; exits with 1 when `up` has something to do
    Status {
        #[command(flatten)]
        database: Database,
    },
    /// What was written about who did what
    Audit {
        #[command(subcommand)]
        command: Audit,
    },
}

#[derive(Subcommand)]
enum Audit {
    /// Compare the audit with its chain of hashes, and the chain with storage; exits with 1 when it is not as it was sealed
    Verify {
        #[command(flatten)]
        database: Database,
        #[command(flatten)]
        storage: Storage,
    },
}

#[derive(clap::Args)]
struct Storage {
    /// Do not ask storage: that the chain was not made anew, or cut off at its end, is then not proven
    #[arg(long)]
    without_storage: bool,
    /// The storage account that the service uses
    #[arg(long, env = "AZURE_STORAGE_CONNECTION_STRING", hide_env_values = true)]
    connection_string: Option<String>,
    /// Its container with the hashes. AZURE_STORAGE_CONTAINER_NAME is read when this is not set
    #[arg(long, env = "AZURE_STORAGE_AUDIT_CONTAINER_NAME")]
    container: Option<String>,
}

#[derive(clap::Args)]
struct Database {
    /// The database, as its owner or an administrator: postgres://role:password@host:5432/database.
    /// DATABASE_URL is read when this is not set. Prisma's ?schema= is ignored
    #[arg(long = "database-url", env = "MIGRATION_DATABASE_URL", hide_env_values = true)]
    url: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("migrate: {}", migrate::explain(&error));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::Audit { command: Audit::Verify { database, storage } } => {
            let container = storage.container()?;
            let verified = audit::verify(&database.url()?, container.as_ref()).await?;
            print!("{verified}");
            Ok(if verified.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Status { database } => {
            let status = migrate::status(&database.url()?).await?;
            print(&status, true);
            Ok(if status.is_current() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Up { database, dry_run: true, .. } => {
            let status = migrate::status(&database.url()?).await?;
            if status.is_current() {
                println!("Nothing to do.");
            } else {
                print(&status, false);
                println!("Nothing was changed: this was a dry run.");
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Up { database, dry_run: false, prune, service_password } => {
            let options = Options { service_password, prune, notice: |text| eprintln!("migrate: {text}") };
            let report = migrate::up(&database.url()?, &options).await?;
            for role in &report.roles_made {
                println!("made the role {role}");
            }
            for path in &report.applied {
                println!("applied {path}");
            }
            match report.functions.replaced {
                true => println!("replaced the functions of {} files", report.functions.files),
                false => println!("the functions of {} files were current", report.functions.files),
            }
            for function in &report.functions.dropped {
                println!("dropped {function}");
            }
            for function in &report.functions.left_over {
                println!("{function} is made by no file any more; `migrate up --prune` drops it");
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn print(status: &Status, all: bool) {
    for role in &status.roles_missing {
        println!("missing   role {role}");
    }
    for (path, standing) in status.migrations.iter().chain(&status.functions) {
        let word = match standing {
            Standing::Current if !all => continue,
            Standing::Current => "current",
            Standing::Pending => "pending",
            Standing::Changed => "changed",
            Standing::Unknown => "unknown",
        };
        println!("{word:<9} {path}");
    }
}

impl Database {
    fn url(&self) -> Result<String> {
        self.url
            .clone()
            .or_else(|| std::env::var("DATABASE_URL").ok())
            .filter(|url| !url.trim().is_empty())
            .context(
                "no database given: set MIGRATION_DATABASE_URL to postgres://role:password@host:5432/database, \
                 as its owner or an administrator",
            )
    }
}

impl Storage {
    fn container(&self) -> Result<Option<Container>> {
        if self.without_storage {
            return Ok(None);
        }
        let set = |value: &Option<String>| value.clone().filter(|value| !value.trim().is_empty());
        let connection_string = set(&self.connection_string).context(
            "no storage given: set AZURE_STORAGE_CONNECTION_STRING to the account that the service uses, or say \
             --without-storage",
        )?;
        let container = set(&self.container)
            .or_else(|| set(&std::env::var("AZURE_STORAGE_CONTAINER_NAME").ok()))
            .unwrap_or_else(|| "medical-images".to_owned());
        let account =
            Account::parse(&connection_string).context("AZURE_STORAGE_CONNECTION_STRING cannot be used")?;
        account.container(&container).map(Some)
    }
}

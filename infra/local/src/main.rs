//! `cargo up`, and what the tests' stack runs in. See `cargo up --help`.

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use local::token::{AUDIENCE, Claims, ISSUER};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo", bin_name = "cargo")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Up(Up),
    /// Own the stack that tests share (started by them)
    #[command(hide = true)]
    Watch {
        directory: PathBuf,
    },
}

/// Build the imaging service and run it here, with a Postgres and a Blob storage of its own, until Ctrl-C.
///
/// Data and made-up secrets are kept in .local/. Set in the environment, these are used instead of what would be
/// started or made up: DATABASE_URL (with PHI_KEYS, and MIGRATION_DATABASE_URL where the service's role may not
/// migrate), AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_CONTAINER_NAME, JWT_SECRET, JWKS_URL, JWT_ISSUER,
/// JWT_AUDIENCE, EVENT_KEY, LOG_LEVEL, PORT (3006), POSTGRES_BIN.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
struct Up {
    /// Delete the data and secrets of earlier starts first
    #[arg(long)]
    fresh: bool,
    #[command(subcommand)]
    command: Option<UpCommand>,
}

#[derive(Subcommand)]
enum UpCommand {
    Token(Token),
}

/// Print a token for trying things; the service need not be running.
#[derive(Args)]
struct Token {
    /// provider, technologist, radiologist, admin, patient, …
    #[arg(long)]
    role: String,
    /// The tenant
    #[arg(long)]
    organization: String,
    /// Where they work; may be given several times
    #[arg(long = "facility")]
    facilities: Vec<String>,
    /// Who it is; made of the role if not given
    #[arg(long)]
    id: Option<String>,
    /// Their address
    #[arg(long)]
    email: Option<String>,
    /// A right beside the role's; may be given several times
    #[arg(long = "permission")]
    permissions: Vec<String>,
    /// Whose token it is, for the role patient
    #[arg(long)]
    patient: Option<String>,
    /// How long it is good for
    #[arg(long, default_value_t = 480)]
    minutes: i64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Up(Up { command: Some(UpCommand::Token(token)), .. }) => token.print(),
        Command::Up(Up { fresh, command: None }) => local::up::up(fresh).await,
        Command::Watch { directory } => local::watch(&directory).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\ncargo up: {}", migrate::explain(&error));
            ExitCode::FAILURE
        }
    }
}

impl Token {
    fn print(self) -> Result<()> {
        let id = self.id.unwrap_or_else(|| format!("{}-1", self.role.to_lowercase()));
        let claims = Claims::new(&id, &self.role, &self.organization, self.minutes);
        let claims = Claims {
            email: self.email.unwrap_or(claims.email),
            facility_ids: self.facilities,
            permissions: self.permissions,
            patient_id: self.patient,
            iss: std::env::var("JWT_ISSUER").unwrap_or_else(|_| ISSUER.to_owned()),
            aud: std::env::var("JWT_AUDIENCE").unwrap_or_else(|_| AUDIENCE.to_owned()),
            ..claims
        };
        println!("{}", claims.sign(&local::up::jwt_secret()?)?);
        Ok(())
    }
}

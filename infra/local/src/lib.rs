//! Starts what the service needs on one machine: what `cargo up` runs, and what the tests share.
//!
//! [`Stack`] is one Postgres and one Azurite for a whole test run; [`host::Host`] is the service over them.

pub mod builds;
mod given;
pub mod host;
mod orphans;
pub mod packages;
mod places;
mod ports;
pub mod postgres;
mod process;
pub mod progress;
mod random;
pub mod secrets;
pub mod stack;
pub mod storage;
pub mod token;
pub mod up;
mod watch;

pub use host::Host;
pub use postgres::Postgres;
pub use stack::Stack;
pub use storage::Azurite;
pub use watch::watch;

use std::path::{Path, PathBuf};

/// This crate's directory.
pub(crate) fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The repository.
pub fn root() -> PathBuf {
    home().ancestors().nth(2).unwrap_or(home()).to_owned()
}

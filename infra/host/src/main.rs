//! The program. Everything is in the library, so that its parts can be tested.

use anyhow::Context as _;
use clap::Parser as _;
use host::arguments::Arguments;
use std::process::ExitCode;
use std::time::Instant;

/// After how many turns of tasks the sockets are looked at. Tokio's own 61 would be more than half a second while guests
/// compute, who give way every ten milliseconds, and nobody else would be answered.
const TURNS: u32 = 8;

fn main() -> ExitCode {
    let started = Instant::now();
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().event_interval(TURNS).build();
    let served = runtime
        .context("cannot start the threads that serve")
        .and_then(|runtime| runtime.block_on(host::run(started, arguments)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("host: {error:#}");
            ExitCode::FAILURE
        }
    }
}

//! What the service costs: the figures that it has to keep to, measured on this machine, all in one run.
//!
//!     cargo measure                     # everything but the load, a few minutes
//!     cargo measure --only reads        # one part of it
//!     cargo measure --only load         # 20,000 images, undisturbed: more minutes
//!     cargo measure --only trouble      # the same while everything fails
//!
//! The load comes from this process and stays on this machine. What it is compared with is a native program of the same
//! dependencies (`baseline.rs`), in a process of its own as the host is, on the same database, in alternating rounds.

mod baseline;
mod costs;
mod dispatch;
mod footprint;
mod gateways;
mod hostile;
mod ingest;
mod load;
mod overload;
mod reads;
mod table;
mod uploads;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};

#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,

    /// Which parts to measure; all of them but the load when not given
    #[arg(long, value_enum)]
    only: Vec<Part>,

    /// Clients that read at once, each over a connection of its own
    #[arg(long, default_value_t = 16)]
    clients: usize,

    /// Rounds of each program
    #[arg(long, default_value_t = 4)]
    rounds: usize,

    /// Seconds of a round
    #[arg(long, default_value_t = 5)]
    seconds: u64,

    /// Another manifest than the repository's for the reads, to compare components that were built otherwise
    #[arg(long)]
    manifest: Option<PathBuf>,

    /// Images to upload, and to file for each line of `ingest`
    #[arg(long, default_value_t = 200)]
    images: usize,

    /// Findings to be told while everything fails
    #[arg(long, default_value_t = 1000)]
    findings: usize,

    /// Studies of the load
    #[arg(long, default_value_t = 200)]
    studies: usize,

    /// Images of each study of the load
    #[arg(long, default_value_t = 100)]
    instances: usize,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Serve as the native program that the service is compared with
    #[command(hide = true)]
    Baseline,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Part {
    /// Requests a second, beside a native program
    Reads,
    /// From the end of an upload to the stored image
    Uploads,
    /// Images a second from the blob to the stored image, how that splits, and what a native program does
    Ingest,
    /// Round trips and bytes of each request
    Costs,
    /// Time and memory that hostile files take
    Hostile,
    /// Memory, sizes and start
    Footprint,
    /// Ten times as much as can be served
    Overload,
    /// From a finding to the first message, and 1,000 findings while the receiver fails and the host is killed ten times
    Dispatch,
    /// Many studies from eight gateways while people read; only when asked for
    Load,
    /// The same while the host is killed, Postgres restarted, and storage too busy; only when asked for
    Trouble,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.role.is_some() {
        return tokio::runtime::Runtime::new()?.block_on(baseline::serve());
    }
    // One thread sends all the load, so that as much of the machine as possible is left to what is measured.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure(&arguments))
}

async fn measure(arguments: &Arguments) -> Result<()> {
    let asked = |part| arguments.only.is_empty() || arguments.only.contains(&part);
    if asked(Part::Footprint) {
        footprint::measure().await?;
    }
    if asked(Part::Costs) {
        costs::measure().await?;
    }
    if asked(Part::Uploads) {
        uploads::measure(arguments.images).await?;
    }
    if asked(Part::Ingest) {
        ingest::measure(arguments.images).await?;
    }
    if asked(Part::Hostile) {
        hostile::measure().await?;
    }
    if asked(Part::Reads) {
        let manifest = arguments.manifest.as_deref();
        reads::measure(manifest, arguments.clients, arguments.rounds, arguments.seconds).await?;
    }
    if asked(Part::Dispatch) {
        dispatch::measure(arguments.findings).await?;
    }
    if asked(Part::Overload) {
        overload::measure(arguments.seconds).await?;
    }
    for (part, is_troubled) in [(Part::Load, false), (Part::Trouble, true)] {
        if arguments.only.contains(&part) {
            gateways::measure(arguments.studies, arguments.instances, is_troubled).await?;
        }
    }
    Ok(())
}

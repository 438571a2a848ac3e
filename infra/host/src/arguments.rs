//! The command line.

use crate::settings::Environment;
use crate::timer::Timer;
use anyhow::{Context, Result};
use clap::Parser;
use clap::builder::FalseyValueParser;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Runs the components of a Spin application over wasmtime.
///
/// Variables of the application take their values from SPIN_VARIABLE_<NAME>, else from <NAME> (DATABASE_URL, JWT_SECRET
/// ...), in the environment or the env file; else from their defaults in the manifest. LOG_LEVEL (error, warn, info,
/// debug) sets how much the host logs.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Arguments {
    /// The application's manifest
    #[arg(long, default_value = "spin.toml", env = "HOST_MANIFEST")]
    pub manifest: PathBuf,

    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1", env = "HOST")]
    pub listen: IpAddr,

    /// Port to listen on; 0 takes a free one. Without the flag: FUNCTIONS_CUSTOMHANDLER_PORT, else PORT, else 3006
    #[arg(long)]
    pub port: Option<u16>,

    /// File of NAME=value lines, read beneath the environment
    #[arg(long, env = "HOST_ENV_FILE")]
    pub env_file: Option<PathBuf>,

    /// Where compiled components are kept [default: imaging-host in the user's cache folder]
    #[arg(long, env = "HOST_CACHE_DIR")]
    pub cache_dir: Option<PathBuf>,

    /// Post to a path of the application every so many seconds, as in /tasks/sweep=1; may be given several times
    #[arg(long = "timer", value_name = "PATH=SECONDS")]
    pub timers: Vec<Timer>,

    /// Give every request an instance of its own, with no memory that another request has seen
    #[arg(long, env = "HOST_FRESH_INSTANCES", value_parser = FalseyValueParser::new())]
    pub fresh_instances: bool,

    /// Put what each request cost (round trips, bytes, milliseconds) into its log line and its x-profile header
    #[arg(long, env = "HOST_PROFILE", value_parser = FalseyValueParser::new())]
    pub profile: bool,

    /// Memory that an instance may use, in MiB
    #[arg(long, default_value_t = 128, env = "HOST_MEMORY", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub memory: u32,

    /// Seconds that a request may take
    #[arg(long, default_value_t = 30, env = "HOST_DEADLINE", value_parser = clap::value_parser!(u64).range(1..))]
    pub deadline: u64,

    /// Requests that run at once
    #[arg(long, default_value_t = 256, env = "HOST_MAX_CONCURRENT", value_parser = clap::value_parser!(u16).range(1..))]
    pub max_concurrent: u16,

    /// Requests that may wait for their turn beyond those; further ones are told to come again
    #[arg(long, default_value_t = 64, env = "HOST_MAX_QUEUED")]
    pub max_queued: u16,

    /// Connections of clients that are open at once; some beside those are told to come again, or how the host is
    #[arg(long, default_value_t = 4096, env = "HOST_MAX_CONNECTIONS", value_parser = clap::value_parser!(u16).range(1..))]
    pub max_connections: u16,

    /// Connections to each database
    #[arg(long, default_value_t = 16, env = "HOST_DATABASE_CONNECTIONS", value_parser = clap::value_parser!(u16).range(1..))]
    pub database_connections: u16,

    /// Seconds that a request may wait for a connection to a database
    #[arg(long, default_value_t = 5, env = "HOST_DATABASE_WAIT", value_parser = clap::value_parser!(u64).range(1..))]
    pub database_wait: u64,
}

impl Arguments {
    pub fn port(&self, environment: &Environment) -> Result<u16> {
        if let Some(port) = self.port {
            return Ok(port);
        }
        for name in ["FUNCTIONS_CUSTOMHANDLER_PORT", "SPIN_VARIABLE_PORT", "PORT"] {
            if let Some(port) = environment.get(name) {
                return port.parse().with_context(|| format!("{name} is not a port: correct or unset it"));
            }
        }
        Ok(3006)
    }

    /// Absolute, as wasmtime wants it.
    pub fn cache_dir(&self) -> Result<PathBuf> {
        let folder = match &self.cache_dir {
            Some(folder) => folder.clone(),
            None => {
                let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
                set("XDG_CACHE_HOME")
                    .or_else(|| set("HOME").map(|home| home.join(".cache")))
                    .unwrap_or_else(std::env::temp_dir)
                    .join("imaging-host")
            }
        };
        std::path::absolute(&folder).with_context(|| format!("{} is not a folder", Path::display(&folder)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }
}

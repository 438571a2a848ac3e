//! Runs the components of a Spin application over wasmtime: what `cargo up` and Azure Functions start.
//!
//! `main.rs` is the program; it calls [`run`].

pub mod admission;
pub mod application;
pub mod arguments;
pub mod assembly;
pub mod bindings;
pub mod call;
pub mod engine;
pub mod guest;
pub mod http;
pub mod manifest;
pub mod outbound;
pub mod pace;
pub mod postgres;
pub mod reply;
pub mod route;
pub mod server;
pub mod settings;
pub mod stdio;
pub mod template;
pub mod timer;
pub mod tls;
pub mod variables;

use anyhow::{Context as _, Result};
use arguments::Arguments;
use manifest::Manifest;
use server::Bounds;
use settings::{Environment, Secret, Settings};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

/// Tells the program that it has started itself anew, and how many milliseconds it had taken until then.
const STARTED_ANEW: &str = "HOST_STARTED_ANEW";

/// Serves until the process is told to stop. `started` is when it began, for the log.
pub async fn run(started: Instant, arguments: Arguments) -> Result<()> {
    let environment = Environment::read(arguments.env_file.as_deref())?;
    log(&environment)?;
    let manifest = Manifest::read(&arguments.manifest)?;
    let socket = server::bind(arguments.listen, arguments.port(&environment)?)?;

    let compiled = tokio::task::block_in_place(|| assembly::compile(&arguments, &manifest))?;
    let earlier = environment.get(STARTED_ANEW).and_then(|millis| millis.parse().ok());
    if compiled.anew && earlier.is_none() {
        start_anew(started);
    }
    let settings = Settings::resolve(&manifest.variables, &environment);
    for name in settings.missing() {
        tracing::warn!(
            variable = name,
            "a required variable is not set: requests that need it will fail, set SPIN_VARIABLE_{}",
            name.to_ascii_uppercase()
        );
    }
    let application = assembly::assemble(&arguments, &manifest, &settings, compiled)?;
    let key = settings.get("event_key").map(Secret::expose).and_then(timer::event_key);
    if key.is_none() && !arguments.timers.is_empty() {
        tracing::warn!("timers have nothing to prove themselves with: set SPIN_VARIABLE_EVENT_KEY");
    }

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = socket.listen(1024)?;
    let took = started.elapsed() + Duration::from_millis(earlier.unwrap_or_default());
    tracing::info!(
        address = %listener.local_addr()?,
        start_ms = u64::try_from(took.as_millis())?,
        "listening"
    );

    let (stop, stopping) = watch::channel(false);
    let timers: Vec<_> = arguments
        .timers
        .into_iter()
        .map(|timer| tokio::spawn(timer.run(Arc::clone(&application), key.clone(), stopping.clone())))
        .collect();
    let told_to_stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        stop.send_replace(true);
    };
    let bounds = Bounds::of(arguments.max_connections);
    server::serve(Arc::clone(&application), listener, bounds, told_to_stop, timers).await;
    application.shared.stopped.store(true, SeqCst);
    Ok(())
}

/// Compiling leaves a heap of some hundred megabytes that the allocator does not give back. The same program started
/// over, under the same process id and with everything compiled, takes no more than it needs.
fn start_anew(started: Instant) {
    let Ok(program) = std::env::current_exe() else { return };
    let millis = started.elapsed().as_millis().to_string();
    let error = Command::new(program).args(std::env::args_os().skip(1)).env(STARTED_ANEW, millis).exec();
    tracing::debug!(%error, "goes on with the memory that compiling took");
}

/// JSON lines on stderr, where those of the components go too.
fn log(environment: &Environment) -> Result<()> {
    let level = environment.get("SPIN_VARIABLE_LOG_LEVEL").or_else(|| environment.get("LOG_LEVEL"));
    let level = level.unwrap_or("info");
    let level: tracing::Level =
        level.parse().ok().with_context(|| format!("LOG_LEVEL {level:?}: set error, warn, info or debug"))?;
    // Errors of connections that guests handle are not the log's business.
    let filter = EnvFilter::try_new(format!("error,host={level}"))?;
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_target(false)
        .with_current_span(false)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    Ok(())
}

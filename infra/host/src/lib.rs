//! Runs the components of a Spin application over wasmtime: what `cargo up` and Azure Functions start.
//!
//! `main.rs` is the program; it calls [`run`].

pub mod admission;
pub mod application;
pub mod arguments;
pub mod bindings;
pub mod call;
pub mod engine;
pub mod guest;
pub mod http;
pub mod manifest;
pub mod outbound;
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

use admission::{Admission, RESERVE};
use anyhow::{Context as _, Result};
use application::Application;
use arguments::Arguments;
use guest::{Context, Handler, Instances, Shared};
use manifest::Manifest;
use outbound::AllowedHosts;
use route::Router;
use settings::{Environment, Secret, Settings};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use variables::Variables;

/// How long an instance without a request is kept.
const IDLE: Duration = Duration::from_secs(10);

/// How many requests an instance answers at most.
const REUSE: usize = 128;

/// Instances that wait for requests of one component while another is busy, beside those that run.
const SPARE_INSTANCES: u32 = 256;

/// Serves until the process is told to stop. `started` is when it began, for the log.
pub async fn run(started: Instant, arguments: Arguments) -> Result<()> {
    let environment = Environment::read(arguments.env_file.as_deref())?;
    log(&environment)?;
    let manifest = Manifest::read(&arguments.manifest)?;
    let settings = Settings::resolve(&manifest.variables, &environment);
    for name in settings.missing() {
        tracing::warn!(
            variable = name,
            "a required variable is not set: requests that need it will fail, set SPIN_VARIABLE_{}",
            name.to_ascii_uppercase()
        );
    }
    let port = arguments.port(&environment)?;
    let socket = server::bind(arguments.listen, port)?;

    let application = tokio::task::block_in_place(|| assemble(&arguments, &manifest, &settings))?;
    let key = settings.get("event_key").map(Secret::expose).and_then(timer::event_key);
    if key.is_none() && !arguments.timers.is_empty() {
        tracing::warn!("timers have nothing to prove themselves with: set SPIN_VARIABLE_EVENT_KEY");
    }

    let listener = socket.listen(1024)?;
    let address = listener.local_addr()?;
    let start_ms = u64::try_from(started.elapsed().as_millis())?;
    tracing::info!(address = %address, start_ms, "listening");

    let timers: Vec<_> = arguments
        .timers
        .into_iter()
        .map(|timer| tokio::spawn(timer.run(Arc::clone(&application), key.clone())))
        .collect();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        for timer in &timers {
            timer.abort();
        }
    };
    let served = server::serve(Arc::clone(&application), listener, stop).await;
    application.shared.stopped.store(true, SeqCst);
    served
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

/// Everything that serves, from what the manifest describes.
fn assemble(arguments: &Arguments, manifest: &Manifest, settings: &Settings) -> Result<Arc<Application>> {
    let deadline = Duration::from_secs(arguments.deadline);
    let memory = usize::try_from(arguments.memory)? << 20;
    let shared = Arc::new(Shared {
        databases: postgres::Databases::new(
            manifest.name.clone(),
            postgres::Limits {
                connections: usize::from(arguments.database_connections),
                wait: Duration::from_secs(arguments.database_wait),
                statement: deadline,
            },
        ),
        client: http::Client::new()?,
        limits: guest::Limits {
            memory,
            deadline,
            reuse: if arguments.fresh_instances { 1 } else { REUSE },
            idle: IDLE,
        },
        application: OnceLock::new(),
        stopped: AtomicBool::new(false),
    });

    let running = u32::from(arguments.max_concurrent) + u32::try_from(RESERVE)?;
    let engine = engine::build(running + SPARE_INSTANCES, memory, &arguments.cache_dir()?)?;
    let linker = engine::linker(&engine)?;

    let used: BTreeSet<_> = manifest.triggers.iter().map(|trigger| trigger.component.as_str()).collect();
    let components: Vec<_> =
        manifest.components.iter().filter(|(name, _)| used.contains(name.as_str())).collect();
    let sources: Vec<_> =
        components.iter().map(|(name, component)| (name.as_str(), component.source.clone())).collect();
    let compiled = engine::compile(&engine, &linker, &sources)?;

    let mut handlers = BTreeMap::new();
    for ((name, component), compiled) in components.into_iter().zip(compiled) {
        let context = Arc::new(Context {
            name: name.clone(),
            variables: Variables::resolve(name, &component.variables, settings)?,
            allowed_hosts: AllowedHosts::resolve(name, &component.allowed_outbound_hosts, settings)?,
            environment: component.environment.clone().into_iter().collect(),
            shared: Arc::clone(&shared),
        });
        let instances = Instances { engine: engine.clone(), component: compiled, context };
        handlers.insert(name.as_str(), Handler::new(instances));
    }
    let routes = manifest.triggers.iter().filter_map(|trigger| {
        Some((trigger.route.clone(), handlers.get(trigger.component.as_str())?.clone()))
    });
    let application = Arc::new(Application {
        router: Router::new(routes)?,
        admission: Admission::new(usize::from(arguments.max_concurrent), usize::from(arguments.max_queued)),
        deadline,
        profile: arguments.profile,
        shared: Arc::clone(&shared),
    });
    // Set here and nowhere else: components that call the application find it through this.
    drop(shared.application.set(Arc::downgrade(&application)));
    Ok(application)
}

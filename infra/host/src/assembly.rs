//! Everything that serves, put together from what the manifest describes.

use crate::admission::{Admission, RESERVE};
use crate::application::Application;
use crate::arguments::Arguments;
use crate::guest::{self, Context, Guest, Handler, Instances, Shared};
use crate::manifest::{Component, Manifest};
use crate::outbound::AllowedHosts;
use crate::route::Router;
use crate::settings::Settings;
use crate::variables::Variables;
use crate::{engine, http, postgres};
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use wasmtime::Engine;
use wasmtime_wasi_http::handler::ProxyPre;

/// How long an instance without a request is kept.
const IDLE: Duration = Duration::from_secs(10);

/// How many requests an instance answers at most.
const REUSE: usize = 128;

/// Instances that wait for requests of one component while another is busy, beside those that run.
const SPARE_INSTANCES: u32 = 256;

/// The components that a route names, ready to be instantiated.
pub struct Compiled<'a> {
    engine: Engine,
    components: Vec<(&'a str, &'a Component, ProxyPre<Guest>)>,
    /// Whether any was not found compiled already.
    pub anew: bool,
}

pub fn compile<'a>(arguments: &Arguments, manifest: &'a Manifest) -> Result<Compiled<'a>> {
    let running = u32::from(arguments.max_concurrent) + u32::try_from(RESERVE + arguments.timers.len())?;
    let memory = memory(arguments)?;
    let (engine, cache) = engine::build(running + SPARE_INSTANCES, memory, &arguments.cache_dir()?)?;
    let linker = engine::linker(&engine)?;

    let used: BTreeSet<_> = manifest.triggers.iter().map(|trigger| trigger.component.as_str()).collect();
    let components = manifest.components.iter().filter(|(name, _)| used.contains(name.as_str()));
    let components: Vec<_> = components.map(|(name, component)| (name.as_str(), component)).collect();
    let sources: Vec<_> =
        components.iter().map(|(name, component)| (*name, component.source.as_path())).collect();
    let compiled = engine::compile(&engine, &linker, &sources)?;

    let components =
        components.into_iter().zip(compiled).map(|((name, component), compiled)| (name, component, compiled));
    Ok(Compiled { engine, components: components.collect(), anew: cache.cache_misses() > 0 })
}

pub fn assemble(
    arguments: &Arguments,
    manifest: &Manifest,
    settings: &Settings,
    compiled: Compiled<'_>,
) -> Result<Arc<Application>> {
    let deadline = Duration::from_secs(arguments.deadline);
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
            memory: memory(arguments)?,
            deadline,
            reuse: if arguments.fresh_instances { 1 } else { REUSE },
            idle: IDLE,
        },
        application: OnceLock::new(),
        stopped: AtomicBool::new(false),
    });

    let mut handlers = BTreeMap::new();
    for (name, component, ready) in compiled.components {
        let context = Arc::new(Context {
            name: name.to_owned(),
            variables: Variables::resolve(name, &component.variables, settings)?,
            allowed_hosts: AllowedHosts::resolve(name, &component.allowed_outbound_hosts, settings)?,
            environment: component.environment.clone().into_iter().collect(),
            shared: Arc::clone(&shared),
        });
        let instances = Instances { engine: compiled.engine.clone(), component: ready, context };
        handlers.insert(name, Handler::new(instances));
    }
    let routes = manifest.triggers.iter().filter_map(|trigger| {
        Some((trigger.route.clone(), handlers.get(trigger.component.as_str())?.clone()))
    });
    let application = Arc::new(Application {
        router: Router::new(routes)?,
        admission: Admission::new(
            usize::from(arguments.max_concurrent),
            usize::from(arguments.max_queued),
            arguments.timers.len(),
        ),
        deadline,
        profile: arguments.profile,
        shared: Arc::clone(&shared),
    });
    // Set here and nowhere else: components that call the application find it through this.
    drop(shared.application.set(Arc::downgrade(&application)));
    Ok(application)
}

fn memory(arguments: &Arguments) -> Result<usize> {
    Ok(usize::try_from(arguments.memory)? << 20)
}

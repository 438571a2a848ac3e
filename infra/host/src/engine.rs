//! Wasmtime set up: what bounds instances, and components compiled once and kept on disk.

use crate::bindings::spin;
use crate::guest::{Guest, HasGuest};
use anyhow::{Context, Result, anyhow};
use std::path::Path;
use std::time::Duration;
use wasmtime::component::{Component, Linker};
use wasmtime::{Cache, CacheConfig, Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};
use wasmtime_wasi_http::handler::ProxyPre;
use wasmtime_wasi_http::p3::bindings::ServicePre;

/// How often a computing guest gives way, and its deadline is looked at.
const TICK: Duration = Duration::from_millis(10);

/// An engine for at most so many instances at a time, each of at most so much memory; and where it keeps what it compiled.
pub fn build(instances: u32, memory: usize, cache: &Path) -> Result<(Engine, Cache)> {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances)
        // A component is a few core modules: itself and the adapters between it and WASI.
        .total_core_instances(instances.saturating_mul(4))
        .total_memories(instances)
        .total_tables(instances.saturating_mul(4))
        .total_stacks(instances)
        .max_memory_size(memory);

    let mut cached = CacheConfig::new();
    cached.with_directory(cache);
    let cache = Cache::new(cached).map_err(|error| anyhow!("{error:#}")).with_context(|| {
        format!(
            "cannot keep compiled components in {}: choose another place with --cache-dir",
            cache.display()
        )
    })?;

    let mut config = Config::new();
    config
        .wasm_component_model_async(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .epoch_interruption(true)
        .cache(Some(cache.clone()));
    let engine = Engine::new(&config)
        .map_err(|error| anyhow!("{error:#}"))
        .context("cannot set up wasmtime: lower --max-concurrent if address space is limited")?;

    // A thread of its own, for the runtime's may all be busy in guests.
    let weak = engine.weak();
    std::thread::Builder::new().name("epoch".to_owned()).spawn(move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    })?;
    Ok((engine, cache))
}

pub fn linker(engine: &Engine) -> Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    let mut add = || -> wasmtime::Result<()> {
        // `wasm32-wasip2` brings the standard library's imports of WASI 0.2, `spin-sdk` those of WASI 0.3.
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
        spin::variables::variables::add_to_linker::<_, HasGuest>(&mut linker, |guest| guest)?;
        spin::postgres::postgres::add_to_linker::<_, HasGuest>(&mut linker, |guest| guest)
    };
    add().map_err(|error| anyhow!("{error:#}"))?;
    Ok(linker)
}

/// Compiles components side by side, or finds them compiled.
pub fn compile(
    engine: &Engine,
    linker: &Linker<Guest>,
    sources: &[(&str, &Path)],
) -> Result<Vec<ProxyPre<Guest>>> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = sources
            .iter()
            .map(|(name, source)| scope.spawn(move || compile_one(engine, linker, name, source)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("the compiler panicked"))?)
            .collect()
    })
}

fn compile_one(
    engine: &Engine,
    linker: &Linker<Guest>,
    name: &str,
    source: &Path,
) -> Result<ProxyPre<Guest>> {
    let about = || format!("component {name:?} ({})", source.display());
    if !source.is_file() {
        return Err(anyhow!("there is no such file: build the components first")).with_context(about);
    }
    let component = Component::from_file(engine, source)
        .map_err(|error| anyhow!("{error:#}"))
        .context("this is not a component that can be compiled: build it for wasm32-wasip2")
        .with_context(about)?;
    let linked = linker
        .instantiate_pre(&component)
        .map_err(|error| anyhow!("{error:#}"))
        .context("it imports something that this host does not have: run it under Spin, or do without")
        .with_context(about)?;
    let service = ServicePre::new(linked)
        .map_err(|error| anyhow!("{error:#}"))
        .context("it exports no wasi:http/handler@0.3: build it with spin-sdk 7")
        .with_context(about)?;
    Ok(ProxyPre::P3(service))
}

//! Ten times as much as the host can serve: how much is served, how soon the rest is turned away, and whether the host is
//! seen to be well meanwhile.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use local::token::Claims;
use serde_json::Value;
use tests::{
    Hospital,
    hospital::{ct_chest, id},
};
use tokio::{sync::Semaphore, task::LocalSet};

use crate::{
    footprint::{mebibytes, resident},
    load::{self, Answer, Client, Program, processor_time},
    table::{percentile, print, row, verdict},
};

/// How many ask without a pause to find out what the host can serve.
const SATURATING: usize = 64;
/// How much more is offered then.
const TIMES: f64 = 10.0;
/// Connections over which it is offered: more than run and wait in the host at once.
const CONNECTIONS: usize = 1024;
/// How often a part of the load is handed out.
const TICK: Duration = Duration::from_millis(1);
/// How often the host is asked whether it is well.
const ASKED: Duration = Duration::from_millis(50);
/// How soon a request that is not served has to be turned away.
const REQUIRED: Duration = Duration::from_millis(50);

/// What came of the requests of one kind.
#[derive(Default)]
struct Told {
    took: BTreeMap<u16, Vec<Duration>>,
}

pub(crate) async fn measure(seconds: u64) -> Result<()> {
    let hospital = Hospital::open_with(|settings| settings.timers.clear()).await;
    let provider = hospital.provider();
    let mut paths = Vec::new();
    for _ in 0..SATURATING {
        paths.push(format!("/api/imaging-orders/{}", id(&provider.places(ct_chest()).await)));
    }
    let mut claims = Claims::new("provider-1", "provider", &hospital.organization, 60);
    claims.facility_ids.push("fac-1".to_owned());
    let token = claims.sign(&hospital.setting("jwt_secret"))?;
    let host =
        Program { address: hospital.host.address(), process: hospital.host.pid().context("the host runs")? };
    let lasts = Duration::from_secs(seconds);

    load::round(&host, &paths, &token, Duration::from_secs(1)).await?;
    let before = load::round(&host, &paths, &token, lasts).await?;
    let memory_before = resident(&hospital)?;
    let pace = TIMES * before.per_second;
    let flood = LocalSet::new().run_until(flood(&hospital, &host, &paths, &token, pace, lasts)).await?;
    let memory_after = resident(&hospital)?;
    let after = load::round(&host, &paths, &token, lasts).await?;

    flood.print(before.per_second, pace, lasts);
    println!(
        "\nof {} connections; the host had {:.2} processors, the load {:.2}",
        CONNECTIONS,
        flood.host_processor.as_secs_f64() / lasts.as_secs_f64(),
        flood.own_processor.as_secs_f64() / lasts.as_secs_f64()
    );
    println!(
        "memory of the host: {} before, {} at most meanwhile, {} after",
        mebibytes(memory_before),
        mebibytes(flood.memory),
        mebibytes(memory_after)
    );
    println!(
        "requests/s that it serves: {:.0} before, {:.0} after ({})",
        before.per_second,
        after.per_second,
        verdict(after.per_second >= 0.8 * before.per_second)
    );
    Ok(())
}

/// What came of all that was offered.
struct Flood {
    requests: Told,
    health: Told,
    live: Told,
    /// What was to be sent while no connection was free to send it over.
    unsent: usize,
    memory: u64,
    host_processor: Duration,
    own_processor: Duration,
}

/// Offers so many requests a second, whatever comes of them.
async fn flood(
    hospital: &Hospital,
    host: &Program,
    paths: &[String],
    token: &str,
    pace: f64,
    lasts: Duration,
) -> Result<Flood> {
    let turns = Rc::new(Semaphore::new(0));
    let requests = Rc::new(RefCell::new(Told::default()));
    let mut asking = Vec::new();
    for path in paths.iter().cycle().take(CONNECTIONS) {
        let client = Client::connect(&host.address, path, token).await?;
        asking.push(tokio::task::spawn_local(ask_in_turn(client, Rc::clone(&turns), Rc::clone(&requests))));
    }
    let until = Instant::now() + lasts;
    let own = std::process::id();
    let processors = (processor_time(host.process)?, processor_time(own)?);
    let health = tokio::task::spawn_local(ask_at_times(
        Client::connect(&host.address, "/health", token).await?,
        until,
    ));
    let live = tokio::task::spawn_local(ask_at_times(
        Client::connect(&host.address, "/health/live", token).await?,
        until,
    ));

    let began = Instant::now();
    let (mut given, mut unsent, mut memory) = (0, 0, 0);
    let mut ticks = tokio::time::interval(TICK);
    while Instant::now() < until {
        ticks.tick().await;
        // What could not be sent in its turn is not made up for later: it counts as not sent.
        unsent += turns.forget_permits(usize::MAX >> 4);
        let due = (began.elapsed().as_secs_f64() * pace) as usize;
        turns.add_permits(due - given);
        given = due;
        if given % 64 == 0 || memory == 0 {
            memory = memory.max(resident(hospital)?);
        }
    }
    turns.close();
    let host_processor = processor_time(host.process)? - processors.0;
    let own_processor = processor_time(own)? - processors.1;
    for client in asking {
        client.await??;
    }
    let (health, live) = (health.await??, live.await??);
    memory = memory.max(resident(hospital)?);
    Ok(Flood { requests: requests.take(), health, live, unsent, memory, host_processor, own_processor })
}

/// Asks whenever there is a turn, until there are no more.
async fn ask_in_turn(mut client: Client, turns: Rc<Semaphore>, told: Rc<RefCell<Told>>) -> Result<()> {
    while let Ok(turn) = turns.acquire().await {
        turn.forget();
        let answer = client.ask_once().await?;
        told.borrow_mut().add(&answer)?;
    }
    Ok(())
}

async fn ask_at_times(mut client: Client, until: Instant) -> Result<Told> {
    let mut told = Told::default();
    let mut times = tokio::time::interval(ASKED);
    while Instant::now() < until {
        times.tick().await;
        let answer = client.ask_once().await?;
        told.add(&answer)?;
    }
    Ok(told)
}

impl Told {
    fn add(&mut self, answer: &Answer) -> Result<()> {
        if answer.status == 503 && answer.headers.contains_key("retry-after") {
            let body: Value = serde_json::from_slice(&answer.body)?;
            ensure!(body["status"] == "error" && body["requestId"].is_string(), "{body}");
        }
        self.took.entry(answer.status.as_u16()).or_default().push(answer.took);
        Ok(())
    }

    fn count(&self) -> usize {
        self.took.values().map(Vec::len).sum()
    }
}

impl Flood {
    fn print(&self, capacity: f64, pace: f64, lasts: Duration) {
        let mut rows = vec![row(["", "status", "each second", "p50 ms", "p99 ms", "longest ms", "required"])];
        let millis = |duration: Option<Duration>| {
            duration.map_or_else(String::new, |duration| format!("{:.1}", duration.as_secs_f64() * 1e3))
        };
        for (what, told) in
            [("requests", &self.requests), ("/health", &self.health), ("/health/live", &self.live)]
        {
            for (status, took) in &told.took {
                let mut took = took.clone();
                let (p50, p99) = (percentile(&mut took, 50), percentile(&mut took, 99));
                let kept = match (what, status) {
                    ("requests", 503) => {
                        format!(
                            "p99 within {REQUIRED:?}: {}",
                            verdict(p99.is_some_and(|p99| p99 <= REQUIRED))
                        )
                    }
                    ("requests", 200) => String::new(),
                    (_, status) => format!("200: {}", verdict(*status == 200)),
                };
                rows.push(vec![
                    what.to_owned(),
                    status.to_string(),
                    format!("{:.0}", took.len() as f64 / lasts.as_secs_f64()),
                    millis(p50),
                    millis(p99),
                    millis(took.last().copied()),
                    kept,
                ]);
            }
        }
        let sent = self.requests.count() as f64 / lasts.as_secs_f64();
        let unsent = self.unsent as f64 / lasts.as_secs_f64();
        print(
            &format!(
                "{TIMES} times what the host can serve ({capacity:.0}/s): {pace:.0}/s offered for {lasts:?}, {sent:.0}/s \
                 sent, {unsent:.0}/s for which no connection was free"
            ),
            &rows,
        );
    }
}

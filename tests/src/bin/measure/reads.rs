//! One order read with its audit row: the service beside a native program, in turns.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use local::token::Claims;
use tests::{
    Hospital,
    hospital::{ct_chest, id},
};

use crate::{
    baseline::Baseline,
    load::{self, Program, Round},
    table::{print, row, verdict},
};

/// What the service has to reach of the native program's requests a second.
const REQUIRED: f64 = 0.5;

pub(crate) async fn measure(
    manifest: Option<&Path>,
    clients: usize,
    rounds: usize,
    seconds: u64,
) -> Result<()> {
    let hospital = Hospital::open_with(|settings| {
        settings.timers.clear();
        if let Some(manifest) = manifest {
            settings.manifest = manifest.to_owned();
        }
    })
    .await;
    let baseline = Baseline::start(&hospital).await?;
    let provider = hospital.provider();
    let mut paths = Vec::new();
    for _ in 0..clients {
        paths.push(format!("/api/imaging-orders/{}", id(&provider.places(ct_chest()).await)));
    }
    let mut claims = Claims::new("provider-1", "provider", &hospital.organization, 60);
    claims.facility_ids.push("fac-1".to_owned());
    let token = claims.sign(&hospital.setting("jwt_secret"))?;
    answer_the_same(&hospital, &baseline, &paths, &token).await?;

    let host =
        Program { address: hospital.host.address(), process: hospital.host.pid().context("the host runs")? };
    let lasts = Duration::from_secs(seconds);
    let warm = Duration::from_secs(1);
    let (mut ours, mut natives) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        for (program, results) in [(&host, &mut ours), (&baseline.program, &mut natives)] {
            load::round(program, &paths, &token, warm).await?;
            results.push(load::round(program, &paths, &token, lasts).await?);
        }
    }

    let mut rows = vec![row(["", "requests/s", "p50 ms", "p99 ms", "processor µs each"])];
    rows.extend(lines("components under our host", &ours));
    rows.extend(lines("native axum + tokio-postgres", &natives));
    // Where the time goes: less and less of the way.
    for (what, path) in
        [("a component without a database: GET /", "/"), ("the host alone: GET /health/live", "/health/live")]
    {
        let paths = vec![path.to_owned(); clients];
        let only = load::round(&host, &paths, &token, Duration::from_secs(seconds.min(3))).await?;
        rows.extend(lines(what, &[only]));
    }
    print(
        &format!(
            "One order read with its audit row, {clients} clients, {rounds} rounds of {seconds} s each in turns"
        ),
        &rows,
    );
    let ratio = mean(&ours) / mean(&natives);
    println!(
        "\nof the native program's requests/s: {ratio:.2} (required {REQUIRED}: {})",
        verdict(ratio >= REQUIRED)
    );
    Ok(())
}

/// Both do the same work, or the comparison means nothing.
async fn answer_the_same(
    hospital: &Hospital,
    baseline: &Baseline,
    paths: &[String],
    token: &str,
) -> Result<()> {
    let client = reqwest::Client::new();
    for path in paths {
        let mut bodies = Vec::new();
        for address in [&hospital.host.address(), &baseline.program.address] {
            let reply = client.get(format!("{address}{path}")).bearer_auth(token).send().await?;
            bodies.push(reply.error_for_status()?.json::<serde_json::Value>().await?);
        }
        ensure!(bodies.first() == bodies.last(), "the two programs answer {path} differently: {bodies:?}");
        ensure!(bodies[0]["data"]["order"]["clinicalIndication"].is_string(), "the seal was not opened");
    }
    Ok(())
}

fn lines(what: &str, rounds: &[Round]) -> Vec<Vec<String>> {
    let millis = |duration: Duration| format!("{:.2}", duration.as_secs_f64() * 1e3);
    let each = rounds.iter().enumerate().map(|(number, round)| {
        let name = if number == 0 { what.to_owned() } else { String::new() };
        vec![
            name,
            format!("{:.0}", round.per_second),
            millis(round.p50),
            millis(round.p99),
            round.processor.as_micros().to_string(),
        ]
    });
    let mut lines: Vec<_> = each.collect();
    if rounds.len() > 1 {
        lines.push(vec![
            "    on average".to_owned(),
            format!("{:.0}", mean(rounds)),
            String::new(),
            String::new(),
            String::new(),
        ]);
    }
    lines
}

fn mean(rounds: &[Round]) -> f64 {
    rounds.iter().map(|round| round.per_second).sum::<f64>() / rounds.len() as f64
}

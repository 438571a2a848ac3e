//! Twenty thousand images in two hundred studies from eight gateways, while people read: undisturbed, or while everything
//! fails in turn.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use tests::load::{Load, Outcome, Trouble, bear};

use crate::table::{percentile, print, row};

/// Seconds between two sweeps. Each lists all of the hour's blobs while more uploads are awaited than it asks for one by one,
/// for which Azurite takes seconds when there are thousands.
const SWEPT: u32 = 15;

pub(crate) async fn measure(studies: usize, instances: usize, is_troubled: bool) -> Result<()> {
    let trouble = match is_troubled {
        true => Trouble { host_killed: 5, postgres_restarted: 2, storage_busy: Duration::from_secs(10) },
        false => Trouble::default(),
    };
    let load = Load { studies, instances, uploaders: 8, readers: 4, swept: SWEPT, trouble };
    let what = if is_troubled { "while everything fails" } else { "undisturbed" };
    let outcome = bear(&load, |far| eprintln!("  {far}")).await;

    tell(what, &load, &outcome);
    let mut rows = vec![row(["counted in the end", ""])];
    rows.extend(outcome.counts.iter().map(|(what, count)| vec![what.clone(), count.to_string()]));
    print(
        &format!("{studies} studies of {instances} images each, from 8 gateways while 4 read, {what}"),
        &rows,
    );
    outcome.must_be_whole(&load);
    println!("\nnothing lost, nothing twice");
    Ok(())
}

/// What it came to, and what it took.
fn tell(what: &str, load: &Load, outcome: &Outcome) {
    let images = (load.studies * load.instances) as f64;
    println!(
        "\n{what}: sent in {:.1} s, filed in {:.1} s: {:.0} images a second from the first to the last",
        outcome.sending.as_secs_f64(),
        outcome.filing.as_secs_f64(),
        images / outcome.filing.as_secs_f64()
    );
    let mut rows = vec![row(["reads answered with", "requests", "p50 ms", "p99 ms", "longest ms"])];
    for (status, took) in &outcome.reads {
        let mut took = took.clone();
        let millis = |duration: Option<Duration>| {
            duration.map_or_else(String::new, |duration| format!("{:.1}", duration.as_secs_f64() * 1e3))
        };
        let (p50, p99) = (percentile(&mut took, 50), percentile(&mut took, 99));
        let name = if *status == 0 { "no answer".to_owned() } else { status.to_string() };
        rows.push(vec![name, took.len().to_string(), millis(p50), millis(p99), millis(took.last().copied())]);
    }
    print("What those who read were told", &rows);
    let mut rows = vec![row(["processor time of", "s", "ms for each image"])];
    for (program, time) in &outcome.processors {
        let seconds = time.as_secs_f64();
        rows.push(vec![
            (*program).to_owned(),
            format!("{seconds:.1}"),
            format!("{:.2}", seconds * 1e3 / images),
        ]);
    }
    print("What it took", &rows);
    let seen: &BTreeMap<String, usize> = &outcome.seen;
    for (what, times) in seen {
        println!("{what}: {times}");
    }
}

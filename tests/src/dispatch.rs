//! What a hospital tells other systems, put to the test by many findings at once: in the test `dispatch` and in the
//! benchmark.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    Actor, Hospital,
    actor::{critical_results, finding_of},
    hospital::id,
    receiver::{Manner, Received, Receiver},
};

/// How many findings are raised at once.
const AT_ONCE: usize = 8;
/// How long everything may take to arrive, the clock being set forward.
const PATIENCE: Duration = Duration::from_secs(300);

/// A hospital that tells the receiver, and a timer that does nothing by itself.
pub async fn open(receiver: &Receiver) -> Hospital {
    let url = receiver.url();
    Hospital::open_with(|settings| {
        settings.timers.clear();
        settings.variables.insert("notification_service_url".to_owned(), url);
        settings.variables.insert("notification_service_key".to_owned(), "a-key-of-the-tests".to_owned());
        settings.variables.insert("portal_url".to_owned(), "https://portal.example".to_owned());
    })
    .await
}

/// The settings of its organization, with somebody in the groups.
pub async fn sets(hospital: &Hospital, change: impl FnOnce(&mut Value)) {
    let mut settings = critical_results();
    settings["severities"]["CRITICAL"]["levels"] = json!([
        {"afterMinutes": 20, "group": "COVERING_GROUP"},
        {"afterMinutes": 40, "group": "DEPARTMENT"},
    ]);
    settings["groups"]["COVERING_GROUP"] = json!(["covering-1"]);
    change(&mut settings);
    hospital.somebody("admin").put("/api/settings/critical-results", settings).await.expect_status(200);
}

/// The database's clock goes on by so much.
pub async fn passes(hospital: &Hospital, interval: &str) {
    hospital
        .execute(&format!(
            "insert into imaging.clock_shift
             select coalesce(max(shift), '0') + interval '{interval}' from imaging.clock_shift"
        ))
        .await;
}

/// What came of many findings.
#[derive(Debug, Default)]
pub struct Told {
    pub killed_in_the_midst: usize,
    /// Requests that the receiver answered with a failure, or not at all.
    pub failed: usize,
    /// Messages that were to be sent, each to one recipient.
    pub messages: usize,
    /// Messages that the receiver has more than once, under the same key.
    pub repeated: usize,
    /// Who was told of which finding when it was raised.
    pub raised: usize,
    /// Levels that have fired, and how many of them are different.
    pub escalated: (usize, usize),
    pub missing: Vec<String>,
    /// What came under two keys, or in two wordings.
    pub doubled: Vec<String>,
}

/// Raises so many critical findings, each for two people, while three of ten requests fail and the host is killed so many
/// times; then nobody acknowledges any until all levels are overdue.
pub async fn troubled(hospital: &mut Hospital, receiver: &Receiver, findings: usize, kills: usize) -> Told {
    let mut told = Told::default();
    sets(hospital, |_| {}).await;
    let mut studies = Vec::new();
    for _ in 0..AT_ONCE {
        studies.push(hospital.completed_study().await);
    }
    receiver.behaves(|number, _| match ((number * 2_654_435_761) >> 7) % 10 {
        0 => Manner::Answers(500),
        1 => Manner::CutsOff,
        2 => Manner::IsBusy(2),
        _ => Manner::Answers(200),
    });
    let timer = tokio::spawn(timer(hospital.machine()));
    let raising = tokio::spawn(raise(hospital.radiologist(), studies, findings));

    let (first, second) = (kills - kills / 2, kills / 2);
    let early = 2 * findings;
    killed(hospital, receiver, &mut told, first, |kill| early * kill / (first + 1)).await;
    raising.await.expect("every finding is raised");
    settled(hospital).await;

    passes(hospital, "1 hour").await;
    let before = receiver.received().len();
    killed(hospital, receiver, &mut told, second, |kill| before + 2 * findings * kill / (second + 1)).await;
    // All have fired when nothing is left that is overdue.
    hospital
        .wait_for_long(PATIENCE, "every level to fire", async || {
            let left = "select count(*)::text from imaging.escalations where fired_at is null";
            hospital.sql(left).await.filter(|left| left == "0")
        })
        .await;
    settled(hospital).await;
    timer.abort();
    counted(hospital, receiver, told).await
}

async fn timer(machine: Actor) {
    loop {
        // The host may be away at this moment.
        drop(machine.request(Method::POST, "/tasks/dispatch").send().await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn raise(radiologist: Actor, studies: Vec<Value>, findings: usize) {
    stream::iter(0..findings)
        .for_each_concurrent(AT_ONCE, async |number| {
            let mut finding = finding_of(&studies[number % studies.len()], "CRITICAL");
            finding["notifiedTo"] = json!([format!("dr-{number}")]);
            loop {
                let request = radiologist
                    .request(Method::POST, "/api/critical-findings")
                    .header("idempotency-key", format!("finding-{number}"))
                    .json(&finding);
                match request.send().await {
                    Ok(reply) if reply.status() == 201 => return,
                    // Whoever is not answered asks again.
                    _ => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        })
        .await;
}

async fn killed(
    hospital: &mut Hospital,
    receiver: &Receiver,
    told: &mut Told,
    kills: usize,
    after: impl Fn(usize) -> usize,
) {
    for kill in 1..=kills {
        let number = after(kill);
        hospital
            .wait_for_long(PATIENCE, &format!("{number} requests"), async || {
                (receiver.received().len() >= number).then_some(())
            })
            .await;
        hospital.host.kill();
        told.killed_in_the_midst += usize::from(waiting(hospital).await > 0);
        hospital.host.restart().await.expect("the host starts again");
    }
}

/// How many events and deliveries wait.
async fn waiting(hospital: &Hospital) -> usize {
    let open = "select count(*)::text from (
                    select from imaging.deliveries where state = 'PENDING' union all
                    select from imaging.outbox where state = 'PENDING') as waiting";
    hospital.sql(open).await.and_then(|open| open.parse().ok()).unwrap_or_default()
}

/// Waits until everything has arrived; pauses pass as soon as nothing else is to be done.
async fn settled(hospital: &Hospital) {
    let began = Instant::now();
    loop {
        let before = waiting(hospital).await;
        if before == 0 {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{before} have not arrived\n{}", hospital.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
        if waiting(hospital).await == before {
            passes(hospital, "20 seconds").await;
        }
    }
}

async fn counted(hospital: &Hospital, receiver: &Receiver, mut told: Told) -> Told {
    let rows = "select coalesce(json_agg(json_build_object(
                        'key', id, 'event', event_id, 'recipient', recipient, 'topic', topic, 'state', state)), '[]')::text
                  from imaging.deliveries";
    let rows: Vec<Value> = serde_json::from_str(&hospital.sql(rows).await.expect("rows")).expect("JSON");
    let mut taken: BTreeMap<String, Vec<Received>> = BTreeMap::new();
    for request in receiver.taken() {
        taken.entry(request.key().to_owned()).or_default().push(request);
    }
    told.failed = receiver.received().len()
        - receiver.received().iter().filter(|request| matches!(request.manner, Manner::Answers(200))).count();
    told.messages = rows.len();
    told.repeated = taken.values().filter(|requests| requests.len() > 1).count();
    told.raised = rows.iter().filter(|row| row["topic"] == "finding.raised").count();

    let mut once = BTreeSet::new();
    for row in &rows {
        let name = format!("{} of event {} to {}", row["topic"], row["event"], row["recipient"]);
        if row["state"] != "DELIVERED" || !taken.contains_key(row["key"].as_str().unwrap_or_default()) {
            told.missing.push(name.clone());
        }
        if !once.insert((row["event"].to_string(), row["recipient"].to_string())) {
            told.doubled.push(name);
        }
    }
    let known: BTreeSet<&str> = rows.iter().filter_map(|row| row["key"].as_str()).collect();
    for (key, requests) in &taken {
        let one = &requests[0];
        if !known.contains(&**key) || requests.iter().any(|request| request.text != one.text) {
            told.doubled.push(format!("{key} to {}", one.recipient()));
        }
    }
    let escalated = async |what: &str| {
        let query =
            format!("select count({what})::text from imaging.outbox where topic = 'finding.escalated'");
        hospital.sql(&query).await.and_then(|count| count.parse().ok()).unwrap_or_default()
    };
    told.escalated = (escalated("*").await, escalated("distinct (resource_id, detail->>'level')").await);
    told
}

/// Raises so many findings one after the other, with nothing in the way: how long each took from the request to the first
/// message that the receiver has of it.
pub async fn prompt(hospital: &Hospital, receiver: &Receiver, findings: usize) -> Vec<Duration> {
    let study = hospital.completed_study().await;
    let radiologist = hospital.radiologist();
    let mut began = BTreeMap::new();
    for _ in 0..findings {
        let before = Instant::now();
        let finding = radiologist.raises(finding_of(&study, "CRITICAL")).await;
        began.insert(id(&finding).to_owned(), before);
    }
    hospital
        .wait_for("the last to arrive", async || (receiver.received().len() >= findings).then_some(()))
        .await;
    let mut took: Vec<Duration> = receiver
        .received()
        .iter()
        .filter_map(|request| {
            let message = request.message()["message"].as_str()?;
            Some(request.at.duration_since(*began.get(message.rsplit('/').next()?)?))
        })
        .collect();
    took.sort();
    took
}

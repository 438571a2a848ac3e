//! A component ends in the middle of a request, or would not end at all. The one that does is the tests' own
//! (tests/guests), on the real host, beside the real Postgres.

use std::time::{Duration, Instant};

use futures::future::join_all;
use local::{builds, root};
use tests::{Actor, Hospital, Reply};

/// A host with the component that misbehaves, and the table that it works on.
async fn open(arguments: &[&str]) -> (Hospital, Actor) {
    let manifest = root().join("tests/guests/spin.toml");
    builds::application(&manifest).await.unwrap();
    let hospital = Hospital::open_with(|settings| {
        settings.manifest = manifest;
        settings.timers.clear();
        settings.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
    })
    .await;
    hospital
        .execute(
            "create table public.work (what text not null);
             grant usage on schema public to imaging_service;
             grant select, insert on public.work to imaging_service",
        )
        .await;
    let client = hospital.anonymous();
    (hospital, client)
}

#[track_caller]
fn says(reply: &Reply, text: &str) {
    assert_eq!((reply.status, reply.text.as_str()), (200, text));
}

#[tokio::test]
async fn a_trap_in_a_transaction_is_a_500_and_its_half_done_work_is_never_seen() {
    // With one connection to Postgres, whoever comes next would get the one that was left in the transaction.
    let (hospital, client) = open(&["--database-connections", "1"]).await;

    for _ in 0..5 {
        let reply = client.get("/trap/begin-and-trap").await;
        reply.expect_refusal(500, "internal_error");
        assert_eq!(reply.header("content-type"), "application/json");
        assert!(!reply.text.contains("middle of the work"), "{reply}");
        says(&client.get("/trap/count").await, "0");
    }
    // What a later request writes is committed, and takes nothing of the earlier ones with it.
    says(&client.get("/trap/write").await, "1");
    says(&client.get("/trap/count").await, "1");
    let seen = hospital.sql("select string_agg(what, ' ') from public.work").await;
    assert_eq!(seen.as_deref(), Some("whole"));
    assert!(hospital.log().contains("the component was ended"), "{}", hospital.log());
}

#[tokio::test]
async fn a_trap_harms_no_other_request_in_flight() {
    let (hospital, client) = open(&[]).await;

    let sleeping = join_all((0..8).map(|_| client.get("/trap/sleep")));
    let trapping = join_all((0..8).map(|_| client.get("/trap/begin-and-trap")));
    let bystanders = join_all((0..8).map(|_| client.get("/bystander/well")));
    let (slept, trapped, stood_by) = tokio::join!(sleeping, trapping, bystanders);

    for reply in slept {
        says(&reply, "1");
    }
    for reply in trapped {
        reply.expect_refusal(500, "internal_error");
    }
    for reply in stood_by {
        says(&reply, "well");
    }
    says(&client.get("/trap/count").await, "0");
    assert_eq!(hospital.sql("select count(*)::text from public.work").await.as_deref(), Some("0"));
}

#[tokio::test]
async fn a_component_that_computes_for_ever_is_ended_by_the_deadline_and_others_are_answered_meanwhile() {
    let (_hospital, client) = open(&["--deadline", "5"]).await;
    let began = Instant::now();

    // More of them than the machine has processors.
    let computing = join_all((0..8).map(|_| client.get("/trap/compute")));
    let others = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let asked = Instant::now();
        says(&client.get("/bystander/well").await, "well");
        says(&client.get("/trap/count").await, "0");
        asked.elapsed()
    };
    let (computed, waited) = tokio::join!(computing, others);

    for reply in computed {
        reply.expect_refusal(504, "deadline_exceeded");
    }
    assert!(began.elapsed() < Duration::from_secs(20), "ended after {:?}", began.elapsed());
    assert!(waited < Duration::from_secs(4), "the others waited {waited:?}");
    says(&client.get("/trap/well").await, "well");
}

#[tokio::test]
async fn a_component_that_takes_memory_without_end_is_ended_at_its_bound() {
    let (hospital, client) = open(&["--memory", "64"]).await;

    let (hoarded, other) = tokio::join!(client.get("/trap/hoard"), client.get("/bystander/well"));

    hoarded.expect_refusal(500, "internal_error");
    says(&other, "well");
    says(&client.get("/trap/count").await, "0");
    let status = std::fs::read_to_string(format!("/proc/{}/status", hospital.host.pid().unwrap())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 300 * 1024, "the host used up to {peak} KiB");
}

#[tokio::test]
async fn a_component_reaches_no_host_that_the_manifest_does_not_grant() {
    let (hospital, client) = open(&[]).await;
    let database = hospital.setting("database_url");
    let storage = hospital.setting("azure_storage_connection_string");
    let storage = storage.split("BlobEndpoint=").nth(1).unwrap().trim_end_matches(';').to_owned();

    // Postgres is granted to the one, nothing to the other; storage and the application itself to neither.
    says(&client.get(&format!("/trap/connect?{database}")).await, "connected");
    for forbidden in [
        format!("/bystander/connect?{database}"),
        "/bystander/count".to_owned(),
        format!("/trap/connect?{}", database.replace("127.0.0.1", "localhost")),
        format!("/trap/call?{storage}"),
        format!("/trap/call?{}/bystander/well", hospital.host.address()),
        "/trap/call?http://self.alt/bystander/well".to_owned(),
    ] {
        let reply = client.get(&forbidden).await;
        assert_eq!(reply.status, 502, "{forbidden}: {reply}");
    }
    // It was refused, and not only out of reach.
    assert_eq!(hospital.log().matches("refused ").count(), 6, "{}", hospital.log());
    assert!(!hospital.log().contains(database.split('@').next().unwrap()), "no password in the log");
}

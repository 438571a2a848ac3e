//! A hospital whose people are told things by a receiver that the test holds.

use serde_json::{Value, json};
pub(crate) use tests::dispatch::{open, passes, sets};
use tests::{
    Hospital,
    actor::finding_of,
    hospital::id,
    receiver::{Received, Receiver},
};

/// The timer comes round, until there is nothing more to do at this moment.
pub(crate) async fn dispatches(hospital: &Hospital) {
    while hospital.machine().post("/tasks/dispatch", json!({})).await.expect(200)["more"] == true {}
}

/// A finding of a severity that names somebody to be told: the finding.
pub(crate) async fn finds(hospital: &Hospital, study: &Value, severity: &str, told: &[&str]) -> Value {
    let mut finding = finding_of(study, severity);
    finding["notifiedTo"] = json!(told);
    hospital.radiologist().raises(finding).await
}

/// Waits until the receiver has had so many requests: nobody called for them, so they come by themselves.
pub(crate) async fn received(hospital: &Hospital, receiver: &Receiver, number: usize) -> Vec<Received> {
    hospital
        .wait_for(&format!("{number} requests to come"), async || {
            Some(receiver.received()).filter(|received| received.len() >= number)
        })
        .await
}

/// Waits until so many deliveries were tried, and what came of it is written down.
pub(crate) async fn concluded(hospital: &Hospital, number: usize) {
    let tried = "select count(*)::text from imaging.deliveries where last_code is not null";
    hospital
        .wait_for(&format!("{number} deliveries to be tried"), async || {
            hospital.sql(tried).await.filter(|tried| tried.parse().is_ok_and(|tried: usize| tried >= number))
        })
        .await;
}

/// What the service says of the deliveries that it has, oldest first.
pub(crate) async fn deliveries(hospital: &Hospital, filter: &str) -> Vec<Value> {
    let path = format!("/api/deliveries?limit=100&{filter}");
    let mut listed = hospital.somebody("admin").get(&path).await.expect(200)["deliveries"].take();
    let mut all = listed.as_array_mut().unwrap().split_off(0);
    all.reverse();
    all
}

/// The timer comes round until nothing is on its way any more: what somebody else has at this moment is waited for.
pub(crate) async fn settled(hospital: &Hospital) {
    let open = "select count(*)::text from (
                    select from imaging.deliveries where state = 'PENDING' union all
                    select from imaging.outbox where state = 'PENDING') as waiting";
    hospital
        .wait_for("everything to be delivered", async || {
            dispatches(hospital).await;
            hospital.sql(open).await.filter(|open| open == "0")
        })
        .await;
}

/// The finding as it is now.
pub(crate) async fn read(hospital: &Hospital, finding: &Value) -> Value {
    let path = format!("/api/critical-findings/{}", id(finding));
    hospital.radiologist().get(&path).await.expect(200)["finding"].take()
}

/// Recipient and outcome of each attempt, in their order.
pub(crate) fn attempts(finding: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all = finding["notifications"].as_array().unwrap().iter();
    all.map(|attempt| (text(&attempt["recipient"]), text(&attempt["outcome"]))).collect()
}

/// To whom what has come was addressed, by name.
pub(crate) fn recipients(received: &[Received]) -> Vec<String> {
    let mut recipients: Vec<String> =
        received.iter().map(|received| received.recipient().to_owned()).collect();
    recipients.sort();
    recipients
}

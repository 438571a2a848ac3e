mod acts;
mod list;
mod reasons;
mod refusals;

use serde_json::Value;
use tests::{Actor, Hospital};

const PATH: &str = "/api/audit-events";

fn auditor(hospital: &Hospital) -> Actor {
    hospital.somebody("auditor")
}

/// The events that an auditor finds with a query, newest first.
async fn events(hospital: &Hospital, query: &str) -> Vec<Value> {
    let mut found = auditor(hospital).get(&format!("{PATH}?limit=100&{query}")).await.expect(200);
    match found["events"].take() {
        Value::Array(events) => events,
        other => panic!("events are a list: {other}"),
    }
}

//! What every endpoint leaves in the audit.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tests::{Hospital, Reply};

use crate::every_endpoint::{ENDPOINTS, Names, body_for, endpoints, user_of};

/// The events of one request: what was done, to what, and whose it is.
async fn left_by(hospital: &Hospital, names: &BTreeMap<String, &str>, request: &str) -> String {
    let mut admin = PgConnection::connect(&hospital.database.admin_url()).await.unwrap();
    let events: Vec<Value> =
        sqlx::query_scalar("select to_jsonb(e) from imaging.audit_events e where request_id = $1")
            .bind(request)
            .fetch_all(&mut admin)
            .await
            .unwrap();
    let mut shown: Vec<String> = events
        .iter()
        .map(|event| {
            let id = event["resource_id"].as_str();
            let id = id.map_or(String::new(), |id| format!("/{}", names.get(id).unwrap_or(&"{new}")));
            let patients: Vec<&str> =
                event["patient_ids"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            let text = |member: &str| event[member].as_str().unwrap();
            format!("{} {}{id} {}", text("action"), text("resource"), patients.join(" ")).trim().to_owned()
        })
        .collect();
    shown.sort();
    shown.join(" + ")
}

#[tokio::test]
async fn every_endpoint_leaves_what_it_did_and_what_it_refused() {
    let hospital = Hospital::open().await;
    let read = Names::of(&hospital).await;
    let nobody = hospital.somebody("superuser");
    let mut shown = String::new();
    for (number, (method, path)) in endpoints(ENDPOINTS).into_iter().enumerate() {
        // What one has changed, or taken away, is of no use to the next.
        let changed = if method == Method::GET { None } else { Some(Names::of(&hospital).await) };
        let names = changed.as_ref().unwrap_or(&read);
        let known = names.by_id();
        let ask = async |actor: &tests::Actor, request: &str| {
            let asked = actor.request(method.clone(), &names.fill(&path)).header("x-request-id", request);
            Reply::of(match method {
                Method::GET => asked,
                // Its scan has begun.
                Method::DELETE if path == "/api/imaging-orders/{order}" => {
                    asked.json(&json!({"reason": "Asked to"}))
                }
                _ => asked.json(&body_for(&method, &path, names)),
            })
            .await
        };
        let refused = format!("refused-{number}");
        ask(&nobody, &refused).await.expect_refusal(403, "forbidden");
        let done = format!("done-{number}");
        let reply = ask(&user_of(&hospital, &method, &path), &done).await;
        assert!((200..300).contains(&reply.status), "{method} {path}: {reply}");

        let (done, refused) =
            (left_by(&hospital, &known, &done).await, left_by(&hospital, &known, &refused).await);
        shown.push_str(&format!("{method} {path}\n  {done}\n  refused: {refused}\n"));
    }
    assert_snapshot!(shown, @"");
}

mod acknowledge;
mod change;
mod decline;
mod list;
mod metrics;
mod of_study;
mod pending;
mod raise;
mod read;
mod severity;

use serde_json::{Value, json};
use tests::{Actor, Hospital, hospital::id};

const PATH: &str = "/api/critical-findings";

fn path_of(finding: &Value) -> String {
    format!("{PATH}/{}", id(finding))
}

/// A provider who has ordered nothing here.
fn colleague(hospital: &Hospital) -> Actor {
    hospital.somebody_with("provider", |claims| claims.id = "provider-9".to_owned())
}

/// A radiologist who is not the one that raises findings as a rule.
fn other_radiologist(hospital: &Hospital) -> Actor {
    hospital.somebody_with("radiologist", |claims| claims.id = "radiologist-9".to_owned())
}

fn ids(findings: &Value) -> Vec<&str> {
    findings.as_array().unwrap().iter().map(id).collect()
}

/// A CRITICAL finding, brought to a status.
async fn finding_in(hospital: &Hospital, status: &str) -> Value {
    let finding = hospital.finds(&hospital.registered_study().await, "CRITICAL").await;
    let path = path_of(&finding);
    match status {
        "OPEN" => {}
        // What a delivery does to it, as long as nothing delivers.
        "NOTIFIED" => {
            let notified = "update imaging.findings set status = 'NOTIFIED', notification_sent = true";
            hospital.execute(&format!("{notified} where id = '{}'", id(&finding))).await;
        }
        "ACKNOWLEDGED" => hospital.provider().acknowledges(&finding).await.expect_status(200),
        _ => {
            hospital.provider().acknowledges(&finding).await.expect_status(200);
            let done = json!({"followUpStatus": "COMPLETED"});
            hospital.provider().patch(&path, done).await.expect_status(200);
        }
    }
    let finding = hospital.radiologist().get(&path).await.expect(200)["finding"].take();
    assert_eq!(finding["status"], status);
    finding
}

/// What others are told of a finding, as `topic version`, in the order in which it happened.
async fn told(hospital: &Hospital, finding: &Value) -> Vec<String> {
    let query = format!(
        "select string_agg(topic || ' ' || resource_version, chr(10) order by id) from imaging.outbox where resource_id = '{}'",
        id(finding)
    );
    hospital.sql(&query).await.unwrap_or_default().lines().map(str::to_owned).collect()
}

/// The acts on a finding that the audit has, as `actor action version patients`.
async fn acts(hospital: &Hospital, finding: &Value) -> Vec<String> {
    let query = format!(
        "select string_agg(concat_ws(' ', actor, action, resource_version, patient_ids), chr(10) order by at, id)
           from imaging.audit_events
          where resource_id = '{}' and outcome = 'SUCCESS' and action <> 'finding.read'",
        id(finding)
    );
    hospital.sql(&query).await.unwrap_or_default().lines().map(str::to_owned).collect()
}

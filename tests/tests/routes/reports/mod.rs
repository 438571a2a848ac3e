mod amend;
mod change;
mod history;
mod of_radiologist;
mod of_study;
mod read;
mod read_version;
mod remove;
mod sign;
mod write;

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tests::{Actor, Hospital, hospital::id};

const PATH: &str = "/api/reports";

fn path_of(report: &Value) -> String {
    format!("{PATH}/{}", id(report))
}

/// A radiologist who is not the one that reports name as a rule.
fn colleague(hospital: &Hospital) -> Actor {
    hospital.somebody_with("radiologist", |claims| claims.id = "radiologist-9".to_owned())
}

/// A study as it is now.
async fn now(hospital: &Hospital, study: &Value) -> Value {
    hospital.radiologist().get(&format!("/api/studies/{}", id(study))).await.expect(200)["study"].take()
}

/// What a report is to have as `contentHash`, made here by what the contract says of it.
fn hash_of(hospital: &Hospital, report: &Value) -> String {
    let fields = [
        "clinicalHistory",
        "technique",
        "comparison",
        "findings",
        "impression",
        "recommendations",
        "macros",
        "template",
        "radiologistId",
        "radiologistName",
    ];
    let content: BTreeMap<_, _> =
        fields.iter().map(|field| (field, &report[field])).filter(|(_, value)| !value.is_null()).collect();
    let bound = json!(["report", [report["id"], report["studyId"], content]]);

    let keys = hospital.setting("phi_keys");
    let (name, master) = keys.split(',').next().unwrap().split_once(':').unwrap();
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(None, &STANDARD.decode(master).unwrap())
        .expand(format!("imaging/digest/{}", hospital.organization).as_bytes(), &mut key)
        .unwrap();
    let mut digest = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    digest.update(bound.to_string().as_bytes());
    format!("{name}.{}", STANDARD.encode(digest.finalize().into_bytes()))
}

/// The events of a report's acts in the audit, as `action version detail`, in the order in which they happened.
async fn acts(hospital: &Hospital, report: &Value) -> Vec<String> {
    let query = format!(
        "select string_agg(concat_ws(' ', action, resource_version, nullif(detail, '{{}}')), chr(10) order by at, resource_version)
           from imaging.audit_events
          where resource_id = '{}' and outcome = 'SUCCESS' and action !~ 'read'",
        id(report)
    );
    hospital.sql(&query).await.unwrap_or_default().lines().map(str::to_owned).collect()
}

/// What others are told of a report, as `topic version`, in the order in which it happened.
async fn told(hospital: &Hospital, report: &Value) -> Vec<String> {
    let query = format!(
        "select string_agg(topic || ' ' || resource_version, chr(10) order by id) from imaging.outbox where resource_id = '{}'",
        id(report)
    );
    hospital.sql(&query).await.unwrap_or_default().lines().map(str::to_owned).collect()
}

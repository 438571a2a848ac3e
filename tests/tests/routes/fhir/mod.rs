//! `/fhir`: what other systems of the hospital read and say. Each resource that is got here is held against R4.

mod communication;
mod everywhere;
mod metadata;
mod patient;
mod read;
mod search;
mod service_request;

use serde_json::{Value, json};
use tests::{Actor, Hospital, Reply, hospital::id};

const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";

/// What an EHR places as a rule, under a number of its own.
fn request(number: &str) -> Value {
    json!({
        "resourceType": "ServiceRequest",
        "identifier": [{"system": "urn:ehr:orders", "value": number}],
        "status": "active",
        "intent": "order",
        "priority": "urgent",
        "code": {"coding": [{"system": DCM, "code": "CT"}]},
        "subject": {"reference": "Patient/MRN-1"},
        "requester": {"reference": "Practitioner/provider-1"},
        "locationReference": [{"reference": "Location/fac-1"}],
        "bodySite": [{"text": "CHEST"}],
        "reasonCode": [{"text": "Persistent cough for six weeks"}],
    })
}

/// The same, not wanted any more.
fn revoked(number: &str) -> Value {
    let mut request = request(number);
    request["status"] = json!("revoked");
    request
}

/// A resource with another element, or without it.
fn with(mut resource: Value, element: &str, value: Value) -> Value {
    match value {
        Value::Null => drop(resource.as_object_mut().unwrap().remove(element)),
        value => resource[element] = value,
    }
    resource
}

/// What an EHR says of a patient.
fn patient(number: &str) -> Value {
    json!({
        "resourceType": "Patient",
        "id": number,
        "name": [{"use": "official", "family": "Roe", "given": ["Richard"]}],
        "gender": "male",
        "birthDate": "1931-07-23",
    })
}

/// That a provider has taken a finding on.
fn communication(finding: &Value) -> Value {
    json!({
        "resourceType": "Communication",
        "status": "completed",
        "about": [{"reference": format!("DetectedIssue/{}", id(finding))}],
        "sender": {"reference": "Practitioner/provider-1"},
        "payload": [{"contentString": "Pneumothorax left, understood"}],
    })
}

/// The EHR, as the service knows it.
fn ehr(hospital: &Hospital) -> Actor {
    hospital.somebody_with("service", |claims| claims.id = "ehr".to_owned())
}

/// The EHR of another organization.
fn other_ehr(hospital: &Hospital) -> Actor {
    hospital.somebody_with("service", |claims| claims.organization_id = "org-2".to_owned())
}

/// The resource of a reply with this status.
#[track_caller]
fn resource(reply: Reply, status: u16) -> Value {
    reply.expect_status(status);
    assert_eq!(reply.header("content-type"), "application/fhir+json");
    reply.body
}

/// The ids of what a search has found.
#[track_caller]
fn found(reply: Reply) -> Vec<String> {
    let bundle = resource(reply, 200);
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    entries.iter().map(|entry| id(&entry["resource"]).to_owned()).collect()
}

/// The acts in the audit, the oldest first: `actor action {patients}`.
async fn acts(hospital: &Hospital, like: &str) -> Vec<String> {
    let acts = format!(
        "select string_agg(actor || ' ' || action || ' ' || outcome || ' ' || array(select unnest(patient_ids) order by 1)::text,
             chr(10) order by at, actor)
           from imaging.audit_events where action like '{like}'"
    );
    hospital.sql(&acts).await.unwrap_or_default().lines().map(str::to_owned).collect()
}

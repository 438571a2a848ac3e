//! Somebody who uses the service over HTTP.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{hospital::id, reply::Reply};

#[derive(Clone)]
pub struct Actor {
    http: reqwest::Client,
    address: String,
    proof: Option<(&'static str, String)>,
}

impl Actor {
    pub(crate) fn new(http: reqwest::Client, address: String, proof: Option<(&'static str, String)>) -> Self {
        Self { http, address, proof }
    }

    /// A request of any kind, to be given headers and a body.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.address));
        match &self.proof {
            Some((name, value)) => request.header(*name, value),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Reply {
        Reply::of(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        Reply::of(self.request(Method::POST, path).json(&body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        Reply::of(self.request(Method::PATCH, path).json(&body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Reply {
        Reply::of(self.request(Method::PUT, path).json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        Reply::of(self.request(Method::DELETE, path)).await
    }

    /// Places an order: the order.
    pub async fn places(&self, order: Value) -> Value {
        self.post("/api/imaging-orders", order).await.expect(201)["order"].take()
    }

    /// Registers a study of an order: the study.
    pub async fn registers(&self, order: &Value) -> Value {
        self.post("/api/studies", study_of(order)).await.expect(201)["study"].take()
    }

    /// Brings a study to a status.
    pub async fn moves(&self, study: &Value, status: &str) -> Reply {
        self.patch(&format!("/api/studies/{}/status", id(study)), json!({"status": status})).await
    }

    /// Writes a report: the report.
    pub async fn writes(&self, report: Value) -> Value {
        self.post("/api/reports", report).await.expect(201)["report"].take()
    }

    /// Signs a report as it stands.
    pub async fn signs(&self, report: &Value) -> Reply {
        self.post(&format!("/api/reports/{}/sign", id(report)), json!({})).await
    }

    /// Amends or corrects a signed report.
    pub async fn amends(&self, report: &Value, kind: &str) -> Reply {
        let body = json!({"kind": kind, "amendmentReason": "The side was wrong"});
        self.post(&format!("/api/reports/{}/amend", id(report)), body).await
    }

    /// Raises a critical finding: the finding.
    pub async fn raises(&self, finding: Value) -> Value {
        self.post("/api/critical-findings", finding).await.expect(201)["finding"].take()
    }

    /// Acknowledges a finding, and reads it back.
    pub async fn acknowledges(&self, finding: &Value) -> Reply {
        let body = json!({"readBack": "Pneumothorax left, understood"});
        self.post(&format!("/api/critical-findings/{}/acknowledge", id(finding)), body).await
    }
}

/// What is registered for an order as a rule.
pub fn study_of(order: &Value) -> Value {
    json!({
        "orderId": id(order),
        "studyDate": "2026-01-02",
        "modality": order["modality"],
        "bodyPart": order["bodyPart"],
        "patientId": order["patientId"],
        "patientName": "Doe^Jane",
        "patientDOB": "1970-02-03",
        "patientSex": "F",
    })
}

/// What the radiologist of the hospital writes of a study as a rule.
pub fn report_of(study: &Value) -> Value {
    json!({
        "studyId": id(study),
        "radiologistId": "radiologist-1",
        "radiologistName": "Dr. Ray",
        "comparison": "No prior study for comparison",
        "findings": "Dense consolidation in the right lower lobe",
        "impression": "Community acquired pneumonia",
    })
}

/// What is found on a study as a rule.
pub fn finding_of(study: &Value, severity: &str) -> Value {
    json!({
        "studyId": id(study),
        "finding": "Large pneumothorax on the left",
        "severity": severity,
        "category": "PNEUMOTHORAX",
        "bodyPart": "CHEST",
    })
}

/// How an organization may want its critical findings followed.
pub fn critical_results() -> Value {
    let plan = json!({
        "acknowledgeWithinMinutes": 60,
        "toldAgainAfterMinutes": 10,
        "levels": [{"afterMinutes": 60, "group": "DEPARTMENT"}],
    });
    json!({
        "severities": {"CRITICAL": plan, "HIGH": plan, "MODERATE": plan, "LOW": plan},
        "groups": {"COVERING_GROUP": [], "DEPARTMENT": ["chief-1"], "ON_CALL_OPERATOR": []},
        "alwaysNotify": [],
        "privacyOfficers": [],
        "messagesCarryPatientAndFinding": false,
    })
}

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

//! What came back.

use std::fmt;

use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::{contract, fhir};

pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    /// The JSON body; null when there is none.
    pub body: Value,
    pub text: String,
}

impl Reply {
    /// The answer to a request, which has to be one that the service's document describes.
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        let (http, request) = request.build_split();
        let request = request.expect("a request");
        let asked = contract::Asked::of(&request);
        let reply = Self::from(http.execute(request).await.expect("the service answers")).await;
        contract::hold(&asked, &reply);
        fhir::hold(&reply);
        reply
    }

    pub(crate) async fn from(response: reqwest::Response) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await.expect("the answer is whole");
        let body = serde_json::from_str(&text).unwrap_or_default();
        Self { status, headers, body, text }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The data of a success with this status.
    #[track_caller]
    pub fn expect(mut self, status: u16) -> Value {
        self.expect_status(status);
        assert_eq!(self.body["status"], "success", "{self}");
        self.body["data"].take()
    }

    #[track_caller]
    pub fn expect_status(&self, status: u16) {
        assert_eq!(self.status, status, "{self}");
    }

    /// The code of a failure with this status.
    #[track_caller]
    pub fn expect_refusal(&self, status: u16, code: &str) {
        self.expect_status(status);
        assert_eq!(self.body["status"], "error", "{self}");
        assert_eq!(self.body["code"], code, "{self}");
        assert!(self.body["requestId"].as_str().is_some_and(|id| !id.is_empty()), "{self}");
    }

    /// The code of a failure that is told as an OperationOutcome, and each of its issues, a line each.
    #[track_caller]
    pub fn expect_outcome(&self, status: u16, code: &str) -> String {
        self.expect_status(status);
        assert_eq!(self.body["resourceType"], "OperationOutcome", "{self}");
        let issues = self.body["issue"].as_array().cloned().unwrap_or_default();
        assert!(issues.iter().all(|issue| issue["details"]["coding"][0]["code"] == code), "{self}");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        issues
            .iter()
            .map(|issue| format!("{} {}\n", text(&issue["code"]), text(&issue["diagnostics"])))
            .collect()
    }

    /// Something that the service needs is out of reach, and the caller is told when to come again.
    #[track_caller]
    pub fn expect_unavailable(&self) {
        self.expect_refusal(503, "unavailable");
        let seconds: u32 = self.header("retry-after").parse().expect("seconds to wait");
        assert!(seconds > 0, "{self}");
    }

    /// The faults of a request whose fields cannot be accepted, a line each.
    #[track_caller]
    pub fn expect_invalid(&self) -> String {
        self.expect_refusal(422, "invalid");
        self.faults()
    }

    /// The faults of a request that cannot be read, a line each.
    #[track_caller]
    pub fn expect_malformed(&self) -> String {
        self.expect_refusal(400, "malformed_request");
        self.faults()
    }

    /// The refusal of a step that a state machine does not have: where the row is, and where it may go.
    #[track_caller]
    pub fn expect_illegal_step(&self, code: &str, current: &str, allowed: &[&str]) {
        self.expect_refusal(409, code);
        assert_eq!(self.body["current"], current, "{self}");
        let mut told: Vec<&str> =
            self.body["allowed"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        told.sort_unstable();
        let mut allowed = allowed.to_vec();
        allowed.sort_unstable();
        assert_eq!(told, allowed, "{self}");
    }

    /// The faults of a refusal, a line each: `field message`.
    pub fn faults(&self) -> String {
        let faults = self.body["errors"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        faults
            .iter()
            .map(|fault| format!("{} {}\n", text(&fault["field"]), text(&fault["message"])))
            .collect()
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.status, self.text)
    }
}

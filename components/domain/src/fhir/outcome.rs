//! OperationOutcome: what became of a request, where that is no resource.

use serde_json::{Value, json};

use super::exchange::{compact, words};
use crate::enumeration::enumeration;

enumeration! {
    /// What kind of thing went wrong (R4 4.3.14.427, the issue types that occur here).
    IssueType {
        Structure = "structure",
        Required = "required",
        Value = "value",
        Login = "login",
        Forbidden = "forbidden",
        NotFound = "not-found",
        NotSupported = "not-supported",
        Conflict = "conflict",
        Duplicate = "duplicate",
        TooLong = "too-long",
        Exception = "exception",
        Transient = "transient",
        Suppressed = "suppressed",
        Informational = "informational",
    }
}

impl IssueType {
    /// The type of a failure with this HTTP status.
    pub const fn of_status(status: u16) -> Self {
        match status {
            400 => Self::Structure,
            401 => Self::Login,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            405 | 415 => Self::NotSupported,
            409 | 412 => Self::Conflict,
            413 => Self::TooLong,
            422 => Self::Value,
            503 => Self::Transient,
            _ => Self::Exception,
        }
    }
}

/// One thing to be told. It never repeats a value that was sent.
#[derive(Debug, Clone)]
pub struct Issue<'a> {
    pub kind: IssueType,
    /// For programs.
    pub code: &'a str,
    /// For people.
    pub message: &'a str,
    /// What else helps: what is wrong with the element, the id of the request.
    pub diagnostics: String,
    /// The FHIRPath of the element, or the name of the parameter.
    pub element: Option<&'a str>,
}

/// The system of the codes in [`Issue::code`].
const CODES: &str = "urn:imaging:outcome";

pub fn outcome(issues: &[Issue<'_>]) -> Value {
    let issue = |issue: &Issue<'_>| {
        let severity = match issue.kind {
            IssueType::Informational => "information",
            IssueType::Suppressed => "warning",
            _ => "error",
        };
        json!({
            "severity": severity,
            "code": issue.kind,
            "details": {"coding": [{"system": CODES, "code": issue.code}], "text": issue.message},
            "diagnostics": words(&issue.diagnostics),
            "expression": [issue.element.map(words)],
        })
    };
    let outcome =
        json!({"resourceType": "OperationOutcome", "issue": issues.iter().map(issue).collect::<Vec<_>>()});
    compact(outcome).unwrap_or_default()
}

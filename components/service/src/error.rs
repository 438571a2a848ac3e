//! What can go wrong with a request, as far as its caller can act on it, and the one place that turns it into a reply.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::Reply;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One field of a request that cannot be accepted, and why. It never repeats the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldFault {
    pub field: String,
    pub message: String,
}

impl FieldFault {
    pub fn new(field: impl Into<String>, message: impl ToString) -> Self {
        Self { field: field.into(), message: message.to_string() }
    }
}

/// What a SQL function answered instead of acting: a code, and what belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub code: String,
    pub detail: Map<String, Value>,
}

impl Refusal {
    /// A text that belongs to the refusal, or nothing.
    pub fn text(&self, name: &str) -> &str {
        self.detail.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The fields that cannot be accepted: several under "errors", or a single one.
    fn faults(&self) -> Vec<FieldFault> {
        match self.detail.get("errors") {
            Some(errors) => Vec::deserialize(errors).unwrap_or_default(),
            None => vec![FieldFault::new(self.text("field"), self.text("message"))],
        }
    }
}

/// Why nobody is believed to be who they say they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unproven {
    TokenMissing,
    TokenInvalid,
    TokenExpired,
    TokenEarly,
    OtherIssuer,
    OtherAudience,
    ClaimsUnreadable,
    HolderUnnamed,
    EventKey,
}

impl Unproven {
    /// For the log; the caller is known to nobody, and so there is nothing to audit.
    const fn code(self) -> &'static str {
        match self {
            Self::TokenMissing => "token_missing",
            Self::TokenInvalid => "token_invalid",
            Self::TokenExpired => "token_expired",
            Self::TokenEarly => "token_not_valid_yet",
            Self::OtherIssuer => "token_of_another_issuer",
            Self::OtherAudience => "token_for_another_service",
            Self::ClaimsUnreadable => "claims_unreadable",
            Self::HolderUnnamed => "holder_unnamed",
            Self::EventKey => "event_key_invalid",
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Self::TokenMissing => "Send a token: Authorization: Bearer …",
            Self::TokenInvalid => "The token is not valid.",
            Self::TokenExpired => "The token has expired. Get a new one.",
            Self::TokenEarly => "The token is not valid yet.",
            Self::OtherIssuer => "The token is from another issuer.",
            Self::OtherAudience => "The token is for another service.",
            Self::ClaimsUnreadable => "The token's claims cannot be read.",
            Self::HolderUnnamed => "The token does not say whose it is.",
            Self::EventKey => "Send the event key: x-event-key.",
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the request is malformed")]
    Malformed(Vec<FieldFault>),
    #[error("no valid token")]
    Unauthenticated(Unproven),
    #[error("forbidden")]
    Forbidden(&'static str),
    #[error("not found")]
    NotFound,
    #[error("method not allowed")]
    MethodNotAllowed(&'static str),
    #[error("conflict: {code}")]
    Conflict { code: String, message: String, current: Option<String>, allowed: Option<Vec<String>> },
    #[error("the version is not the current one")]
    Stale { version: i64 },
    #[error("the body is too large")]
    TooLarge,
    #[error("the body is not JSON")]
    NotJson,
    #[error("invalid fields")]
    Invalid(Vec<FieldFault>),
    #[error("an idempotency key was used for another request")]
    KeyReused,
    /// A SQL function refused, and nobody closer to it has said yet what that means to the caller.
    #[error("refused: {}", .0.code)]
    Refused(Refusal),
    /// A dependency is out of reach: `what` names it to the caller, `cause` to the log.
    #[error("{what} is out of reach: {cause}")]
    Unavailable { what: &'static str, cause: String },
    /// Our fault. The cause is logged and has no way into the reply.
    #[error("internal: {0}")]
    Internal(String),
}

impl Error {
    pub fn invalid(field: &str, message: impl ToString) -> Self {
        Self::Invalid(vec![FieldFault::new(field, message)])
    }

    pub fn conflict(code: &str, message: &str) -> Self {
        Self::Conflict { code: code.to_owned(), message: message.to_owned(), current: None, allowed: None }
    }

    /// The answer to a step that a state machine does not have.
    pub fn illegal_transition(code: String, message: String, current: &str, allowed: Vec<String>) -> Self {
        Self::Conflict { code, message, current: Some(current.to_owned()), allowed: Some(allowed) }
    }

    /// The code of an answer that refuses somebody who is known: what the audit keeps of it. What is malformed,
    /// invalid or out of reach was never decided upon.
    pub(crate) fn refusal(&self) -> Option<&str> {
        match self {
            Self::Forbidden(_) => Some("forbidden"),
            Self::NotFound => Some("not_found"),
            Self::Conflict { code, .. } => Some(code),
            Self::Stale { .. } => Some("stale_version"),
            _ => None,
        }
    }

    /// What the log says of an answer that refuses somebody, known or not.
    pub(crate) fn logged_code(&self) -> Option<&str> {
        match self {
            Self::Unauthenticated(why) => Some(why.code()),
            error => error.refusal(),
        }
    }

    /// What goes into the log beside the status; nothing that a caller caused is worth a line of its own.
    pub(crate) fn cause(&self) -> Option<String> {
        match self {
            Self::Unavailable { .. } | Self::Internal(_) => Some(self.to_string()),
            _ => None,
        }
    }

    /// The one mapping of errors to what a caller is told.
    pub(crate) fn into_failure(self) -> Failure {
        match self {
            Self::Malformed(faults) => {
                Failure { faults, ..Failure::new(400, "malformed_request", "The request cannot be read.") }
            }
            Self::Unauthenticated(why) => Failure::new(401, "unauthenticated", why.message())
                .with_header("www-authenticate", "Bearer".to_owned()),
            Self::Forbidden(message) => Failure::new(403, "forbidden", message),
            Self::NotFound => Failure::new(404, "not_found", "There is no such thing here."),
            Self::MethodNotAllowed(allowed) => {
                Failure::new(405, "method_not_allowed", "This path does not take that method.")
                    .with_header("allow", allowed.to_owned())
            }
            Self::Conflict { code, message, current, allowed } => {
                Failure { current, allowed, ..Failure::new(409, &code, &message) }
            }
            Self::Stale { version } => Failure::new(
                412,
                "stale_version",
                "It has been changed since. Read it again, then repeat the change.",
            )
            .with_header("etag", format!("\"{version}\"")),
            Self::TooLarge => Failure::new(413, "body_too_large", "The body is larger than 1 MiB."),
            Self::NotJson => {
                Failure::new(415, "not_json", "Send the body as JSON, with content-type: application/json.")
            }
            Self::Invalid(faults) => {
                Failure { faults, ..Failure::new(422, "invalid", "Some fields cannot be accepted.") }
            }
            Self::KeyReused => Failure {
                faults: vec![FieldFault::new("Idempotency-Key", "was used for another request")],
                ..Failure::new(
                    422,
                    "idempotency_key_reused",
                    "This key was used for another request today. Use a new one.",
                )
            },
            Self::Unavailable { what, .. } => {
                let message = format!("{what} cannot be reached at the moment. Try again shortly.");
                Failure::new(503, "unavailable", &message).with_header("retry-after", "1".to_owned())
            }
            Self::Refused(_) | Self::Internal(_) => {
                Failure::new(500, "internal_error", "Something went wrong here. Quote the request id.")
            }
        }
    }
}

/// What a caller is told of a failure, in whatever form: a code for programs, a sentence for people.
pub struct Failure {
    pub status: u16,
    pub code: String,
    pub message: String,
    /// The fields that cannot be accepted.
    pub faults: Vec<FieldFault>,
    /// Where the thing is and where it may go from there, when that is what stands in the way.
    pub current: Option<String>,
    pub allowed: Option<Vec<String>>,
    header: Option<(&'static str, String)>,
}

impl Failure {
    fn new(status: u16, code: &str, message: &str) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
            faults: Vec::new(),
            current: None,
            allowed: None,
            header: None,
        }
    }

    fn with_header(self, name: &'static str, value: String) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    /// The body of a failure of this service.
    pub fn as_json(&self, request_id: &str) -> Reply {
        let mut body = Map::from_iter([
            ("status".to_owned(), json!("error")),
            ("code".to_owned(), json!(self.code)),
            ("message".to_owned(), json!(self.message)),
            ("requestId".to_owned(), json!(request_id)),
        ]);
        if !self.faults.is_empty() {
            body.insert("errors".to_owned(), json!(self.faults));
        }
        if let Some(current) = &self.current {
            body.insert("current".to_owned(), json!(current));
        }
        if let Some(allowed) = &self.allowed {
            body.insert("allowed".to_owned(), json!(allowed));
        }
        Reply::json(self.status, &Value::Object(body))
    }

    /// The reply in a form, with the header that belongs to the failure in each of them.
    pub(crate) fn reply(self, request_id: &str, form: fn(&Self, &str) -> Reply) -> Reply {
        let reply = form(&self, request_id);
        match &self.header {
            Some((name, value)) => reply.header(name, value),
            None => reply,
        }
    }
}

impl From<Refusal> for Error {
    /// The refusals that mean the same to every family. The rest is the family's to explain.
    fn from(refusal: Refusal) -> Self {
        match refusal.code.as_str() {
            "not_found" => Self::NotFound,
            "forbidden" => Self::Forbidden("Your role may not do this here."),
            "stale" => Self::Stale {
                version: refusal.detail.get("version").and_then(Value::as_i64).unwrap_or_default(),
            },
            "reason_required" => Self::invalid("reason", "is required for this step"),
            "invalid" => Self::Invalid(refusal.faults()),
            "key_reused" => Self::KeyReused,
            "duplicate" => Self::Conflict {
                code: "duplicate".to_owned(),
                message: format!("Another one has this {} already.", refusal.text("field")),
                current: None,
                allowed: None,
            },
            _ => Self::Refused(refusal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_internal_cause_has_no_way_into_the_reply() {
        let reply =
            Error::Internal("password=secret".to_owned()).into_failure().reply("r-1", Failure::as_json);
        assert_eq!(reply.status(), 500);
        assert!(!reply.text().contains("secret"));
        assert!(reply.text().contains("r-1"));
    }
}

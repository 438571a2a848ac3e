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

    /// The one mapping of errors to replies.
    pub(crate) fn into_reply(self, request_id: &str) -> Reply {
        let mut extra = Map::new();
        let (status, code, message): (u16, String, String) = match self {
            Self::Malformed(faults) => {
                extra.insert("errors".to_owned(), json!(faults));
                (400, "malformed_request".into(), "The request cannot be read.".into())
            }
            Self::Unauthenticated(why) => (401, "unauthenticated".into(), why.message().into()),
            Self::Forbidden(message) => (403, "forbidden".into(), message.into()),
            Self::NotFound => (404, "not_found".into(), "There is no such thing here.".into()),
            Self::MethodNotAllowed(allowed) => {
                return failure(
                    405,
                    "method_not_allowed",
                    "This path does not take that method.",
                    request_id,
                    extra,
                )
                .header("allow", allowed);
            }
            Self::Conflict { code, message, current, allowed } => {
                if let Some(current) = current {
                    extra.insert("current".to_owned(), json!(current));
                }
                if let Some(allowed) = allowed {
                    extra.insert("allowed".to_owned(), json!(allowed));
                }
                (409, code, message)
            }
            Self::Stale { version } => {
                return failure(
                    412,
                    "stale_version",
                    "It has been changed since. Read it again, then repeat the change.",
                    request_id,
                    extra,
                )
                .header("etag", &format!("\"{version}\""));
            }
            Self::TooLarge => (413, "body_too_large".into(), "The body is larger than 1 MiB.".into()),
            Self::NotJson => {
                (415, "not_json".into(), "Send the body as JSON, with content-type: application/json.".into())
            }
            Self::Invalid(faults) => {
                extra.insert("errors".to_owned(), json!(faults));
                (422, "invalid".into(), "Some fields cannot be accepted.".into())
            }
            Self::KeyReused => {
                let fault = FieldFault::new("Idempotency-Key", "was used for another request");
                extra.insert("errors".to_owned(), json!([fault]));
                (
                    422,
                    "idempotency_key_reused".into(),
                    "This key was used for another request today. Use a new one.".into(),
                )
            }
            Self::Unavailable { what, .. } => {
                let message = format!("{what} cannot be reached at the moment. Try again shortly.");
                return failure(503, "unavailable", &message, request_id, extra).header("retry-after", "1");
            }
            Self::Refused(_) | Self::Internal(_) => {
                (500, "internal_error".into(), "Something went wrong here. Quote the request id.".into())
            }
        };
        let reply = failure(status, &code, &message, request_id, extra);
        if status == 401 { reply.header("www-authenticate", "Bearer") } else { reply }
    }
}

fn failure(status: u16, code: &str, message: &str, request_id: &str, extra: Map<String, Value>) -> Reply {
    let mut body = Map::new();
    body.insert("status".to_owned(), json!("error"));
    body.insert("code".to_owned(), json!(code));
    body.insert("message".to_owned(), json!(message));
    body.insert("requestId".to_owned(), json!(request_id));
    body.extend(extra);
    Reply::json(status, &Value::Object(body))
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
        let reply = Error::Internal("password=secret".to_owned()).into_reply("r-1");
        assert_eq!(reply.status(), 500);
        assert!(!reply.text().contains("secret"));
        assert!(reply.text().contains("r-1"));
    }
}

//! The systems that are told, and one request to one of them.

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use domain::{Channel, fhir::MEDIA_TYPE, retry_after};
use futures::future::{Either, select};
use http::{HeaderMap, header::RETRY_AFTER};
use http_body_util::{BodyExt, Full, Limited};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use service::{Result, optional};
use spin_sdk::wasip3::http::types::ErrorCode;

use crate::ask::Asked;

/// How long a receiver has to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the rest of its answer is waited for, which nobody reads: so that the connection can be used again.
const REST: Duration = Duration::from_secs(1);
/// How much of the answer to a question is read, in bytes.
const LONGEST_ANSWER: usize = 1024 * 1024;

/// Where a channel leads.
pub(crate) struct Receiver {
    url: String,
    key: Option<String>,
}

/// What a delivery sends, as it lies sealed.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request {
    method: String,
    path: String,
    #[serde(default)]
    content_type: String,
    #[serde(default)]
    body: String,
    /// Of a question what is asked, so that its answer is read.
    pub asked: Option<Asked>,
}

/// What came of it.
pub(crate) struct Answer {
    pub status: Option<u16>,
    /// The status, or why there is none.
    pub code: String,
    pub retry_after: Option<Duration>,
    /// What the answer to a question says; null when it is no JSON, or too much.
    pub said: Value,
    /// By what it says, more people are to be told of a finding.
    pub tells_more: bool,
}

impl Request {
    /// Says something.
    pub(crate) fn says(method: &str, path: String, content_type: &str, body: String) -> Self {
        Self { method: method.to_owned(), path, content_type: content_type.to_owned(), body, asked: None }
    }

    /// Asks something.
    pub(crate) fn asks(path: String, asked: Asked) -> Self {
        let (content_type, body) = (String::new(), String::new());
        Self { method: "GET".to_owned(), path, content_type, body, asked: Some(asked) }
    }
}

impl Receiver {
    /// The receiver of a channel; none when the channel is off.
    pub(crate) async fn of(channel: Channel) -> Result<Option<Self>> {
        let (url, key) = match channel {
            Channel::Notification => {
                (optional("notification_service_url").await?, optional("notification_service_key").await?)
            }
            Channel::Ehr => (optional("ehr_service_url").await?, optional("ehr_service_key").await?),
        };
        Ok(url.map(|url| Self { url: url.trim().trim_end_matches('/').to_owned(), key }))
    }

    /// Sends a request of an organization, under a key by which the receiver tells that it was sent before.
    pub(crate) async fn send(
        &self,
        request: &Request,
        organization: &str,
        key: &str,
        trace: Option<&str>,
    ) -> Answer {
        let body = Bytes::from(request.body.clone());
        let mut built = http::Request::builder()
            .method(request.method.as_str())
            .uri(format!("{}{}", self.url, request.path))
            // One receiver may serve many organizations, each with a patient 1 of its own.
            .header("x-organization-id", organization);
        built = match request.asked {
            Some(_) => built.header("accept", MEDIA_TYPE),
            None => built
                .header("content-type", &request.content_type)
                .header("content-length", body.len())
                .header("idempotency-key", key),
        };
        if let Some(key) = &self.key {
            built = built.header("authorization", format!("Bearer {key}"));
        }
        if let Some(trace) = trace {
            built = built.header("traceparent", trace);
        }
        let Ok(built) = built.body(Full::new(body)) else { return Answer::none("address_unreadable") };

        let sent = pin!(spin_sdk::http::send(built));
        match select(sent, pin!(spin_sdk::time::sleep(PATIENCE))).await {
            Either::Left((Ok(response), _)) => {
                let (head, body) = response.into_parts();
                let answer = Answer::of(head.status.as_u16(), &head.headers);
                if request.asked.is_some() && answer.is_success() {
                    let whole = pin!(Limited::new(body, LONGEST_ANSWER).collect());
                    return match select(whole, pin!(spin_sdk::time::sleep(PATIENCE))).await {
                        Either::Left((Ok(whole), _)) => answer.with(&whole.to_bytes()),
                        Either::Left((Err(_), _)) => Answer::none("cut_off"),
                        Either::Right(_) => Answer::none("timed_out"),
                    };
                }
                let rest = pin!(Limited::new(body, 64 * 1024).collect());
                drop(select(rest, pin!(spin_sdk::time::sleep(REST))).await);
                answer
            }
            Either::Left((Err(error), _)) => Answer::none(name(&error)),
            Either::Right(_) => Answer::none("timed_out"),
        }
    }
}

impl Answer {
    fn of(status: u16, headers: &HeaderMap) -> Self {
        let asked = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        Self {
            status: Some(status),
            code: status.to_string(),
            retry_after: asked.and_then(|asked| retry_after(asked, service::now())),
            said: Value::Null,
            tells_more: false,
        }
    }

    fn with(self, said: &[u8]) -> Self {
        Self { said: serde_json::from_slice(said).unwrap_or_default(), ..self }
    }

    pub(crate) fn is_success(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    pub(crate) fn none(code: &str) -> Self {
        Self { status: None, code: code.to_owned(), retry_after: None, said: Value::Null, tells_more: false }
    }
}

/// Why there was no answer, in a word: what the runtime says itself may name an address.
const fn name(error: &ErrorCode) -> &'static str {
    match error {
        ErrorCode::HttpRequestDenied => "not_allowed",
        ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionTimeout
        | ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::DnsError(_)
        | ErrorCode::DnsTimeout => "no_connection",
        ErrorCode::ConnectionReadTimeout | ErrorCode::HttpResponseTimeout => "timed_out",
        ErrorCode::ConnectionTerminated | ErrorCode::HttpResponseIncomplete => "cut_off",
        ErrorCode::TlsAlertReceived(_) | ErrorCode::TlsCertificateError | ErrorCode::TlsProtocolError => {
            "not_trusted"
        }
        _ => "no_answer",
    }
}

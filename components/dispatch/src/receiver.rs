//! The systems that are told, and one request to one of them.

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use domain::{Channel, retry_after};
use futures::future::{Either, select};
use http::{HeaderMap, header::RETRY_AFTER};
use http_body_util::{BodyExt, Full, Limited};
use jiff::Timestamp;
use serde::Deserialize;
use service::{Result, optional};
use spin_sdk::wasip3::http::types::ErrorCode;

/// How long a receiver has to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the rest of its answer is waited for, which nobody reads: so that the connection can be used again.
const REST: Duration = Duration::from_secs(1);

/// Where a channel leads.
pub(crate) struct Receiver {
    url: String,
    key: Option<String>,
}

/// What a delivery sends, as it was sealed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request {
    method: String,
    path: String,
    content_type: String,
    body: String,
}

/// What came of it.
pub(crate) struct Answer {
    pub status: Option<u16>,
    /// The status, or why there is none.
    pub code: String,
    pub retry_after: Option<Duration>,
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

    /// Sends a request, under a key by which the receiver tells that it was sent before.
    pub(crate) async fn send(&self, request: &Request, key: &str, trace: Option<&str>) -> Answer {
        let body = Bytes::from(request.body.clone());
        let mut built = http::Request::builder()
            .method(request.method.as_str())
            .uri(format!("{}{}", self.url, request.path))
            .header("content-type", &request.content_type)
            .header("content-length", body.len())
            .header("idempotency-key", key);
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
                let rest = pin!(Limited::new(body, 64 * 1024).collect());
                drop(select(rest, pin!(spin_sdk::time::sleep(REST))).await);
                Answer::of(head.status.as_u16(), &head.headers)
            }
            Either::Left((Err(error), _)) => Answer::none(name(&error)),
            Either::Right(_) => Answer::none("timed_out"),
        }
    }
}

impl Answer {
    fn of(status: u16, headers: &HeaderMap) -> Self {
        let asked = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let now = Timestamp::from_second(since.as_secs().try_into().unwrap_or_default()).unwrap_or_default();
        Self {
            status: Some(status),
            code: status.to_string(),
            retry_after: asked.and_then(|asked| retry_after(asked, now)),
        }
    }

    pub(crate) fn none(code: &str) -> Self {
        Self { status: None, code: code.to_owned(), retry_after: None }
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

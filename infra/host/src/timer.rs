//! Timers: the host posts to the application's own routes every so often, never twice at once.

use crate::application::{Application, Origin};
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use serde::Deserialize;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

/// A reply is only looked at for whether there is more to do.
const REPLY_LIMIT: usize = 64 * 1024;

/// `<path>=<seconds>`
#[derive(Clone, Debug, PartialEq)]
pub struct Timer {
    path: String,
    every: Duration,
}

impl FromStr for Timer {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (path, seconds) = text.rsplit_once('=').context("write it as /path=seconds")?;
        ensure!(path.starts_with('/'), "the path must begin with a slash");
        let seconds: f64 = seconds.parse().context("the seconds must be a number")?;
        let every = Duration::try_from_secs_f64(seconds).ok().filter(|every| !every.is_zero());
        let every = every.context("the seconds must be more than none")?;
        Ok(Self { path: path.to_owned(), every })
    }
}

#[derive(Default, Deserialize)]
struct Reply {
    data: Option<Data>,
}

#[derive(Default, Deserialize)]
struct Data {
    #[serde(default)]
    more: bool,
}

impl Timer {
    /// Calls until the host stops. A failure is logged when it begins and when it ends.
    pub async fn run(
        self,
        application: Arc<Application>,
        key: Option<HeaderValue>,
        mut stopping: watch::Receiver<bool>,
    ) {
        let mut ticks = tokio::time::interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = None;
        loop {
            tokio::select! {
                _ = stopping.wait_for(|stopping| *stopping) => return,
                _ = ticks.tick() => {}
            }
            loop {
                let outcome = self.call(&application, key.clone()).await;
                let state = outcome.as_ref().err().copied();
                match (failing, state) {
                    (before, Some(status)) if before != Some(status) => {
                        tracing::warn!(timer = self.path, status = status.as_u16(), "the timer's call fails");
                    }
                    (Some(_), None) => tracing::info!(timer = self.path, "the timer's call succeeds again"),
                    _ => {}
                }
                failing = state;
                if !matches!(outcome, Ok(true)) || *stopping.borrow() {
                    break;
                }
            }
        }
    }

    /// Whether there is more to do at once, or the status that came instead.
    async fn call(&self, application: &Application, key: Option<HeaderValue>) -> Result<bool, StatusCode> {
        let body = Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync();
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.path.parse().map_err(|_| StatusCode::BAD_REQUEST)?;
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        if let Some(key) = key {
            request.headers_mut().insert("x-event-key", key);
        }
        let (head, body) = application.answer(request, Origin::Timer).await.into_parts();
        let body = Limited::new(body, REPLY_LIMIT).collect().await;
        if !head.status.is_success() {
            return Err(head.status);
        }
        let body = body.map_err(|_| StatusCode::BAD_GATEWAY)?.to_bytes();
        let reply: Reply = serde_json::from_slice(&body).unwrap_or_default();
        Ok(reply.data.unwrap_or_default().more)
    }
}

/// The key that timers prove themselves with: while two are valid, the newer one.
pub fn event_key(value: &str) -> Option<HeaderValue> {
    let key = value.split(',').next()?.trim();
    let mut key = HeaderValue::from_str(key).ok().filter(|key| !key.is_empty())?;
    key.set_sensitive(true);
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_is_a_path_and_seconds() {
        let timer: Timer = "/tasks/sweep=1".parse().unwrap();
        assert_eq!(timer, Timer { path: "/tasks/sweep".to_owned(), every: Duration::from_secs(1) });
        assert_eq!("/a=0.5".parse::<Timer>().unwrap().every, Duration::from_millis(500));
        for text in ["/a", "a=1", "/a=0", "/a=-1", "/a=x"] {
            assert!(text.parse::<Timer>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_newer_of_two_keys_is_used_and_hidden() {
        assert_eq!(event_key("new,old").unwrap(), "new");
        assert_eq!(event_key(""), None);
        assert_eq!(format!("{:?}", event_key("new").unwrap()), "Sensitive");
    }
}

//! What was just written goes out at once, instead of when the timer comes round.

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use futures::future::select;
use http::Request;
use http_body_util::Empty;

use crate::{Context, settings::setting};

/// How long the reply is waited for, by nobody but the instance: that the request was taken is all that counts.
const PATIENCE: Duration = Duration::from_secs(5);

/// Has the outbox worked, by a request to the application itself, which the caller of this one does not wait for: the
/// runtime goes on with it after the reply. It may be lost, like anything that is not in the database; the timer finds
/// what it would have found.
pub async fn wake(cx: &Context) {
    let Ok(keys) = setting("event_key").await else { return };
    let key = keys.split(',').next().unwrap_or_default().trim();
    let mut request = Request::post("http://self.alt/tasks/dispatch")
        .header("x-event-key", key)
        .header("content-length", "0");
    if let Some(trace) = cx.header("traceparent") {
        request = request.header("traceparent", trace);
    }
    // It has an id of its own: what it does may be somebody else's, and is done after this request was answered.
    let Ok(request) = request.body(Empty::<Bytes>::new()) else { return };
    spin_sdk::wasip3::spawn(async move {
        let sent = pin!(spin_sdk::http::send(request));
        drop(select(sent, pin!(spin_sdk::time::sleep(PATIENCE))).await);
    });
}

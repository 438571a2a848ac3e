use std::time::{Duration, Instant};

use domain::Channel;
use futures::future::join;
use serde_json::{Value, json};
use service::{Context, Reply, Result};

use crate::{deliver::deliver, expand::expand, receiver::Receiver, tidy::tidy};

/// Of how many findings one call fires the deadlines that have passed.
const FINDINGS: u32 = 50;
/// How long one call takes up new work. What it has taken up it brings to an end.
const WORKING: Duration = Duration::from_secs(5);
/// How many messages are on their way at once. A receiver that is slow holds up as many at most.
const MESSAGES: usize = 8;
/// The same of what goes to the health record, which has a line of its own: no message waits behind it.
const RECORDS: usize = 4;

/// Works on what other systems have to be told: a bounded amount a call, at least once each, and as many calls at once as
/// one likes. The deadlines that have passed fire first, then events become deliveries, then what is due is sent.
pub(crate) async fn work(cx: &Context) -> Result<Reply> {
    cx.require_event_key().await?;
    let until = Instant::now() + WORKING;
    let notifications = Receiver::of(Channel::Notification).await?;
    let record = Receiver::of(Channel::Ehr).await?;

    // Whatever goes wrong with one of them keeps none of the others.
    let fired = cx.call_as("dispatch", "*", "findings.fire_due", json!({"findings": FINDINGS})).await;
    let expanded = expand(cx, notifications.is_some(), record.is_some(), until).await;
    let (messages, records) = join(
        deliver(cx, Channel::Notification, notifications.as_ref(), MESSAGES, until),
        deliver(cx, Channel::Ehr, record.as_ref(), RECORDS, until),
    )
    .await;
    let idle = messages.attempts + records.attempts == 0;
    let tidied = if idle { tidy(cx).await } else { Ok(false) };

    let (fired, expanded, tidied) = (fired?, expanded?, tidied?);
    if let Some(error) = messages.trouble.or(records.trouble) {
        return Err(error);
    }
    let fired_more = fired.get("more") == Some(&Value::Bool(true));
    let more = fired_more || expanded.more || messages.more || records.more || tidied;
    Ok(Reply::success(
        200,
        &json!({
            "fired": fired.get("fired"),
            "events": expanded.events,
            "delivered": messages.delivered + records.delivered,
            "failed": messages.attempts + records.attempts - messages.delivered - records.delivered,
            "more": more,
        }),
    ))
}

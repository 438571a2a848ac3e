use std::time::{Duration, Instant};

use domain::Channel;
use futures::future::join;
use serde_json::{Value, json};
use service::{Context, Error, Reply, Result};

use crate::{deliver::deliver, expand::expand, receiver::Receiver, tidy::tidy};

/// Of how many findings one call fires the deadlines that have passed.
const FINDINGS: u32 = 50;
/// How long one call makes deliveries of events, and how long it then takes up deliveries: however many events wait, what is
/// due is sent. What it has taken up it brings to an end.
const EXPANDING: Duration = Duration::from_secs(2);
const DELIVERING: Duration = Duration::from_secs(4);
/// How many messages are on their way at once. A receiver that is slow holds up as many at most.
const MESSAGES: usize = 8;
/// The same of what goes to the health record, which has a line of its own: no message waits behind it.
const RECORDS: usize = 4;
/// How often one call goes on with the next group of a finding, where somebody could not be reached.
const ROUNDS: usize = 4;

/// What one round has done.
#[derive(Default)]
struct Worked {
    fired: u64,
    events: usize,
    attempts: usize,
    delivered: usize,
    more: bool,
    /// The next group is to be told of a finding now.
    hastened: bool,
    /// The first thing that went wrong, if anything did.
    trouble: Option<Error>,
}

/// Works on what other systems have to be told: a bounded amount a call, at least once each, and as many calls at once as
/// one likes. The deadlines that have passed fire first, then events become deliveries, then what is due is sent.
pub(crate) async fn work(cx: &Context) -> Result<Reply> {
    cx.require_event_key().await?;
    let notifications = Receiver::of(Channel::Notification).await?;
    let record = Receiver::of(Channel::Ehr).await?;

    let mut worked = Worked::default();
    for _ in 0..ROUNDS {
        let round = round(cx, notifications.as_ref(), record.as_ref()).await;
        worked = Worked {
            fired: worked.fired + round.fired,
            events: worked.events + round.events,
            attempts: worked.attempts + round.attempts,
            delivered: worked.delivered + round.delivered,
            ..round
        };
        if !worked.hastened || worked.trouble.is_some() {
            break;
        }
    }
    let tidied = if worked.attempts == 0 { tidy(cx).await } else { Ok(false) };
    if let Some(error) = worked.trouble {
        return Err(error);
    }
    Ok(Reply::success(
        200,
        &json!({
            "fired": worked.fired,
            "events": worked.events,
            "delivered": worked.delivered,
            "failed": worked.attempts - worked.delivered,
            "more": worked.more || worked.hastened || tidied?,
        }),
    ))
}

/// Whatever goes wrong with one thing keeps none of the others.
async fn round(cx: &Context, notifications: Option<&Receiver>, record: Option<&Receiver>) -> Worked {
    let mut worked = Worked::default();
    match cx.call_as("dispatch", "*", "findings.fire_due", json!({"findings": FINDINGS})).await {
        Ok(fired) => {
            worked.fired = fired.get("fired").and_then(Value::as_u64).unwrap_or_default();
            worked.more |= fired.get("more") == Some(&Value::Bool(true));
        }
        Err(error) => worked.trouble = Some(error),
    }
    let until = Instant::now() + EXPANDING;
    match expand(cx, notifications.is_some(), record.is_some(), until).await {
        Ok(expanded) => {
            worked.events = expanded.events;
            worked.more |= expanded.more;
            worked.hastened |= expanded.hastened;
            worked.trouble = worked.trouble.or(expanded.trouble);
        }
        Err(error) => worked.trouble = worked.trouble.or(Some(error)),
    }
    let until = Instant::now() + DELIVERING;
    let (messages, records) = join(
        deliver(cx, Channel::Notification, notifications, MESSAGES, until),
        deliver(cx, Channel::Ehr, record, RECORDS, until),
    )
    .await;
    for of_channel in [messages, records] {
        worked.attempts += of_channel.attempts;
        worked.delivered += of_channel.delivered;
        worked.more |= of_channel.more;
        worked.hastened |= of_channel.hastened;
        worked.trouble = worked.trouble.or(of_channel.trouble);
    }
    worked
}

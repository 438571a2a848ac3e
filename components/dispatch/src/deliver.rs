//! What is due on a channel, sent and concluded.

use std::time::Instant;

use domain::{Attempt, Channel, DeliveryId, DeliveryState, FindingStatus, Verdict, sources};
use futures::{StreamExt, future::LocalBoxFuture, stream::FuturesUnordered};
use serde::Deserialize;
use serde_json::{Value, json};
use service::{Context, Error, Result, seal::Seal};

use crate::{
    ask::settle,
    receiver::{Answer, Receiver, Request},
};

/// How long a delivery that was taken is nobody else's, in seconds: longer than a receiver has to answer.
const LEASE: u32 = 30;

/// What came of what was due.
#[derive(Default)]
pub(crate) struct Delivered {
    pub attempts: usize,
    pub delivered: usize,
    pub more: bool,
    /// The next group is to be told of a finding now.
    pub hastened: bool,
    /// The first thing that went wrong here, if anything did.
    pub trouble: Option<Error>,
}

/// A delivery that was taken.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Taken {
    id: DeliveryId,
    organization: String,
    topic: String,
    resource_id: String,
    attempt: u32,
    trace: Option<String>,
    request: Option<Request>,
}

/// What may come back while a channel is worked.
enum Event {
    Taken(Result<Vec<Value>>),
    Attempted(Result<Attempted>),
}

/// Sends what is due on a channel, so many at once; as soon as one has come back, more is taken. So one that is slow takes one
/// place and no other.
///
/// Taking is one of what goes on at once: an attempt that stood still meanwhile would keep its connection to the database
/// from those who wait for one, and who keep theirs.
pub(crate) async fn deliver(
    cx: &Context,
    channel: Channel,
    receiver: Option<&Receiver>,
    at_once: usize,
    until: Instant,
) -> Delivered {
    let mut outcome = Delivered::default();
    let Some(receiver) = receiver else { return outcome };
    let mut running: FuturesUnordered<LocalBoxFuture<'_, Event>> = FuturesUnordered::new();
    let (mut sending, mut may_be_more) = (0, true);
    loop {
        if may_be_more && outcome.trouble.is_none() && sending < at_once {
            may_be_more = false;
            if Instant::now() < until {
                let free = at_once - sending;
                running.push(Box::pin(async move { Event::Taken(take(cx, channel, free).await) }));
            } else {
                outcome.more = true;
            }
        }
        match running.next().await {
            None => return outcome,
            Some(Event::Taken(Ok(taken))) => {
                sending += taken.len();
                for due in taken {
                    running.push(Box::pin(async move { Event::Attempted(attempt(cx, receiver, due).await) }));
                }
            }
            Some(Event::Attempted(Ok(attempted))) => {
                sending -= 1;
                may_be_more = true;
                outcome.attempts += 1;
                outcome.delivered += usize::from(attempted.delivered);
                outcome.hastened |= attempted.hastened;
            }
            Some(Event::Attempted(Err(error))) => {
                sending -= 1;
                outcome.trouble = outcome.trouble.or(Some(error));
            }
            Some(Event::Taken(Err(error))) => outcome.trouble = outcome.trouble.or(Some(error)),
        }
    }
}

async fn take(cx: &Context, channel: Channel, most: usize) -> Result<Vec<Value>> {
    let ask = json!({"channel": channel, "most": most, "leaseSeconds": LEASE});
    match cx.call_as("dispatch", "*", "dispatch.take_deliveries", ask).await? {
        Value::Array(taken) => Ok(taken),
        _ => Err(Error::Internal("dispatch.take_deliveries answered no list".to_owned())),
    }
}

struct Attempted {
    delivered: bool,
    /// Somebody else is to be told now: the next group, or the care team.
    hastened: bool,
}

async fn attempt(cx: &Context, receiver: &Receiver, mut due: Value) -> Result<Attempted> {
    let organization = due.get("organization").and_then(Value::as_str).unwrap_or_default();
    // The key that it is sealed with may be gone, or not be there yet: that is a failure like any other.
    drop(Seal::of(organization).await?.open_document(&mut due));
    let due: Taken = serde_json::from_value(due)
        .map_err(|_| Error::Internal("dispatch.take_deliveries answered another delivery".to_owned()))?;
    let mut answer = match &due.request {
        Some(request) => {
            receiver.send(request, &due.organization, &due.id.to_string(), due.trace.as_deref()).await
        }
        None => Answer::none("not_opened"),
    };
    if let Some(asked) = due.request.as_ref().and_then(|request| request.asked.as_ref()) {
        answer = match settle(cx, &due.organization, &due.resource_id, asked, answer).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::error!(%error, topic = due.topic, "an answer could not be taken in");
                Answer::none("not_taken_in")
            }
        };
    }
    conclude(cx, &due, &answer).await
}

async fn conclude(cx: &Context, due: &Taken, answer: &Answer) -> Result<Attempted> {
    let [.., high, low] = *DeliveryId::mint().uuid().as_bytes();
    let attempt = Attempt {
        number: due.attempt,
        status: answer.status,
        retry_after: answer.retry_after,
        chance: u16::from_be_bytes([high, low]),
    };
    let verdict = attempt.verdict();
    let state = verdict.state();
    if verdict == Verdict::Dead {
        // This line is the alarm.
        tracing::error!(
            topic = due.topic,
            state = state.as_str(),
            code = answer.code,
            delivery = %due.id,
            organization = due.organization,
            "a delivery is given up"
        );
    }
    let after = match verdict {
        Verdict::Again { after } => Some(after.as_secs_f64()),
        Verdict::Delivered | Verdict::Dead => None,
    };
    let ask = json!({
        "id": due.id,
        "attempt": due.attempt,
        "state": state,
        "from": sources(DeliveryState::ALL, DeliveryState::step, state),
        "code": answer.code,
        "afterSeconds": after,
        "notified": sources(FindingStatus::ALL, FindingStatus::step, FindingStatus::Notified),
        "hasten": attempt.hastens(),
    });
    let concluded = cx.call_as("dispatch", &due.organization, "dispatch.conclude", ask).await?;
    Ok(Attempted {
        delivered: verdict == Verdict::Delivered,
        hastened: answer.tells_more || concluded.get("hastened") == Some(&Value::Bool(true)),
    })
}

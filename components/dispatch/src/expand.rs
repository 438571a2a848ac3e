//! From an event of the outbox to the deliveries that it becomes.

use std::{collections::BTreeSet, time::Instant};

use domain::{
    Channel, Content, CriticalResults, DeliveryId, FindingStatus,
    fhir::{Exchange, MEDIA_TYPE},
    sources,
};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use service::{Context, Error, Result, optional, seal::Seal};

use crate::{
    ask,
    message::{self, Message},
    receiver::Request,
    retry::NOT_MADE,
};

/// What the health record is told of: orders, and reports with the study and the order that they are about.
const EXCHANGED: &[&str] = &[
    "order.changed",
    "order.placed",
    "report.amended",
    "report.changed",
    "report.removed",
    "report.signed",
    "report.written",
];

/// How many events are taken at once.
const MOST: u32 = 50;
/// How many events that no channel wants are done with at once.
const UNWANTED: u32 = 1000;
/// How many of them are expanded at once.
const AT_ONCE: usize = 4;
/// How long an event that was taken is nobody else's, in seconds.
const LEASE: u32 = 30;
/// How often an event is taken before it is given up: with the leases in between that is an hour.
const TRIES: i64 = 60 * 60 / LEASE as i64;
/// What is not done with while there is no notification service: whoever is to be told is told when there is one.
const KEPT: &[&str] = &["finding.escalated", "finding.raised", "finding.shared"];

/// What came of the events that waited.
#[derive(Default)]
pub(crate) struct Expanded {
    /// How many have become deliveries, or nothing that anybody needs.
    pub events: usize,
    pub more: bool,
    /// The next group is to be told of a finding now.
    pub hastened: bool,
    /// The first thing that went wrong with one of them, if anything did.
    pub trouble: Option<Error>,
}

/// Makes deliveries of the events that wait, for the channels that there are. Those of findings come first, and once they are
/// made nothing else is: they are to go out.
pub(crate) async fn expand(cx: &Context, notify: bool, record: bool, until: Instant) -> Result<Expanded> {
    let portal = optional("portal_url").await?;
    let told = if notify { message::TOPICS } else { &[] };
    let exchanged = if record { EXCHANGED } else { &[] };
    let is_kept = |topic: &str| !notify && KEPT.contains(&topic);
    let asked: Vec<&str> = ask::topics().filter(|topic| record && !is_kept(topic)).collect();
    let topics: BTreeSet<&str> = told.iter().chain(exchanged).chain(&asked).copied().collect();
    let ask = json!({
        "topics": topics,
        "kept": KEPT,
        "exchanged": exchanged,
        "asked": asked,
        "most": MOST,
        "unwanted": UNWANTED,
        "leaseSeconds": LEASE,
        "defaults": CriticalResults::default(),
    });
    let mut expanded = Expanded::default();
    loop {
        let mut taken = cx.call_as("dispatch", "*", "dispatch.take_events", ask.clone()).await?;
        let events = taken.get_mut("events").map(Value::take).unwrap_or_default();
        let Value::Array(events) = events else {
            return Err(Error::Internal("dispatch.take_events answered no events".to_owned()));
        };
        let more = taken.get("more") == Some(&Value::Bool(true));
        if events.is_empty() && !more {
            return Ok(expanded);
        }
        let is_urgent = events.iter().any(|event| event.get("resource") == Some(&json!("finding")));
        let results: Vec<Result<bool>> = stream::iter(events)
            .map(|event| expand_one(cx, event, notify, portal.as_deref()))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        // One of which nothing comes keeps none of the others.
        for result in results {
            match result {
                Ok(hastened) => {
                    expanded.events += 1;
                    expanded.hastened |= hastened;
                }
                Err(error) => expanded.trouble = expanded.trouble.or(Some(error)),
            }
        }
        if is_urgent || Instant::now() >= until {
            return Ok(Expanded { more: true, ..expanded });
        }
    }
}

/// Makes deliveries of an event; whether the next group is to be told of its finding now.
async fn expand_one(cx: &Context, mut event: Value, notify: bool, portal: Option<&str>) -> Result<bool> {
    let exchanged = event.get_mut("exchanged").map(Value::take).unwrap_or_default();
    let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    let (organization, topic) = (text("organization").to_owned(), text("topic"));
    let id = event.get("id").cloned().unwrap_or_default();
    let attempts = event.get("attempts").and_then(Value::as_i64).unwrap_or_default();
    if attempts > TRIES {
        // This line is the alarm.
        tracing::error!(topic, state = "DEAD", organization, "an event is given up");
        let channel = if EXCHANGED.contains(&topic) { Channel::Ehr } else { Channel::Notification };
        let ask = json!({"event": id, "delivery": DeliveryId::mint(), "channel": channel, "code": NOT_MADE});
        return cx.call_as("dispatch", &organization, "dispatch.give_up", ask).await.map(|_| false);
    }

    let recipients = event.get("recipients").cloned().unwrap_or_default();
    if KEPT.contains(&topic) && recipients == json!([]) {
        // This line is an alarm as well.
        tracing::error!(
            topic,
            organization,
            finding = text("resourceId"),
            "nobody is there to be told of a finding"
        );
    }
    let seal = Seal::of(&organization).await?;
    let only = event.pointer("/detail/only").and_then(Value::as_str);
    let notify = notify && only.is_none_or(|only| only == Channel::Notification.as_str());
    let mut deliveries = if notify { notifications(&event, &seal, portal)? } else { Vec::new() };
    let (updates, left) = match updates(&organization, exchanged, &seal) {
        Ok(updates) => (updates, None),
        // What cannot be told to one keeps nobody else from being told.
        Err(error) => (Vec::new(), Some(error)),
    };
    deliveries.extend(updates);
    if let Some(question) = ask::question(&organization, &event) {
        deliveries.push(delivery(&seal, Channel::Ehr, None, None, &question)?);
    }
    let ask = json!({
        "event": id,
        "takenAt": event.get("takenAt"),
        "recipients": recipients,
        "open": sources(FindingStatus::ALL, FindingStatus::step, FindingStatus::Acknowledged),
        "deliveries": deliveries,
        "left": left.as_ref().map(|_| Channel::Ehr),
        "notMade": NOT_MADE,
    });
    let became = cx.call_as("dispatch", &organization, "dispatch.expand", ask).await?;
    left.map_or(Ok(became.get("hastened") == Some(&Value::Bool(true))), Err)
}

/// A message for each recipient, sealed: one that cannot be delivered holds up no other.
fn notifications(event: &Value, seal: &Seal, portal: Option<&str>) -> Result<Vec<Value>> {
    let mut opened = event.clone();
    if seal.open_document(&mut opened).is_err() {
        // The key to the patient's name is gone, and the finding is still to be told.
        tracing::error!("a message goes without patient and finding: what seals them cannot be opened");
        opened = event.clone();
    }
    let Some(message) = Message::of(&opened, portal) else { return Ok(Vec::new()) };
    let recipients = event.get("recipients").and_then(Value::as_array).into_iter().flatten();
    recipients
        .filter_map(Value::as_str)
        .map(|recipient| {
            let (path, body) = ("/notifications/batch".to_owned(), message.body(recipient).to_string());
            let request = Request::says("POST", path, "application/json", body);
            delivery(seal, Channel::Notification, Some(recipient), None, &request)
        })
        .collect()
}

/// What the health record is to know now. Each refers to the others by their identifiers, so that none waits for another.
fn updates(organization: &str, mut exchanged: Value, seal: &Seal) -> Result<Vec<Value>> {
    seal.open_document(&mut exchanged)?;
    let exchange = Exchange::elsewhere(organization);
    let of = |name: &str| exchanged.get(name).filter(|document| document.is_object());
    if let Some(report) = of("report")
        && !is_unaltered(seal, report)?
    {
        // This line is the alarm. Who has the report already is told all the same.
        tracing::error!(organization, "a report does not say what its hash was taken of, and is not sent");
        return Ok(Vec::new());
    }
    let updates = [
        of("order").and_then(|order| exchange.update_of_order(order)),
        of("study").and_then(|study| exchange.update_of_study(study)),
        of("report").and_then(|report| exchange.update_of_report(report)),
        of("removed").and_then(|report| exchange.update_of_removed_report(report)),
    ];
    updates
        .into_iter()
        .flatten()
        .map(|update| {
            let (path, body) = (format!("/{}", update.path), update.resource.to_string());
            let request = Request::says("PUT", path.clone(), MEDIA_TYPE, body);
            // What is put in one place goes in order, whatever it was made for.
            delivery(seal, Channel::Ehr, None, Some(&path), &request)
        })
        .collect()
}

/// A report goes out only if it says what its hash was taken of: see reports/src/content.rs.
fn is_unaltered(seal: &Seal, report: &Value) -> Result<bool> {
    let hash = report.get("contentHash").and_then(Value::as_str).unwrap_or_default();
    seal.is_digest_of(hash, "report", Content::bound_of(report))
}

/// A delivery, sealed; and the line that it waits in, if it is not the one of its recipient.
fn delivery(
    seal: &Seal,
    channel: Channel,
    recipient: Option<&str>,
    line: Option<&str>,
    request: &Request,
) -> Result<Value> {
    let id = DeliveryId::mint();
    let sealed = seal.fields("deliveries", id, [("request", Some(json!(request)))])?;
    let asks = request.asked.is_some();
    Ok(json!({
        "id": id,
        "channel": channel,
        "recipient": recipient,
        "line": line,
        "asks": asks,
        "sealed": sealed,
    }))
}

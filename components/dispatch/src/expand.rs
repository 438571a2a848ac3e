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
/// How often an event is taken before it is given up: with the leases in between that is a day.
const TRIES: i64 = 24 * 60 * 60 / LEASE as i64;

/// What came of the events that waited.
#[derive(Default)]
pub(crate) struct Expanded {
    /// How many have become deliveries, or nothing that anybody needs.
    pub events: usize,
    pub more: bool,
}

/// Makes deliveries of the events that wait, for the channels that there are.
pub(crate) async fn expand(cx: &Context, notify: bool, record: bool, until: Instant) -> Result<Expanded> {
    let portal = optional("portal_url").await?;
    let told = if notify { message::TOPICS } else { &[] };
    let exchanged = if record { EXCHANGED } else { &[] };
    let asked: Vec<&str> = ask::topics().filter(|_| record).collect();
    let topics: BTreeSet<&str> = told.iter().chain(exchanged).chain(&asked).copied().collect();
    let ask = json!({
        "topics": topics,
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
        let results: Vec<Result<()>> = stream::iter(events)
            .map(|event| expand_one(cx, event, notify, portal.as_deref()))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        expanded.events += results.iter().filter(|result| result.is_ok()).count();
        results.into_iter().collect::<Result<()>>()?;
        if Instant::now() >= until {
            return Ok(Expanded { more: true, ..expanded });
        }
    }
}

async fn expand_one(cx: &Context, mut event: Value, notify: bool, portal: Option<&str>) -> Result<()> {
    let exchanged = event.get_mut("exchanged").map(Value::take).unwrap_or_default();
    let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    let organization = text("organization").to_owned();
    let id = event.get("id").cloned().unwrap_or_default();
    let attempts = event.get("attempts").and_then(Value::as_i64).unwrap_or_default();
    if attempts > TRIES {
        // This line is the alarm.
        tracing::error!(topic = text("topic"), state = "DEAD", organization, "an event is given up");
        let channel = if EXCHANGED.contains(&text("topic")) { Channel::Ehr } else { Channel::Notification };
        let ask = json!({"event": id, "delivery": DeliveryId::mint(), "channel": channel, "code": NOT_MADE});
        return cx.call_as("dispatch", &organization, "dispatch.give_up", ask).await.map(drop);
    }

    let recipients = event.get("recipients").cloned().unwrap_or_default();
    let seal = Seal::of(&organization).await?;
    let mut deliveries = if notify { notifications(&event, &seal, portal)? } else { Vec::new() };
    deliveries.extend(updates(&organization, exchanged, &seal)?);
    if let Some(question) = ask::question(&organization, &event) {
        deliveries.push(delivery(&seal, Channel::Ehr, None, &question)?);
    }
    let ask = json!({
        "event": id,
        "recipients": recipients,
        "open": sources(FindingStatus::ALL, FindingStatus::step, FindingStatus::Acknowledged),
        "deliveries": deliveries,
        "notMade": NOT_MADE,
    });
    cx.call_as("dispatch", &organization, "dispatch.expand", ask).await.map(drop)
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
            delivery(seal, Channel::Notification, Some(recipient), &request)
        })
        .collect()
}

/// What the health record is to know now, in the order in which each refers to the ones before.
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
            delivery(seal, Channel::Ehr, None, &Request::says("PUT", path, MEDIA_TYPE, body))
        })
        .collect()
}

/// A report goes out only if it says what its hash was taken of: see reports/src/content.rs.
fn is_unaltered(seal: &Seal, report: &Value) -> Result<bool> {
    let hash = report.get("contentHash").and_then(Value::as_str).unwrap_or_default();
    seal.is_digest_of(hash, "report", Content::bound_of(report))
}

fn delivery(seal: &Seal, channel: Channel, recipient: Option<&str>, request: &Request) -> Result<Value> {
    let id = DeliveryId::mint();
    let sealed = seal.fields("deliveries", id, [("request", Some(json!(request)))])?;
    let asks = request.asked.is_some();
    Ok(json!({"id": id, "channel": channel, "recipient": recipient, "asks": asks, "sealed": sealed}))
}

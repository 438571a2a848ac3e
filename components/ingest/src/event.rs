//! What storage announces: Event Grid's own schema and CloudEvents 1.0, one event or many.

use std::collections::HashSet;

use domain::{UploadId, upload_of};
use serde_json::{Map, Value, json};
use service::{Context, Error, FieldFault, Reply, Result, blob::Storage, setting};

use crate::sweep::take_all;

/// How many uploads one request takes up. Event Grid waits for 30 seconds, and then sends all of it again.
const MOST: usize = 200;

/// The handshake of CloudEvents over HTTP (webhook specification, section 4). Who may not deliver is told so by leaving
/// the headers out: the status alone is no consent. Nobody is called back (`WebHook-Request-Callback`): this service
/// reaches nobody whose address a stranger brings.
pub(crate) async fn handshake(cx: &Context) -> Result<Reply> {
    let origin = cx.header("webhook-request-origin").unwrap_or_default();
    let origins = setting("event_origins").await?;
    if !origins.split(',').map(str::trim).any(|expected| expected.eq_ignore_ascii_case(origin)) {
        return Err(Error::Forbidden("Events are not expected from this WebHook-Request-Origin."));
    }
    Ok(Reply::empty(200)
        .header("webhook-allowed-origin", origin)
        .header("webhook-allowed-rate", "*")
        .header("allow", "OPTIONS, POST"))
}

/// Takes up the blobs that were created. Event Grid never repeats what got 400, 401, 403 or 413: what may work later is
/// 503, and what never will is recorded and answered with 200.
///
/// What is no list of events at all is 400 all the same, and 413 when it is too large. Storage sends no such thing, but
/// somebody who sets this up by hand does, and is to be told what is wrong; there is no upload to record it with; and
/// what Event Grid gets a 400 for it keeps as a dead letter, if it was told to, where a 200 would leave no trace. The
/// blobs that it may have been about are found by the sweep.
pub(crate) async fn receive(cx: &Context) -> Result<Reply> {
    cx.require_event_key().await?;
    let events = match cx.document().await? {
        Value::Array(events) => events,
        event @ Value::Object(_) => vec![event],
        _ => {
            return Err(Error::Malformed(vec![FieldFault::new(
                "body",
                "must be an event, or a list of events",
            )]));
        }
    };
    let storage = Storage::from_settings().await?;
    match events.iter().find(|event| kind(event) == Some("Microsoft.EventGrid.SubscriptionValidationEvent")) {
        Some(validation) => confirm(validation, storage),
        None => take_up(cx, storage, &events).await.map(|taken| Reply::success(200, &Value::Object(taken))),
    }
}

/// Confirms a subscription to the events of the account whose blobs these are, and no other. The code, which is what
/// confirms, is in no refusal.
fn confirm(validation: &Value, storage: &Storage) -> Result<Reply> {
    let expected = format!("/providers/Microsoft.Storage/storageAccounts/{}", storage.account());
    let topic = validation.get("topic").and_then(Value::as_str).unwrap_or_default();
    // Names in Azure are the same however they are written.
    if !topic.to_lowercase().ends_with(&expected.to_lowercase()) {
        return Err(Error::invalid("topic", "must be the storage account of this service"));
    }
    match validation.pointer("/data/validationCode").and_then(Value::as_str) {
        Some(code) => Ok(Reply::json(200, &json!({"validationResponse": code}))),
        None => Err(Error::invalid("data.validationCode", "is required")),
    }
}

/// Takes up each upload that events announce, once, and says how many came to something and how many events are
/// ignored: none of ours, or the same once more. One that cannot be had now keeps none of the others, but makes this an
/// error, so that all are announced again: what is done is not done twice.
///
/// Those beyond the first 200 are left to the sweep, which asks storage about every upload. Were they refused, the same
/// 200 would come first again.
pub(crate) async fn take_up(cx: &Context, storage: &Storage, events: &[Value]) -> Result<Map<String, Value>> {
    let mut known = HashSet::new();
    let mut uploads: Vec<UploadId> = events
        .iter()
        .filter_map(|event| created_blob(event, storage))
        .filter(|upload| known.insert(*upload))
        .collect();
    let left = uploads.len().saturating_sub(MOST);
    uploads.truncate(MOST);

    let taken = take_all(cx, storage, &uploads).await;
    if let Some(error) = taken.trouble {
        return Err(error);
    }
    let ignored = events.len().saturating_sub(taken.settled).saturating_sub(left);
    let mut told = Map::from_iter([
        ("accepted".to_owned(), taken.settled.into()),
        ("ignored".to_owned(), ignored.into()),
    ]);
    if left > 0 {
        told.insert("left".to_owned(), left.into());
    }
    Ok(told)
}

/// What an event says that it is, in either schema; nothing when it is no event.
pub(crate) fn kind(event: &Value) -> Option<&str> {
    event.get("eventType").or_else(|| event.get("type")).and_then(Value::as_str)
}

fn created_blob(event: &Value, storage: &Storage) -> Option<UploadId> {
    if kind(event) != Some("Microsoft.Storage.BlobCreated") {
        return None;
    }
    upload_of(storage.blob_of(event.pointer("/data/url")?.as_str()?)?)
}

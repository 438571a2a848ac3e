//! What storage announces: Event Grid's own schema and CloudEvents 1.0, one event or many.

use domain::{UploadId, upload_of};
use serde_json::{Value, json};
use service::{Context, Error, FieldFault, Reply, Result, blob::Storage};

use crate::sweep::take_all;

/// The handshake of CloudEvents over HTTP (webhook specification, section 4): anyone may deliver here who has the key.
pub(crate) fn handshake(cx: &Context) -> Reply {
    let origin = cx.header("webhook-request-origin").unwrap_or("*");
    Reply::empty(200)
        .header("webhook-allowed-origin", origin)
        .header("webhook-allowed-rate", "*")
        .header("allow", "OPTIONS, POST")
}

/// Takes up the blobs that were created. Event Grid never repeats what got 400, 401 or 413: what may work later is 503,
/// and what never will is recorded and answered with 200.
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
    if let Some(code) = events.iter().find_map(validation_code) {
        return Ok(Reply::json(200, &json!({"validationResponse": code})));
    }

    let storage = Storage::from_settings().await?;
    let announced: Vec<UploadId> = events.iter().filter_map(|event| created_blob(event, storage)).collect();
    let taken = take_all(cx, storage, &announced).await;
    match taken.trouble {
        Some(error) => Err(error),
        None => {
            let ignored = events.len() - taken.settled;
            Ok(Reply::success(200, &json!({"accepted": taken.settled, "ignored": ignored})))
        }
    }
}

fn kind(event: &Value) -> Option<&str> {
    event.get("eventType").or_else(|| event.get("type")).and_then(Value::as_str)
}

fn validation_code(event: &Value) -> Option<&str> {
    if kind(event) != Some("Microsoft.EventGrid.SubscriptionValidationEvent") {
        return None;
    }
    event.pointer("/data/validationCode").and_then(Value::as_str)
}

fn created_blob(event: &Value, storage: &Storage) -> Option<UploadId> {
    if kind(event) != Some("Microsoft.Storage.BlobCreated") {
        return None;
    }
    upload_of(storage.blob_of(event.pointer("/data/url")?.as_str()?)?)
}

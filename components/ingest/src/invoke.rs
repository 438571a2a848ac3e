//! What the host of Azure Functions hands over for a queue into which storage's events go.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use service::{Context, Error, Reply, Result, blob::Storage, setting};

use crate::event::{kind, take_up};

/// What Functions reads as success: nothing goes into another binding.
const DONE: &str = r#"{"Outputs":{},"Logs":[],"ReturnValue":null}"#;

/// How many wrappings a message may have: JSON in a text, that in base64, and again in a text as the host writes it.
const WRAPPINGS: usize = 4;

/// Who was let in by the front end of App Service, or by another proxy, carries one of these, whatever it sends itself.
const FORWARDED: [&str; 3] = ["x-arr-log-id", "x-forwarded-for", "forwarded"];

/// Takes up the blobs that a message of a queue announces. Whatever is not a success, Functions hands over again, five
/// times, and then puts aside: so only what may work later is an error. A message without events never will: it is
/// answered as one that is done, and since it names no upload, the log is where that is written down.
pub(crate) async fn invoke(cx: &Context) -> Result<Reply> {
    if !is_invocation(cx).await {
        cx.require_event_key().await?;
    }
    let events = match cx.document().await {
        Ok(envelope) => events_in(&envelope),
        Err(Error::Malformed(_) | Error::Invalid(_) | Error::NotJson | Error::TooLarge) => Vec::new(),
        Err(error) => return Err(error),
    };
    if events.is_empty() {
        cx.remark("an invocation held no event");
    } else {
        take_up(cx, Storage::from_settings().await?, &events).await?;
    }
    Ok(Reply::content(200, "application/json", DONE))
}

/// Whether the Functions host itself asks. It cannot send a key, so where the setting says that this runs behind it, it
/// needs none. It also passes on what clients ask, with their headers, and on a path that it reads out of theirs anew: of
/// `/api/%252e%252e/blob-created` that may be `/blob-created`. They need the key.
async fn is_invocation(cx: &Context) -> bool {
    setting("functions_trigger").await.is_ok_and(|value| value == "true")
        && !FORWARDED.iter().any(|header| cx.has_header(header))
}

/// The events in an envelope: `Data` holds the message, by the name of its binding.
fn events_in(envelope: &Value) -> Vec<Value> {
    let data = envelope.get("Data").and_then(Value::as_object);
    let messages = data.into_iter().flat_map(|data| data.values());
    messages.flat_map(|message| unwrapped(message.clone())).filter(|event| kind(event).is_some()).collect()
}

/// The event or the list of events that a message is, or is the text of.
fn unwrapped(mut message: Value) -> Vec<Value> {
    for _ in 0..=WRAPPINGS {
        message = match message {
            Value::Array(events) => return events,
            Value::Object(_) => return vec![message],
            Value::String(text) => read(text.trim()).unwrap_or_default(),
            _ => break,
        };
    }
    Vec::new()
}

fn read(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().or_else(|| serde_json::from_slice(&STANDARD.decode(text).ok()?).ok())
}

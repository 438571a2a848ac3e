use serde_json::{Value, json};
use service::{Context, Error, Reply, Result, blob::Storage};

/// How many events are sealed together at most; more are left to the next call.
const MOST: u32 = 10_000;
/// How many batches one call sends to storage at most.
const PUBLISHED: usize = 100;
/// More than a batch takes in storage, in bytes.
const LONGEST: u64 = 64 * 1024;

/// Seals the events that were written since the last time, and puts the hash of each batch into storage, where whoever can
/// change the database cannot change it. What storage cannot take now it gets the next time.
pub(crate) async fn seal(cx: &Context) -> Result<Reply> {
    cx.require_event_key().await?;
    let ask = json!({"most": MOST, "publish": PUBLISHED});
    let sealed = cx.call_as("seal", "*", "audit.seal", ask).await?;
    let unpublished = sealed.get("unpublished").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);

    let mut published = Vec::new();
    let mut trouble = None;
    for batch in unpublished {
        match publish(batch).await {
            Ok(()) => published.extend(batch.get("number").cloned()),
            // Storage is away for all of them.
            Err(error @ Error::Unavailable { .. }) => {
                trouble = Some(error);
                break;
            }
            Err(error) => trouble = trouble.or(Some(error)),
        }
    }
    if !published.is_empty() {
        cx.call_as("seal", "*", "audit.publish", json!({"numbers": published})).await?;
    }
    if let Some(error) = trouble {
        return Err(error);
    }
    let more = sealed.get("more") == Some(&Value::Bool(true)) || published.len() == PUBLISHED;
    Ok(Reply::success(
        200,
        &json!({"events": sealed.get("events"), "published": published.len(), "more": more}),
    ))
}

/// Puts one batch into storage. What is there already must be the same: it was sent before, and the answer lost.
async fn publish(batch: &Value) -> Result<()> {
    let text = |name: &str| batch.get(name).and_then(Value::as_str);
    let (Some(blob), Some(content)) = (text("blob"), text("text")) else {
        return Err(Error::Internal("audit.seal named no blob".to_owned()));
    };
    let storage = Storage::of_the_audit().await?;
    if storage.create(blob, content.to_owned()).await? {
        return Ok(());
    }
    match storage.read(blob, 0, LONGEST - 1, None).await? {
        Some(there) if there.bytes == content.as_bytes() => Ok(()),
        _ => Err(Error::Internal(format!(
            "{blob} in storage is not what the database has sealed: one of the two was tampered with. \
             Run `migrate audit verify`"
        ))),
    }
}

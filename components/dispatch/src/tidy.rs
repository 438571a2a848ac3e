//! What is to go, when nothing else is to be done.

use futures::{StreamExt, stream};
use serde_json::{Value, json};
use service::{Context, Error, Result, blob::Storage};

/// How many blobs one call removes from storage.
const BLOBS: usize = 50;
/// How many at once.
const AT_ONCE: usize = 8;
/// How long a blob that was taken is nobody else's, in seconds.
const LEASE: u32 = 300;
/// How many answers one call forgets.
const ANSWERS: usize = 1000;

/// How many events, and how many deliveries, one call forgets.
const TOLD: usize = 1000;
/// How long what was told is kept to be listed, in days. What somebody has to see to is kept until somebody has.
const KEPT: u32 = 90;

/// Removes the blobs of removed images whose time has come, and forgets what requests were answered a day ago and what
/// was told long ago. Whether there may be more.
pub(crate) async fn tidy(cx: &Context) -> Result<bool> {
    let told = cx.call_as("dispatch", "*", "dispatch.forget", json!({"most": TOLD, "days": KEPT})).await?;
    let forgotten = cx.call_as("dispatch", "*", "idempotency.forget_all", json!({"most": ANSWERS})).await?;
    let ask = json!({"most": BLOBS, "leaseSeconds": LEASE});
    let Value::Array(due) = cx.call_as("dispatch", "*", "images.take_removals", ask).await? else {
        return Err(Error::Internal("images.take_removals answered no list".to_owned()));
    };
    if !due.is_empty() {
        remove(cx, &due).await?;
    }
    let is_more = |answer: &Value| answer.get("more") == Some(&Value::Bool(true));
    Ok(due.len() == BLOBS || is_more(&forgotten) || is_more(&told))
}

async fn remove(cx: &Context, due: &[Value]) -> Result<()> {
    let storage = Storage::from_settings().await?;
    let removed: Vec<Result<&str>> = stream::iter(due.iter().filter_map(Value::as_str))
        .map(|blob| async move { storage.delete(blob).await.map(|()| blob) })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let gone: Vec<&str> = removed.iter().filter_map(|removed| removed.as_ref().ok().copied()).collect();
    cx.call_as("dispatch", "*", "images.removed", json!({"blobs": gone})).await?;
    removed.into_iter().try_for_each(|removed| removed.map(drop))
}

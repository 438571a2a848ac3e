use domain::{Right, UploadId};
use serde_json::{Value, json};
use service::{Context, Error, Reply, Result, blob::Storage};

/// What became of one upload; while it may still be sent, with a fresh URL to send it to.
pub(crate) async fn read(cx: &Context, upload: UploadId) -> Result<Reply> {
    let caller = cx.require(Right::Upload).await?;
    cx.query().finish()?;
    let mut ingest = caller.call("ingest.read", json!({"id": upload})).await?;
    let members =
        ingest.as_object_mut().ok_or_else(|| Error::Internal("an upload is an object".to_owned()))?;
    if members.remove("awaited") == Some(Value::Bool(true)) {
        let blob = members.get("blob").and_then(Value::as_str).unwrap_or_default();
        let grant = Storage::from_settings().await?.upload(blob)?;
        members.insert("upload".to_owned(), grant.as_upload());
    }
    Ok(Reply::ok("ingest", ingest))
}

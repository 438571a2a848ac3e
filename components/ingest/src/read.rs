use domain::{Right, UploadId};
use serde_json::{Value, json};
use service::{Context, Reply, Result, blob::Storage};

/// What became of one upload; while nothing has arrived, with a fresh URL to send it to.
pub(crate) async fn read(cx: &Context, upload: UploadId) -> Result<Reply> {
    let caller = cx.require(Right::Upload).await?;
    cx.query().finish()?;
    let mut ingest = caller.call("ingest.read", json!({"id": upload})).await?;
    let text = |name| ingest.get(name).and_then(Value::as_str).map(str::to_owned);
    if let (Some("EXPECTED"), Some(blob)) = (text("status").as_deref(), text("blob")) {
        let grant = Storage::from_settings().await?.upload(&blob)?;
        if let Some(members) = ingest.as_object_mut() {
            members.insert("upload".to_owned(), grant.as_upload());
        }
    }
    Ok(Reply::ok("ingest", ingest))
}

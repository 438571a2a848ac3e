use domain::{Right, UploadId};
use serde_json::{Value, json};
use service::{Authorized, Context, Error, Reply, Result, blob::Storage};

/// How long the file of an upload can be looked at that a person has to decide about.
const MINUTES: i64 = 15;

/// What became of one upload; while it may still be sent, with a fresh URL to send it to.
pub(crate) async fn read(cx: &Context, upload: UploadId) -> Result<Reply> {
    let caller = cx.require(Right::Upload).await?;
    cx.query().finish()?;
    answer(&caller, Storage::from_settings().await?, upload).await
}

pub(crate) async fn answer(caller: &Authorized<'_>, storage: &Storage, upload: UploadId) -> Result<Reply> {
    let mut ingest = caller.call("ingest.read", json!({"id": upload})).await?;
    let members =
        ingest.as_object_mut().ok_or_else(|| Error::Internal("an upload is an object".to_owned()))?;
    let blob = members.get("blob").and_then(Value::as_str).unwrap_or_default().to_owned();
    if members.remove("awaited") == Some(Value::Bool(true)) {
        members.insert("upload".to_owned(), storage.upload(&blob)?.as_upload());
    }
    // Who decides whose image it is has to see it. What is quarantined is not handed out.
    let may_look = caller.caller.reach(Right::ResolveUpload).is_some();
    if may_look && members.get("status").and_then(Value::as_str) == Some("CONFLICT") {
        let grant = storage.download(&blob, MINUTES)?;
        members.insert("file".to_owned(), json!({"url": grant.url, "expiresAt": grant.expires_at()}));
    }
    Ok(Reply::ok("ingest", ingest))
}

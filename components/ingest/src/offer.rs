use domain::{Count, EXPECTED_FOR, ExternalId, Right, UploadId, blob_name};
use serde_json::{Value, json};
use service::{Context, Error, Reply, Result, blob::Storage};

/// Offers a number of uploads to a sender that knows no study yet: what is sent says itself where it belongs.
pub(crate) async fn offer(cx: &Context) -> Result<Reply> {
    let caller = cx.require(Right::Upload).await?;
    let storage = Storage::from_settings().await?;

    let mut body = cx.body().await?;
    let count = body.optional::<Count<1, 1000>>("count").map_or(1, Count::get);
    body.finish()?;

    let uploads: Vec<Value> = (0..count)
        .map(|_| {
            let id = UploadId::mint();
            json!({"id": id, "blob": blob_name(id)})
        })
        .collect();
    let offered = caller
        .once(
            "ingest.offer",
            json!({
                "uploads": uploads,
                "facilityId": caller.caller.facilities.first().map_or("", ExternalId::as_str),
                "expectedFor": EXPECTED_FOR.to_string(),
            }),
        )
        .await?;
    let offered = offered.get("uploads").and_then(Value::as_array).into_iter().flatten();
    let uploads = offered.map(|offer| with_url(storage, offer)).collect::<Result<Vec<Value>>>()?;
    Ok(Reply::success(201, &json!({"uploads": uploads})).header("location", "/api/ingest"))
}

/// An upload that was offered, with a URL to send it to.
fn with_url(storage: &Storage, offer: &Value) -> Result<Value> {
    let blob = offer.get("blob").and_then(Value::as_str);
    let blob = blob.ok_or_else(|| Error::Internal("an upload without a blob".to_owned()))?;
    Ok(json!({"id": offer.get("id"), "upload": storage.upload(blob)?.as_upload()}))
}

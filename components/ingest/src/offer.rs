use domain::{Count, EXPECTED_FOR, ExternalId, Right, UploadId, blob_name};
use serde_json::{Value, json};
use service::{Context, Reply, Result, blob::Storage};

/// Offers a number of uploads to a sender that knows no study yet: what is sent says itself where it belongs.
pub(crate) async fn offer(cx: &Context) -> Result<Reply> {
    let caller = cx.require(Right::Upload).await?;
    let storage = Storage::from_settings().await?;

    let mut body = cx.body().await?;
    let count = body.optional::<Count<1, 1000>>("count").map_or(1, Count::get);
    body.finish()?;

    let uploads: Vec<(UploadId, String)> = (0..count)
        .map(|_| {
            let id = UploadId::mint();
            (id, blob_name(id))
        })
        .collect();
    let rows: Vec<Value> = uploads.iter().map(|(id, blob)| json!({"id": id, "blob": blob})).collect();
    caller
        .call(
            "ingest.offer",
            json!({
                "uploads": rows,
                "facilityId": caller.caller.facilities.first().map_or("", ExternalId::as_str),
                "expectedFor": EXPECTED_FOR.to_string(),
            }),
        )
        .await?;
    let offered = uploads
        .iter()
        .map(|(id, blob)| Ok(json!({"id": id, "upload": storage.upload(blob)?.as_upload()})))
        .collect::<Result<Vec<Value>>>()?;
    Ok(Reply::success(201, &json!({"uploads": offered})).header("location", "/api/ingest"))
}

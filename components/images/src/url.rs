use domain::{Count, ImageId, Right};
use serde_json::{Value, json};
use service::{Context, Error, Reply, Result, blob::Storage};

use crate::refusal;

/// A URL from which the image's bytes may be fetched for a while, and nothing else done.
pub(crate) async fn url(cx: &Context, image: ImageId) -> Result<Reply> {
    let caller = cx.require(Right::ReadImages).await?;
    let storage = Storage::from_settings().await?;

    let mut query = cx.query();
    let minutes = query.optional::<Count<1, 60>>("expires").map_or(15, Count::get);
    query.finish()?;

    let ask = json!({"id": image, "reach": caller.reach, "act": "image.url", "status": "STORED"});
    let image = caller.call("images.read", ask).await.map_err(refusal::explain)?;
    let blob = image.get("storageUrl").and_then(Value::as_str);
    let blob = blob.ok_or_else(|| Error::Internal("an image without a blob".to_owned()))?;
    let grant = storage.download(blob, minutes.into())?;
    Ok(Reply::success(200, &json!({"url": grant.url, "expiresAt": grant.expires_at()})))
}

use domain::{ImageId, Right, Role};
use serde_json::json;
use service::{Context, Reply, Result};

use crate::refusal;

/// How long the blob of a deleted image is kept, so that a mistake can be undone.
const RETENTION_DAYS: u32 = 30;

/// Takes an image out of its study. A technologist may, while there is no report; a radiologist always.
pub(crate) async fn remove(cx: &Context, image: ImageId) -> Result<Reply> {
    let caller = cx.require(Right::DeleteImage).await?;
    let ask = json!({
        "id": image,
        "reach": caller.reach,
        "ifVersion": cx.if_version()?,
        "onlyBeforeReport": caller.caller.role == Role::Technologist,
        "retentionDays": RETENTION_DAYS,
    });
    caller.call("images.remove", ask).await.map_err(refusal::explain)?;
    Ok(Reply::no_content())
}

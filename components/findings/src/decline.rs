use domain::{DeclineId, FindingId, FindingStatus, Prose, Right, sources};
use serde_json::json;
use service::{Context, Reply, Result};

use crate::refusal;

/// Declines a finding: it is not the caller's. Nothing about the finding changes, and somebody else is told of it.
pub(crate) async fn decline(cx: &Context, finding: FindingId) -> Result<Reply> {
    let caller = cx.require(Right::AcknowledgeFinding).await?;

    let mut body = cx.body().await?;
    let reason = body.required::<Prose>("reason");
    body.finish()?;

    let decline = DeclineId::mint();
    let reason = json!(reason);
    let sealed = caller.seal.fields("declines", decline, [("reason", Some(reason.clone()))])?;
    // What the audit keeps opens with the id of what was acted on.
    let audited = caller.seal.fields("findings", finding, [("reason", Some(reason))])?;
    let declined = caller
        .once(
            "findings.decline",
            json!({
                "id": finding,
                "decline": decline,
                "ifVersion": cx.if_version()?,
                "reach": caller.reach_of(Right::ReadFindings),
                "within": [caller.reach],
                "from": sources(FindingStatus::ALL, FindingStatus::step, FindingStatus::Acknowledged),
                "sealed": sealed,
                "audited": audited,
            }),
        )
        .await
        .map_err(refusal::explain)?;
    service::wake(cx).await;
    Ok(Reply::resource("finding", declined))
}

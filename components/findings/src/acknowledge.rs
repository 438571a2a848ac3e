use domain::{FOLLOW_UP_DONE, FindingId, FindingStatus, Line, Prose, Right, Severity, sources};
use serde_json::json;
use service::{Context, Reply, Result};

use crate::refusal;

/// Acknowledges a finding: a clinician, never the one who reported it, takes it on, once. A CRITICAL one is read back.
pub(crate) async fn acknowledge(cx: &Context, finding: FindingId) -> Result<Reply> {
    let caller = cx.require(Right::AcknowledgeFinding).await?;

    let mut body = cx.body_if_any().await?;
    let read_back = body.optional::<Prose>("readBack");
    // Kept as a text to show; who acknowledges is the token's holder.
    let acknowledged_by = body.optional::<Line>("acknowledgedBy");
    body.habit("status", FindingStatus::Acknowledged.as_str());
    body.finish()?;

    let sealed = caller.seal.fields("findings", finding, [("readBack", Some(json!(read_back)))])?;
    let acknowledged = caller
        .once(
            "findings.acknowledge",
            json!({
                "id": finding,
                "ifVersion": cx.if_version()?,
                "reach": caller.reach_of(Right::ReadFindings),
                "within": [caller.reach],
                "from": sources(FindingStatus::ALL, FindingStatus::step, FindingStatus::Acknowledged),
                "readBackFor": Severity::READ_BACK,
                "followUpDone": FOLLOW_UP_DONE,
                "acknowledgedBy": acknowledged_by,
                "sealed": sealed,
            }),
        )
        .await
        .map_err(refusal::explain)?;
    // Whoever was still to be told need not be.
    service::wake(cx).await;
    Ok(Reply::resource("finding", acknowledged))
}

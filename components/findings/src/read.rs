use domain::{FindingId, Right};
use serde_json::json;
use service::{Context, Reply, Result};

/// One finding with its study, every attempt to tell somebody of it, who is told next, and who has declined it.
pub(crate) async fn read(cx: &Context, finding: FindingId) -> Result<Reply> {
    let caller = cx.require(Right::ReadFindings).await?;
    cx.query().finish()?;
    let finding = caller.call("findings.read", json!({"id": finding, "reach": caller.reach})).await?;
    Ok(Reply::resource("finding", finding))
}

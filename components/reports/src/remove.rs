use domain::{ReportId, ReportStatus, Right, StudyStatus};
use serde_json::json;
use service::{Context, Reply, Result};

use crate::refusal;

/// Deletes a report that nobody has signed. What it said is kept, and read by nobody.
pub(crate) async fn remove(cx: &Context, report: ReportId) -> Result<Reply> {
    let caller = cx.require(Right::WriteReport).await?;
    let ask = json!({
        "id": report,
        "ifVersion": cx.if_version()?,
        "reach": caller.reach_of(Right::ReadReports),
        "within": [caller.reach],
        "from": ReportStatus::UNSIGNED,
        "follow": StudyStatus::follow(None),
    });
    caller.call("reports.remove", ask).await.map_err(refusal::explain(refusal::Act::Remove))?;
    Ok(Reply::no_content())
}

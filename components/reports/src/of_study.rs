use domain::{Right, StudyId};
use serde_json::json;
use service::{Context, Reply, Result};

/// The reports of a study that the caller may read, newest first.
pub(crate) async fn of_study(cx: &Context, study: StudyId) -> Result<Reply> {
    let caller = cx.require(Right::ReadReports).await?;
    cx.query().finish()?;
    let ask = json!({"studyId": study, "reach": caller.reach});
    Ok(Reply::ok("reports", caller.call("reports.list_of_study", ask).await?))
}

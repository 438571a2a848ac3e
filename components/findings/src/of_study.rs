use domain::{Right, StudyId};
use serde_json::{Value, json};
use service::{Context, Reply, Result};

/// The most findings that are answered, the newest of them; the rest is in the list, by page.
const MOST: usize = 1000;

/// The findings of one study that the caller may read, newest first.
pub(crate) async fn of_study(cx: &Context, study: StudyId) -> Result<Reply> {
    let caller = cx.require(Right::ReadFindings).await?;
    cx.query().finish()?;
    // One more than is shown says whether any are left out.
    let ask = json!({"studyId": study, "reach": caller.reach, "limit": MOST + 1});
    let mut findings = caller.call("findings.list_of_study", ask).await?;
    match &mut findings {
        Value::Array(listed) if listed.len() > MOST => {
            listed.truncate(MOST);
            Ok(Reply::success(200, &json!({"findings": findings, "findingsTruncated": true})))
        }
        _ => Ok(Reply::ok("findings", findings)),
    }
}

use domain::{Amendment, Line, Prose, ReportId, Right, Signature, Standing};
use serde_json::Map;
use service::{Context, Error, Reply, Result};

use crate::{
    content,
    revise::{Revision, revise},
};

/// Amends or corrects a signed report, with the reason. Whose report it is signs what it says from now on; what it
/// said before stays a version of it.
pub(crate) async fn amend(cx: &Context, report: ReportId) -> Result<Reply> {
    let caller = cx.require(Right::SignReport).await?;

    let mut body = cx.body().await?;
    let reason = body.required::<Prose>("amendmentReason");
    let kind = body.optional::<Amendment>("kind").unwrap_or(Amendment::Amended);
    let changes = content::changes(&mut body);
    let signed_by = body.optional::<Line>("signedBy");
    body.habit("status", kind.as_str());
    body.finish()?;

    let reason = reason.ok_or_else(|| Error::Internal("an amendment without a reason".to_owned()))?;
    let standing = Standing::Amended { kind, reason, signature: Signature::of(&caller.caller, signed_by) };
    let revision = Revision { function: "reports.amend", standing, changes, beside: Map::new() };
    let amended = revise(cx, &caller, report, revision).await?;
    service::wake(cx).await;
    Ok(Reply::resource("report", amended))
}

use domain::{Line, ReportId, Right, Signature, Standing, StudyStatus};
use serde_json::{Value, json};
use service::{Context, Reply, Result};

use crate::refusal;

/// Signs a report as it stands. Only the radiologist whom it names may.
pub(crate) async fn sign(cx: &Context, report: ReportId) -> Result<Reply> {
    let caller = cx.require(Right::SignReport).await?;

    let mut body = cx.body_if_any().await?;
    let signed_by = body.optional::<Line>("signedBy");
    body.habit("status", "FINAL");
    body.finish()?;

    let standing = Standing::Final { signature: Signature::of(&caller.caller, signed_by) };
    let mut ask = standing.step();
    ask.extend([
        ("id".to_owned(), json!(report)),
        ("ifVersion".to_owned(), json!(cx.if_version()?)),
        ("reach".to_owned(), caller.reach_of(Right::ReadReports)),
        ("within".to_owned(), json!([caller.reach])),
        ("follow".to_owned(), StudyStatus::follow(Some(standing.status()))),
    ]);
    let signed = caller
        .once("reports.sign", Value::Object(ask))
        .await
        .map_err(refusal::explain(refusal::Act::Bring(standing.status())))?;
    service::wake(cx).await;
    Ok(Reply::resource("report", signed))
}

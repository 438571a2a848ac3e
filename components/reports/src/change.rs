use domain::{ExternalId, Line, Moment, ReportId, Right, Standing};
use serde_json::{Map, json};
use service::{Context, Reply, Result};

use crate::{
    content,
    revise::{Revision, revise},
};

/// Changes what a report says that nobody has signed, or whose it is to sign. Once it is signed, it is amended.
pub(crate) async fn change(cx: &Context, report: ReportId) -> Result<Reply> {
    let caller = cx.require(Right::WriteReport).await?;

    let mut body = cx.body().await?;
    let mut changes = content::changes(&mut body);
    let radiologist_id = body.optional::<ExternalId>("radiologistId");
    let radiologist_name = body.optional::<Line>("radiologistName");
    let transcribed_by = body.clearable::<Line>("transcribedBy");
    let transcribed_at = body.clearable::<Moment>("transcribedAt");
    body.habit("status", "PRELIMINARY");
    if radiologist_id.is_some() && radiologist_name.is_none() && body.is_sound() {
        body.fault("radiologistName", "is required with radiologistId");
    }
    let mut beside = Map::new();
    if let Some(transcribed_by) = transcribed_by {
        beside.insert("transcribedBy".to_owned(), json!(transcribed_by));
    }
    if let Some(transcribed_at) = transcribed_at {
        beside.insert("transcribedAt".to_owned(), json!(transcribed_at));
    }
    if let Some(radiologist_id) = radiologist_id {
        changes.insert("radiologistId".to_owned(), json!(radiologist_id));
    }
    if let Some(radiologist_name) = radiologist_name {
        changes.insert("radiologistName".to_owned(), json!(radiologist_name));
    }
    if changes.is_empty() && beside.is_empty() && body.is_sound() {
        body.fault("body", "must change something: a text, or whose the report is");
    }
    body.finish()?;

    let revision = Revision { function: "reports.change", standing: Standing::Preliminary, changes, beside };
    Ok(Reply::resource("report", revise(cx, &caller, report, revision).await?))
}

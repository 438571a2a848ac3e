use domain::{
    CriticalResults, FindingId, FindingSource, FindingStatus, Line, Prose, Recipients, ReportId, Right,
    Severity, StudyId, StudyStatus,
};
use serde_json::{Value, json};
use service::{Context, Reply, Result};

use crate::refusal;

/// Raises a critical finding of a study: with it come the deadlines by which somebody else is told.
pub(crate) async fn raise(cx: &Context) -> Result<Reply> {
    let caller = cx.require(Right::RaiseFinding).await?;

    let mut body = cx.body().await?;
    let study_id = body.required::<StudyId>("studyId");
    let report_id = body.optional::<ReportId>("reportId");
    let finding = body.required::<Prose>("finding");
    let severity = body.required::<Severity>("severity");
    let category = body.required::<Line>("category");
    let body_part = body.optional::<Line>("bodyPart");
    let notified_to = body.optional::<Recipients>("notifiedTo").unwrap_or_default();
    let follow_up_required = body.optional::<bool>("followUpRequired").unwrap_or(true);
    let follow_up_action = body.optional::<Prose>("followUpAction");
    let follow_up_status = body.optional::<Line>("followUpStatus");
    let notes = body.optional::<Prose>("notes");
    // Kept as a text to show; who reports it is the token's holder.
    let reported_by = body.optional::<Line>("reportedBy");
    body.habit("status", FindingStatus::Open.as_str());
    body.habit("source", FindingSource::Radiologist.as_str());
    body.finish()?;

    let id = FindingId::mint();
    let sealed = caller.seal.fields(
        "findings",
        id,
        [
            ("finding", Some(json!(finding))),
            ("followUpAction", Some(json!(follow_up_action))),
            ("notes", Some(json!(notes))),
        ],
    )?;
    let studies: Vec<_> =
        StudyStatus::ALL.iter().filter(|status| **status != StudyStatus::Cancelled).collect();
    let raised = caller
        .once(
            "findings.raise",
            json!({
                "id": id,
                "reach": caller.reach,
                "studyId": study_id,
                "reportId": report_id,
                "severity": severity,
                "category": category,
                "bodyPart": body_part,
                "notifiedTo": notified_to,
                "followUpRequired": follow_up_required,
                "followUpStatus": follow_up_status,
                "reportedBy": reported_by,
                "source": FindingSource::Radiologist,
                "sealed": sealed,
                "studies": studies,
                "defaults": CriticalResults::default(),
            }),
        )
        .await
        .map_err(refusal::explain)?;
    service::wake(cx).await;
    let location =
        format!("/api/critical-findings/{}", raised.get("id").and_then(Value::as_str).unwrap_or_default());
    Ok(Reply::created("finding", raised, &location))
}

use domain::{
    Content, ExternalId, FirstStatus, Line, Moment, ReportId, Right, Signature, Standing, StudyId,
    StudyStatus,
};
use serde_json::{Value, json};
use service::{Authorized, Context, Error, Reply, Result};

use crate::{content, refusal};

/// Writes a report of a study whose images are all there: unsigned, also for another radiologist to sign, or signed
/// by the radiologist who writes it.
pub(crate) async fn write(cx: &Context) -> Result<Reply> {
    let caller = cx.require(Right::WriteReport).await?;

    let mut body = cx.body().await?;
    let study = body.required::<StudyId>("studyId");
    let said = content::first(&mut body);
    let status = body.optional::<FirstStatus>("status").unwrap_or(FirstStatus::Preliminary);
    let signed_by = body.optional::<Line>("signedBy");
    let transcribed_by = body.optional::<Line>("transcribedBy");
    let transcribed_at = body.optional::<Moment>("transcribedAt");
    body.finish()?;

    let standing = match status {
        // Nobody has signed it, whatever name was sent along.
        FirstStatus::Preliminary => Standing::Preliminary,
        FirstStatus::Final => {
            Standing::Final { signature: sign(&caller, said.get("radiologistId"), signed_by)? }
        }
    };
    let id = ReportId::mint();
    let study = study.ok_or_else(|| Error::Internal("a report without a study".to_owned()))?;
    let content = Content::default().with(|field| said.get(field));
    let mut ask = standing.step();
    ask.extend(content::in_clear(&said));
    ask.extend([
        ("id".to_owned(), json!(id)),
        ("studyId".to_owned(), json!(study)),
        ("transcribedBy".to_owned(), json!(transcribed_by)),
        ("transcribedAt".to_owned(), json!(transcribed_at)),
        ("contentHash".to_owned(), json!(content::hash(&caller.seal, id, study, &content)?)),
        ("sealed".to_owned(), Value::Object(content::seal(&caller.seal, id, &said)?)),
        ("reportable".to_owned(), json!(StudyStatus::REPORTABLE)),
        ("follow".to_owned(), StudyStatus::follow(Some(standing.status()))),
    ]);
    let report = caller
        .once("reports.write", Value::Object(ask))
        .await
        .map_err(refusal::explain(refusal::Act::Bring(standing.status())))?;
    service::wake(cx).await;
    let location = format!("/api/reports/{}", report.get("id").and_then(Value::as_str).unwrap_or_default());
    Ok(Reply::created("report", report, &location))
}

/// The caller's signature under a report of their own.
fn sign(caller: &Authorized<'_>, radiologist: Option<&Value>, shown_as: Option<Line>) -> Result<Signature> {
    let reach = caller.also(Right::SignReport)?;
    let radiologist = radiologist.and_then(Value::as_str).and_then(|id| ExternalId::try_from(id).ok());
    if !radiologist.is_some_and(|radiologist| reach.includes_radiologist(&radiologist)) {
        return Err(Error::Forbidden(
            "A report is signed by the radiologist whom it names, and nobody else.",
        ));
    }
    Ok(Signature::of(&caller.caller, shown_as))
}

//! What a structured report states, as the findings that an organization's rules raise about it.

use domain::{CriticalResults, FindingId, FindingRules, FindingSource, Raised, dicom::StructuredReport};
use serde_json::{Value, json};
use service::{Context, Error, Result, seal::Seal};

/// The findings that a report raises by the rules of this moment, as `findings.raise_stated` takes them.
pub(crate) async fn stated(
    cx: &Context,
    organization: &str,
    report: &StructuredReport,
    seal: &Seal,
) -> Result<Value> {
    if report.statements.is_empty() {
        return Ok(json!([]));
    }
    let document = cx.call_as("ingest", organization, "findings.rules_in_force", json!({})).await?;
    let raised = rules_of(&document)?.raise(report);
    let defaults = json!(CriticalResults::default());
    raised.iter().map(|raised| finding(raised, &defaults, seal)).collect()
}

/// The rules of a document that was checked when it was put in force; of an empty one the defaults.
pub(crate) fn rules_of(document: &Value) -> Result<FindingRules> {
    match document.as_object().filter(|document| !document.is_empty()) {
        Some(document) => FindingRules::read(document)
            .map_err(|_| Error::Internal("the finding rules in force cannot be read".to_owned())),
        None => Ok(FindingRules::default()),
    }
}

fn finding(raised: &Raised, defaults: &Value, seal: &Seal) -> Result<Value> {
    let id = FindingId::mint();
    let texts = [("finding", Some(json!(raised.finding))), ("code", Some(json!(raised.code)))];
    Ok(json!({
        "id": id,
        "key": raised.key,
        "severity": raised.severity,
        "category": raised.category,
        "bodyPart": raised.body_part,
        "reportedBy": raised.reported_by(),
        "followUpRequired": true,
        "source": FindingSource::Dicom,
        "dicom": origin(raised),
        "sealed": seal.fields("findings", id, texts)?,
        "defaults": defaults,
    }))
}

/// Where a finding comes from: UIDs, a rule, and what a machine is called. Nothing of it is about a patient.
pub(crate) fn origin(raised: &Raised) -> Value {
    json!({
        "sopInstanceUID": raised.sop_instance_uid,
        "rule": raised.rule,
        "images": raised.images,
        "trackingUID": raised.tracking_uid,
        "path": raised.path,
        "algorithm": raised.algorithm,
        "score": raised.score,
        "isPartial": raised.is_partial,
        "isUnverified": raised.is_unverified,
    })
}

//! What is done with a blob that has arrived, however it was found. It is done once, however often it is found.

use domain::{ImageId, IngestStatus, StudyId, UploadId};
use serde_json::{Value, json};
use service::{Context, Error, Result, blob::Storage, seal::Seal};

use crate::{filing, header};

/// Under what name ingest appears in the audit.
const ACTOR: &str = "ingest";

/// Reads the header of an upload's blob and files the image, or writes down why not. Answers what became of it, or
/// nothing when no such upload was ever offered. What is transient is an error, and is tried again by event or sweep.
pub(crate) async fn take(cx: &Context, storage: &Storage, upload: UploadId) -> Result<Option<String>> {
    let begun = match cx.call_as(ACTOR, "*", "ingest.begin", json!({"id": upload})).await {
        Err(Error::NotFound) => return Ok(None),
        begun => begun?,
    };
    if let Some(settled) = text(&begun, "settled") {
        return Ok(Some(settled));
    }
    let (Some(organization), Some(blob)) = (text(&begun, "organization"), text(&begun, "blob")) else {
        return Err(Error::Internal("ingest.begin named no blob".to_owned()));
    };

    let read = match header::read(storage, &blob).await {
        Ok(Some(read)) => read,
        // Announced, but not there; or not to be had now. Either way the row waits as before.
        Ok(None) => return settle(cx, &organization, upload, IngestStatus::Expected, None, None).await,
        Err(error) => {
            settle(cx, &organization, upload, IngestStatus::Expected, None, None).await?;
            return Err(error);
        }
    };
    let header = match &read.header {
        Ok(header) => header,
        Err(reason) => {
            let (reason, size) = (Some(reason.code()), Some(read.size));
            return settle(cx, &organization, upload, IngestStatus::Quarantined, reason, size).await;
        }
    };

    let seal = Seal::of(&organization).await?;
    let image = text(&begun, "image").and_then(|id| id.parse().ok()).unwrap_or_else(ImageId::mint);
    let file = async |image| {
        cx.call_as(ACTOR, &organization, "ingest.file", filing::ask(upload, image, &read, header, &seal)?)
            .await
    };
    let mut filed = file(image).await?;
    // Announced by another upload than this one: what is sealed has to be sealed for the image's own row.
    if let Some(announced) = text(&filed, "announced").and_then(|id| id.parse().ok()) {
        filed = file(announced).await?;
    }
    if let Some(fill) = missing_of_patient(&filed, header, &seal)? {
        cx.call_as(ACTOR, &organization, "studies.fill", fill).await?;
    }
    Ok(text(&filed, "settled"))
}

async fn settle(
    cx: &Context,
    organization: &str,
    upload: UploadId,
    status: IngestStatus,
    reason: Option<&str>,
    size: Option<u64>,
) -> Result<Option<String>> {
    let ask = json!({"id": upload, "status": status, "reason": reason, "size": size});
    let settled = cx.call_as(ACTOR, organization, "ingest.settle", ask).await?;
    Ok(text(&settled, "settled"))
}

fn missing_of_patient(filed: &Value, header: &domain::dicom::Header, seal: &Seal) -> Result<Option<Value>> {
    let missing: Vec<&str> = filed
        .get("missing")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let study: Option<StudyId> = text(filed, "study").and_then(|id| id.parse().ok());
    match study {
        Some(study) if !missing.is_empty() => filing::fill(study, &missing, &header.facts.patient, seal),
        _ => Ok(None),
    }
}

fn text(document: &Value, name: &str) -> Option<String> {
    document.get(name).and_then(Value::as_str).map(str::to_owned)
}

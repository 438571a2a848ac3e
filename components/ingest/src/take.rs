//! What is done with a blob that has arrived, however it was found. It is done once, however often it is found.

use domain::{ImageId, IngestStatus, UploadId};
use serde_json::{Value, json};
use service::{Context, Error, Result, blob::Storage, seal::Seal};

use crate::{compare, filing::Filing, header, statements};

/// Under what name ingest appears in the audit.
const ACTOR: &str = "ingest";
/// How often an image is offered for filing, each time with what was asked for the time before: its row, its study's, a
/// comparison, and each again when somebody was faster.
const TRIES: usize = 6;

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

    let arrival = Arrival { cx, organization, upload, blob };
    let image = text(&begun, "image").and_then(|id| id.parse().ok());
    match arrival.file(storage, image).await {
        // Not to be had now, and not for what it is: it waits as before. Whatever else went wrong counts against it.
        Err(error @ Error::Unavailable { .. }) => {
            arrival.settle(IngestStatus::Expected, None, None).await?;
            Err(error)
        }
        filed => filed,
    }
}

/// An upload that has arrived and was taken up.
struct Arrival<'a> {
    cx: &'a Context,
    organization: String,
    upload: UploadId,
    blob: String,
}

impl Arrival<'_> {
    async fn file(&self, storage: &Storage, announced: Option<ImageId>) -> Result<Option<String>> {
        let read = match header::read(storage, &self.blob).await {
            Ok(Some(read)) => read,
            // Announced, but not there.
            Ok(None) => return self.settle(IngestStatus::Expected, None, None).await,
            Err(Error::Conflict { .. }) => {
                return self.settle(IngestStatus::Quarantined, Some("unreadable"), None).await;
            }
            Err(error) => return Err(error),
        };
        let header = match &read.header {
            Ok(header) => header,
            Err(reason) => {
                return self.settle(IngestStatus::Quarantined, Some(reason.code()), Some(read.size)).await;
            }
        };

        let seal = Seal::of(&self.organization).await?;
        let image = announced.unwrap_or_else(ImageId::mint);
        let mut states = false;
        let mut filing = Filing::new(self.upload, image, &read, header, &seal)?;
        match &read.report {
            Some(Ok(report)) => {
                let stated = statements::stated(self.cx, &self.organization, report, &seal).await?;
                states = stated.as_array().is_some_and(|stated| !stated.is_empty());
                filing.states(stated);
                if report.is_incomplete {
                    filing.remarks("findings_read_in_part");
                }
            }
            // It is filed, though nobody can tell what it states: a person has to read it.
            Some(Err(_)) => filing.remarks("findings_not_read"),
            None => {}
        }
        for _ in 0..TRIES {
            let filed = self.call("ingest.file", filing.ask()).await?;
            if let Some(image) = text(&filed, "announced").and_then(|id| id.parse().ok()) {
                filing.is_image(image)?;
            } else if let Some(study) = text(&filed, "fill").and_then(|id| id.parse().ok()) {
                filing.fills(study)?;
            } else if let Some(stored) = text(&filed, "compare") {
                let same = compare::is_same(storage, &self.blob, &stored, read.size).await?;
                filing.was_compared(&stored, same);
            } else {
                if states {
                    service::wake(self.cx).await;
                }
                return Ok(text(&filed, "settled"));
            }
        }
        // Others change what it depends on: it is tried again.
        Err(Error::Unavailable { what: "The study", cause: "an image could not be filed in time".to_owned() })
    }

    async fn settle(
        &self,
        status: IngestStatus,
        reason: Option<&str>,
        size: Option<u64>,
    ) -> Result<Option<String>> {
        let ask = json!({"id": self.upload, "status": status, "reason": reason, "size": size});
        Ok(text(&self.call("ingest.settle", ask).await?, "settled"))
    }

    async fn call(&self, function: &str, ask: Value) -> Result<Value> {
        self.cx.call_as(ACTOR, &self.organization, function, ask).await
    }
}

fn text(document: &Value, name: &str) -> Option<String> {
    document.get(name).and_then(Value::as_str).map(str::to_owned)
}

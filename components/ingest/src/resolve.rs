use domain::{IngestStatus, Resolution, Right, StudyId, UploadId};
use serde_json::json;
use service::{Context, Error, Reply, Result, blob::Storage};

use crate::{read, take::take};

/// A person decides what becomes of an upload that could not be filed by itself. What is to be filed is filed at once; if that
/// is not possible now, the decision is kept, and the sweep does it.
pub(crate) async fn resolve(cx: &Context, upload: UploadId) -> Result<Reply> {
    let caller = cx.require(Right::ResolveUpload).await?;
    let storage = Storage::from_settings().await?;

    let mut body = cx.body().await?;
    let action = body.required::<Resolution>("action");
    let study = match action {
        Some(Resolution::Attach) => body.required::<StudyId>("studyId"),
        _ => None,
    };
    body.finish()?;
    let Some(action) = action else { return Err(Error::invalid("action", "is required")) };

    caller
        .once(
            "ingest.resolve",
            json!({
                "id": upload,
                "action": action,
                "studyId": study,
                "studies": caller.reach_of(Right::ReadStudies),
                "facilityId": caller.caller.facilities.first(),
                "from": action.of(),
            }),
        )
        .await
        .map_err(|error| explain(error, action))?;
    if action != Resolution::Reject {
        match take(cx, storage, upload).await {
            Ok(_) | Err(Error::Unavailable { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    read::answer(&caller, storage, upload).await
}

fn explain(error: Error, action: Resolution) -> Error {
    let Error::Refused(refusal) = error else { return error };
    let current = refusal.text("current");
    match refusal.code.as_str() {
        "transition" => {
            let possible = current.parse::<IngestStatus>().map(Resolution::possible).unwrap_or_default();
            // Whose image was deleted is gone for good.
            let is_gone = refusal.text("reason") == "image_deleted";
            let allowed =
                possible.iter().filter(|_| !is_gone).map(ToString::to_string).collect::<Vec<String>>();
            Error::illegal_transition(
                "ingest_not_resolvable".to_owned(),
                format!("The upload is {current}, and {action} cannot be decided about it."),
                current,
                allowed,
            )
        }
        "instance_exists" => Error::conflict(
            "instance_exists",
            "An instance of this UID is stored in another place. Reject this one, or delete that one and retry.",
        ),
        _ => Error::Refused(refusal),
    }
}

use domain::{
    Count, EXPECTED_FOR, ExternalId, ImageId, Line, Right, StudyId, StudyStatus, UploadId, blob_name,
    dicom::Uid, upload_of,
};
use serde_json::{Map, Value, json};
use service::{Context, Error, Reply, Result, blob::Storage};

use crate::refusal;

/// What the contract says of an image that has a column or a check of its own; the rest are attributes.
const TEXTS: [&str; 10] = [
    "imageType",
    "photometricInterpretation",
    "pixelSpacing",
    "imagePosition",
    "imageOrientation",
    "acquisitionDate",
    "acquisitionTime",
    "contentDate",
    "contentTime",
    "seriesDescription",
];
const COUNTS: [&str; 4] = ["rows", "columns", "bitsAllocated", "bitsStored"];
const NUMBERS: [&str; 4] = ["sliceThickness", "sliceLocation", "windowCenter", "windowWidth"];

/// Registers one image before its bytes arrive, and answers the URL to send them to. The same image again, while
/// nothing has arrived, is answered with a fresh URL.
pub(crate) async fn register(cx: &Context, study: StudyId) -> Result<Reply> {
    let caller = cx.require(Right::Upload).await?;
    let storage = Storage::from_settings().await?;

    let mut body = cx.body().await?;
    body.habit("studyId", &study.to_string());
    body.habit("status", "EXPECTED");
    let series_instance_uid = body.required::<Uid>("seriesInstanceUID");
    let sop_instance_uid = body.required::<Uid>("sopInstanceUID");
    let instance_number = body.required::<i32>("instanceNumber");
    let series_number = body.required::<i32>("seriesNumber");
    let transfer_syntax_uid = body.optional::<Uid>("transferSyntaxUID");
    let file_size = body.optional::<i64>("fileSize");
    let thumbnail_url = body.optional::<Line>("thumbnailUrl");
    let storage_url = body.optional::<domain::Text<2048>>("storageUrl");
    let metadata = body.optional::<Map<String, Value>>("metadata");
    let mut attributes = Map::new();
    for name in TEXTS {
        attributes.insert(name.to_owned(), json!(body.optional::<Line>(name)));
    }
    for name in COUNTS {
        attributes.insert(name.to_owned(), json!(body.optional::<Count<0, 65_535>>(name)));
    }
    for name in NUMBERS {
        attributes.insert(name.to_owned(), json!(body.optional::<f64>(name)));
    }
    if file_size.is_some_and(|size| size < 0) {
        body.fault("fileSize", "must be a number of bytes");
    }
    let claim = storage_url.as_ref().and_then(|url| storage.blob_of(url.as_str())).and_then(upload_of);
    if storage_url.is_some() && claim.is_none() {
        body.fault("storageUrl", "is not an upload of this organization that still waits");
    }
    body.finish()?;

    let id = ImageId::mint();
    let upload = UploadId::mint();
    let image = caller
        .once(
            "images.register",
            json!({
                "id": id,
                "studyId": study,
                "reach": caller.reach_of(Right::ReadStudies),
                "within": [caller.reach],
                "open": StudyStatus::ALL.iter().filter(|status| **status != StudyStatus::Cancelled).collect::<Vec<_>>(),
                "seriesInstanceUID": series_instance_uid,
                "sopInstanceUID": sop_instance_uid,
                "seriesNumber": series_number,
                "instanceNumber": instance_number,
                "transferSyntaxUID": transfer_syntax_uid,
                "fileSize": file_size,
                "thumbnailUrl": thumbnail_url,
                "attributes": attributes,
                "sealed": caller.seal.fields("images", id, [("metadata", metadata.map(Value::Object))])?,
                "claim": claim,
                "upload": {
                    "id": upload,
                    "blob": blob_name(upload),
                    "facilityId": caller.caller.facilities.first().map_or("", ExternalId::as_str),
                    "expectedFor": EXPECTED_FOR.to_string(),
                },
            }),
        )
        .await
        .map_err(refusal::explain)?;

    let location = format!("/api/images/{}", image.get("id").and_then(Value::as_str).unwrap_or_default());
    // What a blob holds that is there already is not sent again.
    let upload = match claim {
        Some(_) => Value::Null,
        None => {
            let name = image.get("storageUrl").and_then(Value::as_str);
            let name = name.ok_or_else(|| Error::Internal("an image without a blob".to_owned()))?;
            storage.upload(name)?.as_upload()
        }
    };
    let version = image.get("version").and_then(Value::as_i64);
    Ok(Reply::success(201, &json!({"image": image, "upload": upload}))
        .header("location", &location)
        .etag(version))
}

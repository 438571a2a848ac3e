use domain::{ImageId, Right};
use serde_json::{Map, Value, json};
use service::{Context, Error, FieldFault, Reply, Result};

use crate::read::with_metadata;

/// The most that people may add to one image, in bytes of JSON.
const MOST: usize = 256 * 1024;

/// How often a change is made again that somebody else's came in between of.
const TRIES: u32 = 5;

/// Adds to an image's metadata. A member that is null is taken out; what the file itself says cannot be changed.
///
/// Metadata is sealed, so it is read, merged here and put back under the version that was read.
pub(crate) async fn annotate(cx: &Context, image: ImageId) -> Result<Reply> {
    let caller = cx.require(Right::Upload).await?;
    let mut body = cx.body().await?;
    let added = body.required::<Map<String, Value>>("metadata").unwrap_or_default();
    body.finish()?;
    let wanted = cx.if_version()?;

    for _ in 0..TRIES {
        let read = caller
            .call("images.read", json!({"id": image, "reach": caller.reach, "act": "image.read"}))
            .await?;
        let version = read.get("version").and_then(Value::as_i64).unwrap_or_default();
        if wanted.as_ref().is_some_and(|wanted| !wanted.contains(&version)) {
            return Err(Error::Stale { version });
        }
        refuse_tags_of_the_file(&read, &added)?;
        let merged = merge(read.get("metadata"), &added);
        if merged.to_string().len() > MOST {
            return Err(Error::invalid("metadata", "would be more than 256 KiB in all"));
        }
        let ask = json!({
            "id": image,
            "reach": caller.reach,
            "ifVersion": version,
            "sealed": caller.seal.fields("images", image, [("metadata", Some(merged))])?,
        });
        match caller.call("images.annotate", ask).await {
            Err(Error::Stale { .. }) => {}
            changed => return Ok(Reply::resource("image", with_metadata(changed?))),
        }
    }
    Err(Error::conflict("image_busy", "Others are changing this image. Try again."))
}

fn refuse_tags_of_the_file(image: &Value, added: &Map<String, Value>) -> Result<()> {
    let from_file = image.get("dicom").and_then(Value::as_object);
    let faults: Vec<FieldFault> = added
        .keys()
        .filter(|key| from_file.is_some_and(|from_file| from_file.contains_key(*key)))
        .map(|key| {
            FieldFault::new(format!("metadata.{key}"), "was read from the DICOM file and cannot be changed")
        })
        .collect();
    if faults.is_empty() { Ok(()) } else { Err(Error::Invalid(faults)) }
}

fn merge(before: Option<&Value>, added: &Map<String, Value>) -> Value {
    let mut merged = before.and_then(Value::as_object).cloned().unwrap_or_default();
    for (key, value) in added {
        if value.is_null() {
            merged.remove(key);
        } else {
            merged.insert(key.clone(), value.clone());
        }
    }
    Value::Object(merged)
}

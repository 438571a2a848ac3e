use domain::{ImageId, Right};
use serde_json::{Map, Value, json};
use service::{Context, Reply, Result};

/// One image, with its metadata and what a viewer shows of its study.
pub(crate) async fn read(cx: &Context, image: ImageId) -> Result<Reply> {
    let caller = cx.require(Right::ReadImages).await?;
    cx.query().finish()?;
    let image =
        caller.call("images.read", json!({"id": image, "reach": caller.reach, "act": "image.read"})).await?;
    Ok(Reply::resource("image", with_metadata(image)))
}

/// Joins what the file says (`dicom`) and what people added (`metadata`) as the wire shows them. The file is right.
pub(crate) fn with_metadata(mut image: Value) -> Value {
    let Some(members) = image.as_object_mut() else { return image };
    let from_file = members.remove("dicom");
    let added = members.remove("metadata").filter(|added| !added.is_null());
    let metadata = match (from_file, added) {
        (None, None) => Value::Null,
        (from_file, added) => {
            let both = [added, from_file].into_iter().flatten().filter_map(|part| match part {
                Value::Object(members) => Some(members),
                _ => None,
            });
            Value::Object(both.flatten().collect::<Map<_, _>>())
        }
    };
    members.insert("metadata".to_owned(), metadata);
    image
}

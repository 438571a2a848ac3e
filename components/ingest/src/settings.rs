use domain::{IngestSettings, Right};
use serde_json::{Value, json};
use service::{Context, Error, FieldFault, Reply, Result};

/// What the organization wants done with what arrives; the defaults, as version 0, until somebody has changed them.
pub(crate) async fn read(cx: &Context) -> Result<Reply> {
    let caller = cx.require(Right::Administer).await?;
    cx.query().finish()?;
    let settings =
        caller.call("ingest.read_settings", json!({"defaults": IngestSettings::default()})).await?;
    Ok(Reply::resource("settings", settings))
}

/// Puts other settings in the place of the ones in force, as a whole. Every version is kept.
pub(crate) async fn change(cx: &Context) -> Result<Reply> {
    let caller = cx.require(Right::Administer).await?;

    let Value::Object(document) = cx.document().await? else {
        return Err(Error::Malformed(vec![FieldFault::new("body", "must be a JSON object")]));
    };
    let settings = IngestSettings::read(&document).map_err(|faults| {
        Error::Invalid(faults.into_iter().map(|(field, fault)| FieldFault::new(field, fault)).collect())
    })?;

    let ask = json!({"ifVersion": cx.if_version()?, "document": settings});
    Ok(Reply::resource("settings", caller.call("ingest.change_settings", ask).await?))
}

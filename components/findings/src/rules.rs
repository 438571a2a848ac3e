use domain::{FindingRules, Right};
use serde_json::{Value, json};
use service::{Context, Error, FieldFault, Reply, Result};

/// Which statements of structured reports raise a finding; the defaults, as version 0, until somebody has changed them.
pub(crate) async fn read(cx: &Context) -> Result<Reply> {
    let caller = cx.require(Right::Administer).await?;
    cx.query().finish()?;
    let rules = caller.call("findings.read_rules", json!({"defaults": FindingRules::default()})).await?;
    Ok(Reply::resource("rules", rules))
}

/// Puts other rules in the place of the ones in force, as a whole. Every version is kept.
pub(crate) async fn change(cx: &Context) -> Result<Reply> {
    let caller = cx.require(Right::Administer).await?;

    let Value::Object(document) = cx.document().await? else {
        return Err(Error::Malformed(vec![FieldFault::new("body", "must be a JSON object")]));
    };
    let rules = FindingRules::read(&document).map_err(|faults| {
        Error::Invalid(faults.into_iter().map(|(field, fault)| FieldFault::new(field, fault)).collect())
    })?;

    let ask = json!({"ifVersion": cx.if_version()?, "document": rules});
    Ok(Reply::resource("rules", caller.call("findings.change_rules", ask).await?))
}

use domain::{
    Fault, FindingRules, ImageId, Parse, Raised, Right,
    dicom::{StructuredReport, Uid, is_structured_report},
};
use serde_json::{Map, Value, json};
use service::{Context, Error, Reply, Result, blob::Storage};

use crate::{header, statements};

/// Shows what rules would raise on a stored structured report: those that are sent, or else those in force. Nothing is
/// raised, and nothing of what the report says about the patient is shown.
pub(crate) async fn dry_run(cx: &Context) -> Result<Reply> {
    let caller = cx.require(Right::Administer).await?;

    let mut body = cx.body().await?;
    let image = body.required::<ImageId>("imageId");
    let rules = body.optional::<Rules>("rules").and_then(|Rules(rules)| {
        let faults = match FindingRules::read(&Map::from_iter([("rules".to_owned(), rules)])) {
            Ok(rules) => return Some(rules),
            Err(faults) => faults,
        };
        faults.into_iter().for_each(|(field, fault)| body.fault(&field, fault));
        None
    });
    body.finish()?;

    let found = caller.call("ingest.find_report", json!({"imageId": image})).await?;
    let text = |name: &str| found.get(name).and_then(Value::as_str).unwrap_or_default();
    if !Uid::read(text("sopClassUID")).is_ok_and(|class| is_structured_report(&class)) {
        return Err(Error::invalid("imageId", "is not a structured report"));
    }
    let rules = match rules {
        Some(rules) => rules,
        None => statements::rules_of(found.get("rules").unwrap_or(&Value::Null))?,
    };
    let report = match header::read(Storage::from_settings().await?, text("blob")).await? {
        Some(read) => read.report,
        None => {
            return Err(Error::Unavailable { what: "Storage", cause: "a stored blob is gone".to_owned() });
        }
    };
    let Some(Ok(report)) = report else {
        return Err(Error::invalid("imageId", "is a structured report that cannot be read"));
    };

    let raised: Vec<Value> = rules.raise(&report).iter().map(shown).collect();
    let ask = json!({"imageId": image, "report": summary(&report), "raised": raised});
    Ok(Reply::success(200, &caller.once("ingest.dry_run", ask).await?))
}

/// A list of rules that is yet to be read.
struct Rules(Value);

impl Parse for Rules {
    fn parse(value: &Value) -> Result<Self, Fault> {
        if value.is_array() { Ok(Self(value.clone())) } else { Err(Fault::new("must be a list")) }
    }
}

/// A finding as who administers may see it: without its text and its code.
fn shown(raised: &Raised) -> Value {
    let mut shown = statements::origin(raised);
    if let Value::Object(shown) = &mut shown {
        shown.insert("key".to_owned(), json!(raised.key));
        shown.insert("severity".to_owned(), json!(raised.severity));
        shown.insert("category".to_owned(), json!(raised.category));
        shown.insert("bodyPart".to_owned(), json!(raised.body_part));
    }
    shown
}

fn summary(report: &StructuredReport) -> Value {
    json!({
        "template": report.template,
        "completion": report.completion,
        "verification": report.verification,
        "cadType": report.cad_type,
        "cadOutcome": report.cad_outcome,
        "statements": report.statements.len(),
        "isIncomplete": report.is_incomplete,
    })
}

use domain::{About, AuditOutcome, ExternalId, Line, Moment, RangeEnd, Right};
use serde_json::{Map, Value, json};
use service::{Context, Page, Reply, Result, seal::Seal};

/// A page of what was done and refused in the auditor's organization, newest first. Looking is an event itself.
pub(crate) async fn list(cx: &Context) -> Result<Reply> {
    let caller = cx.require(Right::ReadAudit).await?;

    let mut query = cx.query();
    let about = query.optional::<About>("resource").unwrap_or_default();
    let filters = json!({
        "patientId": query.optional::<ExternalId>("patientId"),
        "actor": query.optional::<ExternalId>("actor"),
        "resource": about.resource,
        "resourceId": about.id,
        "action": query.optional::<Line>("action"),
        "outcome": query.optional::<AuditOutcome>("outcome"),
        "emergency": query.optional::<bool>("emergency"),
        "from": query.optional::<Moment>("from"),
        "to": query.optional::<RangeEnd>("to"),
    });
    let page = Page::from_query(&mut query);
    query.finish()?;

    let mut listed = caller.call("audit.list", page.ask(filters)).await?;
    let events = listed.get_mut("events").and_then(Value::as_array_mut).into_iter().flatten();
    for event in events.filter_map(Value::as_object_mut) {
        open_reasons(&caller.seal, event);
    }
    page.reply(cx, "events", listed)
}

/// Puts the reasons that a caller gave, for the act and for breaking the glass, into the event. Years later the key of
/// one may be gone: then the event says that there was a reason, and the others can be read all the same.
fn open_reasons(seal: &Seal, event: &mut Map<String, Value>) {
    let reasons = event.remove("reasons").unwrap_or_default();
    let mut lost = false;
    for name in ["reason", "emergencyReason"] {
        let of_reason = |member| reasons.get(name).and_then(|reason| reason.get(member));
        let mut reason = json!({"id": of_reason("id"), "sealed": of_reason("parts")});
        lost |= seal.open_document(&mut reason).is_err();
        let text = reason.as_object_mut().and_then(|reason| {
            reason.remove("id");
            reason.values().find(|value| value.is_string()).cloned()
        });
        event.insert(name.to_owned(), text.unwrap_or_default());
    }
    event.insert("reasonLost".to_owned(), json!(lost));
}

//! `/api/audit-events`

use domain::{About, AuditOutcome, ExternalId, Line, Moment, RangeEnd};
use serde_json::{Map, Value, json};

use super::{
    operation::Operation,
    schema::{Described, Member, Number, Time, list, nullable, object, required},
};

pub(super) const TAG: (&str, &str) = (
    "Audit",
    "Who did what to which patient's things, or tried to. For auditors; nothing of it is ever changed.",
);

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let event = object([
        required::<String>("id").like("019a3b1c-7e00-7abc-8def-000000000008"),
        required::<Time>("at"),
        required::<String>("actor").like("dr-1").says("By the token's id, or a machine's name."),
        required::<String>("role").like("provider"),
        required::<String>("action").like("order.read"),
        required::<AuditOutcome>("outcome"),
        nullable::<String>("code").like(Value::Null).says("Why it was refused, as the reply said it."),
        required::<String>("resource").like("order").says("The kind of thing."),
        nullable::<String>("resourceId").like("019a3b1c-7e00-7abc-8def-000000000001"),
        nullable::<Number>("resourceVersion"),
        Member::new("patientIds", list(String::schema())).like(json!(["MRN-1"])),
        required::<Map<String, Value>>("detail").like(json!({})).says("What else belongs to the act."),
        required::<bool>("emergency").like(false).says("The glass was broken (DICOM 110127)."),
        nullable::<String>("source").like("192.0.2.7:50123"),
        required::<String>("requestId").like("019a3b1c-7e00-7abc-8def-000000000009"),
        nullable::<String>("trace").like("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        nullable::<String>("reason").like(Value::Null).says("Why, where the act took a reason."),
        nullable::<String>("emergencyReason").like(Value::Null).says("Why the glass was broken."),
        required::<bool>("reasonLost")
            .like(false)
            .says("There was a reason, and the key that opens it is gone."),
    ]);
    vec![("AuditEvent", event)]
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new("get", "/api/audit-events", "listAuditEvents")
            .says("List what was done and refused", "Newest first. Looking is an event itself.")
            .filter::<ExternalId>("patientId", "About this patient.")
            .filter::<ExternalId>("actor", "By this person.")
            .like("dr-1")
            .filter::<About>(
                "resource",
                "About a kind of thing (`study`), one thing (`study/<id>`), or whatever has an id.",
            )
            .filter::<Line>("action", "Of this kind.")
            .like("order.read")
            .filter::<AuditOutcome>("outcome", "With this outcome.")
            .filter::<bool>("emergency", "Done with the glass broken, or not.")
            .filter::<Moment>("from", "Done then or later.")
            .filter::<RangeEnd>("to", "Done then or before.")
            .paged()
            .answers_page("events", "AuditEvent"),
    ]
}

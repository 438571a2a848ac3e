//! What a value may be: said once of each type that the actions read it into, so that an object here reads like the
//! action that takes it.

use domain::{
    About, Amendment, AuditOutcome, BirthDate, Channel, Count, DeclineId, DeliveryId, DeliveryState,
    ExternalId, FindingId, FindingSource, FindingStatus, FirstStatus, Group, ImageId, IngestStatus, Macros,
    Modality, Moment, OrderId, OrderStatus, Priority, RangeEnd, Recipients, ReportId, ReportStatus,
    Resolution, ResourceId, RuleId, RuleSeverity, Severity, StateFilter, StudyId, StudyStatus, Text,
    UploadId,
    dicom::{AccessionNumber, CadOutcome, CadType, Completion, PersonName, Uid, Verification},
    fhir::{Format, PatientReference, Token},
};
use serde_json::{Map, Value, json};

// No part of these can take a character that the next one waits for: reading them takes a time of the text's length.

/// Text without control characters but line breaks and tabs, and not of spaces alone.
const PROSE: &str =
    r"^\s*[^\s\u0000-\u001F\u007F-\u009F][^\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]*$";
/// The same on one line.
const WORD: &str = concat!(
    r"^[^\S\u0000-\u001F\u007F-\u009F]*[^\s\u0000-\u001F\u007F-\u009F]",
    r"[^\u0000-\u001F\u007F-\u009F]*$",
);
/// The same without a backslash, which DICOM parts values with (PS3.5 6.2).
const SHORT_STRING: &str = concat!(
    r"^[^\S\u0000-\u001F\u007F-\u009F]*[^\\\s\u0000-\u001F\u007F-\u009F]",
    r"[^\\\u0000-\u001F\u007F-\u009F]*$",
);
/// Up to three spellings of 64 characters, of up to five components each, that say something (PS3.5 6.2.1).
const PERSON_NAME: &str = concat!(
    r"^(?=[\s=^]*[^\s=^])(?=[^=]{0,64}(=[^=]{0,64}){0,2}$)",
    r"[^=^\\\u0000-\u001F\u007F-\u009F]*(\^[^=^\\\u0000-\u001F\u007F-\u009F]*){0,4}",
    r"(=[^=^\\\u0000-\u001F\u007F-\u009F]*(\^[^=^\\\u0000-\u001F\u007F-\u009F]*){0,4}){0,2}$",
);
/// A kind of thing, one thing of it, or an id.
const ABOUT: &str = r"^([a-z_]{1,64}|([a-z_]{1,64}/)?[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})$";
const UID: &str = r"^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*$";

/// A type that clients send or are sent, as JSON Schema describes it.
pub(super) trait Described {
    fn schema() -> Value;

    /// One that may really occur.
    fn example() -> Value;
}

/// A moment as the service writes it: ISO 8601 in UTC, with milliseconds.
pub(super) struct Time;

/// An address, of storage as a rule.
pub(super) struct Url;

/// How many there are of something.
pub(super) struct Number;

impl Described for String {
    fn schema() -> Value {
        json!({"type": "string"})
    }

    fn example() -> Value {
        json!("text")
    }
}

impl Described for bool {
    fn schema() -> Value {
        json!({"type": "boolean"})
    }

    fn example() -> Value {
        json!(true)
    }
}

impl Described for i32 {
    fn schema() -> Value {
        json!({"type": "integer", "format": "int32", "minimum": Self::MIN, "maximum": Self::MAX})
    }

    fn example() -> Value {
        json!(1)
    }
}

impl Described for Number {
    fn schema() -> Value {
        json!({"type": "integer", "format": "int64", "minimum": 0, "maximum": i64::MAX})
    }

    fn example() -> Value {
        json!(1)
    }
}

impl Described for f64 {
    fn schema() -> Value {
        json!({"type": "number"})
    }

    fn example() -> Value {
        json!(1.25)
    }
}

impl Described for Map<String, Value> {
    fn schema() -> Value {
        json!({"type": "object"})
    }

    fn example() -> Value {
        json!({"note": "Motion artefact"})
    }
}

impl Described for About {
    fn schema() -> Value {
        json!({"type": "string", "pattern": ABOUT})
    }

    fn example() -> Value {
        json!("study")
    }
}

impl Described for StateFilter {
    fn schema() -> Value {
        let lower = DeliveryState::ALL.iter().map(|state| state.as_str().to_lowercase());
        let names: Vec<String> = DeliveryState::ALL.iter().map(ToString::to_string).chain(lower).collect();
        json!({"type": "string", "enum": names})
    }

    fn example() -> Value {
        json!("DEAD")
    }
}

impl Described for Macros {
    fn schema() -> Value {
        json!({"type": ["object", "array", "string"], "description": "At most 64 KiB of JSON."})
    }

    fn example() -> Value {
        json!({"normal": true})
    }
}

impl Described for Recipients {
    fn schema() -> Value {
        json!({"type": "array", "items": ExternalId::schema(), "maxItems": Self::MOST, "uniqueItems": true})
    }

    fn example() -> Value {
        json!(["dr-1"])
    }
}

impl Described for Time {
    fn schema() -> Value {
        json!({"type": "string", "format": "date-time"})
    }

    fn example() -> Value {
        json!("2026-01-02T07:08:09.000Z")
    }
}

impl Described for Url {
    fn schema() -> Value {
        json!({"type": "string", "format": "uri"})
    }

    fn example() -> Value {
        json!("https://example.org/medical-images/a.dcm")
    }
}

impl<const MOST: usize> Described for Text<MOST> {
    fn schema() -> Value {
        json!({"type": "string", "minLength": 1, "maxLength": MOST, "pattern": PROSE})
    }

    fn example() -> Value {
        json!("text")
    }
}

impl Described for ExternalId {
    fn schema() -> Value {
        json!({"type": "string", "minLength": 1, "maxLength": Self::MAXIMUM_LENGTH, "pattern": WORD})
    }

    fn example() -> Value {
        json!("MRN-1")
    }
}

impl Described for Token {
    fn schema() -> Value {
        // What parts parameters has a backslash before it, and a backslash stands for nothing else.
        let system = r"([!-+\--\[\]-{}~]|\\[\\,|$]){1,300}";
        let visible = r"([^\s\\|,\u0000-\u001F\u007F-\u009F]|\\[\\,|$])";
        let any = r"([^\\|,\u0000-\u001F\u007F-\u009F]|\\[\\,|$])";
        json!({
            "type": "string",
            "pattern": format!(r"^({system}\|)?{visible}({any}{{0,254}}{visible})?$"),
        })
    }

    fn example() -> Value {
        json!("urn:dicom:uid|urn:oid:1.2.826.0.1.3680043.2")
    }
}

impl Described for PatientReference {
    fn schema() -> Value {
        let address = r"^(https?://[!-~]+/)?Patient/[!-.0-~]{1,64}$";
        json!({"anyOf": [ExternalId::schema(), {"type": "string", "pattern": address}]})
    }

    fn example() -> Value {
        json!("Patient/MRN-1")
    }
}

impl Described for AccessionNumber {
    fn schema() -> Value {
        json!({"type": "string", "minLength": 1, "maxLength": Self::MAXIMUM_LENGTH, "pattern": SHORT_STRING})
    }

    fn example() -> Value {
        json!("ACC-0000000011")
    }
}

impl Described for PersonName {
    fn schema() -> Value {
        json!({
            "type": "string",
            "pattern": PERSON_NAME,
            "description": "As DICOM writes it: family^given^middle^prefix^suffix; at most 64 characters a spelling.",
        })
    }

    fn example() -> Value {
        json!("Doe^Jane")
    }
}

impl Described for Uid {
    fn schema() -> Value {
        json!({"type": "string", "maxLength": Self::MAXIMUM_LENGTH, "pattern": UID})
    }

    fn example() -> Value {
        json!("1.2.826.0.1.3680043.8.498.1")
    }
}

impl Described for RuleId {
    fn schema() -> Value {
        json!({"type": "string", "pattern": "^[a-z0-9-]{1,64}$"})
    }

    fn example() -> Value {
        json!("acr-category-1")
    }
}

impl Described for Moment {
    fn schema() -> Value {
        json!({
            "type": "string",
            "anyOf": [{"format": "date"}, {"format": "date-time"}],
            "description": "A date, which means its midnight in UTC, or a time with its offset; from 1800 to 9999.",
        })
    }

    fn example() -> Value {
        json!("2026-01-02")
    }
}

impl Described for RangeEnd {
    fn schema() -> Value {
        described(Moment::schema(), "A date, which includes its whole day, or a time with its offset.")
    }

    fn example() -> Value {
        json!("2026-01-31")
    }
}

impl Described for BirthDate {
    fn schema() -> Value {
        described(Moment::schema(), "A date, or a time of which only the day counts.")
    }

    fn example() -> Value {
        json!("1970-02-03")
    }
}

impl<const LEAST: u32, const MOST: u32> Described for Count<LEAST, MOST> {
    fn schema() -> Value {
        json!({"type": "integer", "minimum": LEAST, "maximum": MOST})
    }

    fn example() -> Value {
        json!(LEAST)
    }
}

macro_rules! ids {
    ($($id:ty: $example:literal),+ $(,)?) => {$(
        impl Described for $id {
            fn schema() -> Value {
                json!({"type": "string", "format": "uuid"})
            }

            fn example() -> Value {
                json!($example)
            }
        }
    )+};
}

ids! {
    OrderId: "019a3b1c-7e00-7abc-8def-000000000001",
    StudyId: "019a3b1c-7e00-7abc-8def-000000000002",
    ImageId: "019a3b1c-7e00-7abc-8def-000000000003",
    UploadId: "019a3b1c-7e00-7abc-8def-000000000004",
    ReportId: "019a3b1c-7e00-7abc-8def-000000000005",
    FindingId: "019a3b1c-7e00-7abc-8def-000000000006",
    DeclineId: "019a3b1c-7e00-7abc-8def-000000000007",
    DeliveryId: "019a3b1c-7e00-7abc-8def-00000000000b",
    ResourceId: "019a3b1c-7e00-7abc-8def-000000000006",
}

macro_rules! enumerations {
    ($($enumeration:ty),+ $(,)?) => {$(
        impl Described for $enumeration {
            fn schema() -> Value {
                one_of(Self::ALL)
            }

            fn example() -> Value {
                json!(Self::ALL.first())
            }
        }
    )+};
}

enumerations! {
    Amendment,
    AuditOutcome,
    CadOutcome,
    CadType,
    Channel,
    Completion,
    DeliveryState,
    FindingSource,
    FindingStatus,
    FirstStatus,
    Format,
    Group,
    IngestStatus,
    OrderStatus,
    Priority,
    ReportStatus,
    Resolution,
    RuleSeverity,
    Severity,
    StudyStatus,
    Verification,
}

impl Described for Modality {
    fn schema() -> Value {
        one_of(&Self::ALL)
    }

    fn example() -> Value {
        json!("CT")
    }
}

/// One of a closed list of words.
pub(super) fn one_of(words: &[impl serde::Serialize]) -> Value {
    json!({"type": "string", "enum": words})
}

/// A schema of the document's components.
pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

pub(super) fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

/// The same, or null.
pub(super) fn or_null(mut schema: Value) -> Value {
    let Some(keywords) = schema.as_object_mut() else { return schema };
    if keywords.contains_key("$ref") {
        return json!({"anyOf": [schema, {"type": "null"}]});
    }
    match keywords.get_mut("type") {
        Some(Value::Array(kinds)) => kinds.push("null".into()),
        Some(kind) => *kind = json!([kind.take(), "null"]),
        None => {}
    }
    for alternatives in ["enum", "anyOf"] {
        if let Some(Value::Array(values)) = keywords.get_mut(alternatives) {
            values.push(if alternatives == "enum" { Value::Null } else { json!({"type": "null"}) });
        }
    }
    schema
}

pub(super) fn described(schema: Value, description: &str) -> Value {
    with(schema, "description", description.into())
}

/// One member of an object.
pub(super) struct Member {
    name: &'static str,
    schema: Value,
    required: bool,
}

impl Member {
    pub(super) fn new(name: &'static str, schema: Value) -> Self {
        Self { name, schema, required: true }
    }

    fn of<T: Described>(name: &'static str) -> Self {
        Self::new(name, T::schema()).like(T::example())
    }

    /// What it is.
    pub(super) fn says(self, description: &str) -> Self {
        Self { schema: described(self.schema, description), ..self }
    }

    /// What it may look like.
    pub(super) fn like(self, example: impl Into<Value>) -> Self {
        Self { schema: with(self.schema, "examples", Value::Array(vec![example.into()])), ..self }
    }
}

/// A member that is always there.
pub(super) fn required<T: Described>(name: &'static str) -> Member {
    Member::of::<T>(name)
}

/// A member of a reply that is always there, and null when there is nothing to say.
pub(super) fn nullable<T: Described>(name: &'static str) -> Member {
    let member = Member::of::<T>(name);
    Member { schema: or_null(member.schema), ..member }
}

/// A member of a request that may be left out, or null, which is the same.
pub(super) fn optional<T: Described>(name: &'static str) -> Member {
    Member { required: false, ..nullable::<T>(name) }
}

/// A member that clients send out of habit and that changes nothing: only what it would be anyway.
pub(super) fn habit(name: &'static str, schema: Value) -> Member {
    let schema = or_null(described(schema, "Sent out of habit; changes nothing."));
    sometimes(name, with(schema, "deprecated", true.into()))
}

/// A member of a reply that is not always there.
pub(super) fn sometimes(name: &'static str, schema: Value) -> Member {
    Member { required: false, ..Member::new(name, schema) }
}

/// An object of these members and of no other.
pub(super) fn object(members: impl IntoIterator<Item = Member>) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for member in members {
        if member.required {
            required.push(Value::from(member.name));
        }
        properties.insert(member.name.to_owned(), member.schema);
    }
    let schema = json!({"type": "object", "properties": properties, "additionalProperties": false});
    if required.is_empty() { schema } else { with(schema, "required", required.into()) }
}

/// A schema with one keyword more.
pub(super) fn with(mut schema: Value, keyword: &str, value: Value) -> Value {
    if let Some(keywords) = schema.as_object_mut() {
        keywords.insert(keyword.to_owned(), value);
    }
    schema
}

/// Of an object that is a change: one of these members has to say something. Those that may be cleared do so with null,
/// too.
pub(super) fn changing(change: Value, members: &[&str], clearable: &[&str]) -> Value {
    let said = members
        .iter()
        .map(|name| json!({"required": [name], "properties": {*name: {"not": {"type": "null"}}}}));
    let sent = clearable.iter().map(|name| json!({"required": [name]}));
    with(change, "anyOf", said.chain(sent).collect())
}

/// Of an object in which one member has no meaning without another.
pub(super) fn only_with(object: Value, member: &str, other: &str) -> Value {
    let says = |name: &str| json!({"required": [name], "properties": {name: {"not": {"type": "null"}}}});
    with(with(object, "if", says(member)), "then", says(other))
}

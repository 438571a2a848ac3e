//! The fields of a body that are a report's content, and the content as the database keeps it.

use domain::{Content, ExternalId, Line, Macros, Prose, ReportId, StudyId};
use serde_json::{Map, Value, json};
use service::{Body, Error, Result, seal::Seal};

/// Texts that may be left out.
const OPTIONAL: [&str; 4] = ["clinicalHistory", "technique", "comparison", "recommendations"];

/// Texts without which there is no report.
const REQUIRED: [&str; 2] = ["findings", "impression"];

/// What is sealed, each by itself; the rest of the content lies in clear.
const SEALED: [&str; 8] = [
    "clinicalHistory",
    "technique",
    "comparison",
    "findings",
    "impression",
    "recommendations",
    "macros",
    "amendmentReason",
];

/// What is said otherwise, and why: values by their fields, null for one that is cleared.
pub(crate) type Changes = Map<String, Value>;

/// What a new report says.
pub(crate) fn first(body: &mut Body) -> Changes {
    let required = REQUIRED.map(|name| (name.to_owned(), json!(body.required::<Prose>(name))));
    let mut content = changes(body);
    content.extend(required);
    content.insert("radiologistId".to_owned(), json!(body.required::<ExternalId>("radiologistId")));
    content.insert("radiologistName".to_owned(), json!(body.required::<Line>("radiologistName")));
    content
}

/// What a report is to say otherwise. A text that may be left out, the macros and the template are cleared by null.
pub(crate) fn changes(body: &mut Body) -> Changes {
    let mut changes = Changes::new();
    for name in OPTIONAL {
        if let Some(text) = body.clearable::<Prose>(name) {
            changes.insert(name.to_owned(), json!(text));
        }
    }
    for name in REQUIRED {
        if let Some(text) = body.optional::<Prose>(name) {
            changes.insert(name.to_owned(), json!(text));
        }
    }
    if let Some(macros) = body.clearable::<Macros>("macros") {
        changes.insert("macros".to_owned(), json!(macros));
    }
    if let Some(template) = body.clearable::<Line>("template") {
        changes.insert("template".to_owned(), json!(template));
    }
    changes
}

/// The part of changes that is sealed, sealed for a report; what is cleared is null.
pub(crate) fn seal(seal: &Seal, report: ReportId, changes: &Changes) -> Result<Map<String, Value>> {
    let values = SEALED.map(|name| (name, changes.get(name).cloned()));
    let Value::Object(mut sealed) = seal.fields("reports", report, values)? else {
        return Err(Error::Internal("sealed fields are no object".to_owned()));
    };
    let cleared = SEALED.into_iter().filter(|name| changes.get(*name).is_some_and(Value::is_null));
    sealed.extend(cleared.map(|name| (name.to_owned(), Value::Null)));
    Ok(sealed)
}

/// The part of changes that lies in clear.
pub(crate) fn in_clear(changes: &Changes) -> Map<String, Value> {
    let clear = changes.iter().filter(|(name, _)| !SEALED.contains(&name.as_str()));
    clear.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The content of a report that was read, if it is what its hash was taken of. What somebody has put in its place past
/// this service is neither shown nor signed.
pub(crate) fn unaltered(seal: &Seal, report: &Value) -> Result<Content> {
    let text = |name| report.get(name).and_then(Value::as_str).unwrap_or_default();
    if seal.is_digest_of(text("contentHash"), "report", Content::bound_of(report))? {
        return Ok(Content::of(report));
    }
    Err(Error::Internal(format!("report {} does not say what its hash was taken of", text("id"))))
}

/// The hash of a content. Keyed, so that a report that many are written alike is not recognised by it.
pub(crate) fn hash(seal: &Seal, report: ReportId, study: StudyId, content: &Content) -> Result<String> {
    let digests = seal.digests("report", content.bound(report, study))?;
    digests.into_iter().next().ok_or_else(|| Error::Internal("there is no key for a digest".to_owned()))
}

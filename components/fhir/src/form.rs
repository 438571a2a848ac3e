//! The form of a reply: a resource, and an OperationOutcome where there is none.

use domain::{
    Content,
    fhir::{Faults, Format, Issue, IssueType, MEDIA_TYPE, outcome},
};
use serde_json::Value;
use service::{Context, Error, Failure, FieldFault, Query, Reply, Result, seal::Seal};

/// A failure as clients of FHIR read it: the code and the sentence of this service, and each fault by its element.
pub(crate) fn failure(failure: &Failure, request_id: &str) -> Reply {
    let request = format!("Request {request_id}");
    let kind = if failure.code == "duplicate" || failure.code == "identifier_in_use" {
        IssueType::Duplicate
    } else {
        IssueType::of_status(failure.status)
    };
    let issue = |diagnostics, element| Issue {
        kind,
        code: &failure.code,
        message: &failure.message,
        diagnostics,
        element,
    };
    let of_fault = |fault: &FieldFault| {
        let mut issue = issue(format!("{} {}", fault.field, fault.message), None);
        if fault.message == "is required" {
            issue.kind = IssueType::Required;
        }
        issue
    };
    let mut issues: Vec<Issue<'_>> = failure.faults.iter().map(of_fault).collect();
    for (issue, fault) in issues.iter_mut().zip(&failure.faults) {
        issue.element = Some(&fault.field);
    }
    if issues.is_empty() {
        let current = failure.current.as_ref().map(|current| format!("It is {current}. "));
        issues.push(issue(format!("{}{request}", current.unwrap_or_default()), None));
    }
    Reply::content(failure.status, MEDIA_TYPE, outcome(&issues).to_string())
}

/// A resource that is there.
pub(crate) fn resource(resource: &Value) -> Reply {
    let reply = Reply::content(200, MEDIA_TYPE, resource.to_string());
    match resource.pointer("/meta/versionId").and_then(Value::as_str) {
        Some(version) => reply.header("etag", &format!("W/\"{version}\"")),
        None => reply,
    }
}

/// What was done, where there is no resource to show.
pub(crate) fn done(code: &str, message: &str) -> Reply {
    let issue =
        Issue { kind: IssueType::Informational, code, message, diagnostics: String::new(), element: None };
    Reply::content(200, MEDIA_TYPE, outcome(&[issue]).to_string())
}

/// What is wrong with a resource that was sent.
pub(crate) fn invalid(faults: Faults) -> Error {
    Error::Invalid(faults.into_iter().map(|(element, fault)| FieldFault::new(element, fault)).collect())
}

/// A resource that was sent is an object.
pub(crate) async fn sent(cx: &Context) -> Result<Value> {
    let resource = cx.document().await?;
    if resource.is_object() {
        return Ok(resource);
    }
    Err(Error::Malformed(vec![FieldFault::new("body", "must be a JSON object")]))
}

/// A query that may say what form is wanted, and nothing else any more.
pub(crate) fn finish(mut query: Query) -> Result<()> {
    query.optional::<Format>("_format");
    query.finish()
}

/// A report is shown only if it says what its hash was taken of: see reports/src/content.rs.
pub(crate) fn is_unaltered(seal: &Seal, report: &Value) -> Result<bool> {
    let hash = report.get("contentHash").and_then(Value::as_str).unwrap_or_default();
    seal.is_digest_of(hash, "report", Content::bound_of(report))
}

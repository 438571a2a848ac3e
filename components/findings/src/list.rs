use domain::{FindingStatus, Right, Severity, StudyId};
use serde_json::json;
use service::{Context, Error, FieldFault, Page, Reply, Result};

/// A page of the findings that the caller may read, newest first.
pub(crate) async fn list(cx: &Context) -> Result<Reply> {
    let caller = cx.require(Right::ReadFindings).await?;

    let mut query = cx.query();
    let filters = json!({
        "reach": caller.reach,
        "studyId": query.optional::<StudyId>("studyId"),
        "severity": query.optional::<Severity>("severity"),
        "status": query.optional::<FindingStatus>("status"),
    });
    let page = Page::from_query(&mut query);
    query.finish()?;

    let findings = caller.call("findings.list", page.ask(filters)).await?;
    page.reply(cx, "findings", findings)
}

/// A page of the findings of one severity that the caller may read, newest first.
pub(crate) async fn list_of_severity(cx: &Context, severity: &str) -> Result<Reply> {
    let caller = cx.require(Right::ReadFindings).await?;

    let severity = severity
        .parse::<Severity>()
        .map_err(|fault| Error::Malformed(vec![FieldFault::new("severity", fault)]))?;
    let mut query = cx.query();
    let page = Page::from_query(&mut query);
    query.finish()?;

    let ask = page.ask(json!({"reach": caller.reach, "severity": severity}));
    let findings = caller.call("findings.list", ask).await?;
    page.reply(cx, "findings", findings)
}

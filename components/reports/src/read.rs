use domain::{ReportId, Right};
use serde_json::json;
use service::{Context, Error, FieldFault, Reply, Result};

use crate::content;

/// One report with what it is of, and with its versions by number.
pub(crate) async fn read(cx: &Context, report: ReportId) -> Result<Reply> {
    let caller = cx.require(Right::ReadReports).await?;
    cx.query().finish()?;
    let report = caller.call("reports.read", json!({"id": report, "reach": caller.reach})).await?;
    content::unaltered(&caller.seal, &report)?;
    Ok(Reply::resource("report", report))
}

/// A report as it was in one of its versions.
pub(crate) async fn read_version(cx: &Context, report: ReportId, number: &str) -> Result<Reply> {
    let caller = cx.require(Right::ReadReports).await?;
    cx.query().finish()?;
    let number = number.parse::<i32>().ok().filter(|number| *number > 0).ok_or_else(|| {
        Error::Malformed(vec![FieldFault::new("version", "must be the number of a version, from 1")])
    })?;
    let ask = json!({"id": report, "contentVersion": number, "reach": caller.reach});
    let report = caller.call("reports.read_version", ask).await?;
    content::unaltered(&caller.seal, &report)?;
    Ok(Reply::ok("report", report))
}

use domain::{OrderId, ReportId, Right, StudyId, fhir::Exchange};
use serde_json::{Value, json};
use service::{Context, Error, Reply, Result};

use crate::form;

/// An order, as a ServiceRequest.
pub(crate) async fn order(cx: &Context, order: OrderId) -> Result<Reply> {
    let caller = cx.require(Right::Exchange).await?;
    form::finish(cx.query())?;
    let order = caller.call("fhir.read_order", json!({"id": order, "reach": caller.reach})).await?;
    Ok(form::resource(&Exchange::here(caller.caller.organization.as_str()).service_request(&order)))
}

/// A study, as an ImagingStudy.
pub(crate) async fn study(cx: &Context, study: StudyId) -> Result<Reply> {
    let caller = cx.require(Right::Exchange).await?;
    form::finish(cx.query())?;
    let study = caller.call("fhir.read_study", json!({"id": study, "reach": caller.reach})).await?;
    Ok(form::resource(&Exchange::here(caller.caller.organization.as_str()).imaging_study(&study)))
}

/// A report as it is by now, as a DiagnosticReport.
pub(crate) async fn report(cx: &Context, report: ReportId) -> Result<Reply> {
    let caller = cx.require(Right::Exchange).await?;
    form::finish(cx.query())?;
    let report = caller.call("fhir.read_report", json!({"id": report, "reach": caller.reach})).await?;
    if !form::is_unaltered(&caller.seal, &report)? {
        let id = report.get("id").and_then(Value::as_str).unwrap_or_default();
        return Err(Error::Internal(format!("report {id} does not say what its hash was taken of")));
    }
    Ok(form::resource(&Exchange::here(caller.caller.organization.as_str()).diagnostic_report(&report)))
}

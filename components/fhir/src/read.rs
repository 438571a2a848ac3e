use domain::{OrderId, ReportId, Right, StudyId, fhir::Exchange};
use serde_json::json;
use service::{Context, Reply, Result};

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
    form::unaltered(&caller.seal, &report)?;
    Ok(form::resource(&Exchange::here(caller.caller.organization.as_str()).diagnostic_report(&report)))
}

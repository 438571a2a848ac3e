use domain::{ExternalId, Right};
use serde_json::json;
use service::{Context, Error, FieldFault, Reply, Result};

/// Every order of one patient that the caller may read, newest first.
pub(crate) async fn of_patient(cx: &Context, patient: &str) -> Result<Reply> {
    let caller = cx.require(Right::ReadOrders).await?;
    cx.query().finish()?;
    let patient = ExternalId::try_from(patient)
        .map_err(|fault| Error::Malformed(vec![FieldFault::new("patientId", fault)]))?;
    let orders =
        caller.call("orders.of_patient", json!({"reach": caller.reach, "patientId": patient})).await?;
    Ok(Reply::ok("orders", orders))
}

use domain::{ExternalId, Right};
use serde_json::{Value, json};
use service::{Context, Error, FieldFault, Reply, Result};

/// The most orders that are answered, the newest of them; the rest is in the list, by page.
const MOST: usize = 1000;

/// The orders of one patient that the caller may read, newest first.
pub(crate) async fn of_patient(cx: &Context, patient: &str) -> Result<Reply> {
    let caller = cx.require(Right::ReadOrders).await?;
    cx.query().finish()?;
    let patient = ExternalId::try_from(patient)
        .map_err(|fault| Error::Malformed(vec![FieldFault::new("patientId", fault)]))?;
    // One more than is shown says whether any are left out.
    let ask = json!({"reach": caller.reach, "patientId": patient, "limit": MOST + 1});
    let mut orders = caller.call("orders.of_patient", ask).await?;
    match &mut orders {
        Value::Array(listed) if listed.len() > MOST => {
            listed.truncate(MOST);
            Ok(Reply::success(200, &json!({"orders": orders, "ordersTruncated": true})))
        }
        _ => Ok(Reply::ok("orders", orders)),
    }
}

use domain::{OrderId, Right};
use serde_json::json;
use service::{Context, Reply, Result};

/// One order with its studies, each with the reports and critical findings that the caller may read.
pub(crate) async fn read(cx: &Context, order: OrderId) -> Result<Reply> {
    let caller = cx.require(Right::ReadOrders).await?;
    cx.query().finish()?;
    let order = caller
        .call(
            "orders.read",
            json!({
                "id": order,
                "reach": caller.reach,
                "studies": caller.reach_of(Right::ReadStudies),
                "reports": caller.reach_of(Right::ReadReports),
                "findings": caller.reach_of(Right::ReadFindings),
            }),
        )
        .await?;
    Ok(Reply::resource("order", order))
}

use domain::{ExternalId, Modality, Moment, OrderStatus, Priority, RangeEnd, Right};
use serde_json::json;
use service::{Context, Page, Reply, Result};

/// A page of the orders that the caller may read, newest first.
pub(crate) async fn list(cx: &Context) -> Result<Reply> {
    let caller = cx.require(Right::ReadOrders).await?;

    let mut query = cx.query();
    let filters = json!({
        "reach": caller.reach,
        "patientId": query.optional::<ExternalId>("patientId"),
        "providerId": query.optional::<ExternalId>("providerId"),
        "facilityId": query.optional::<ExternalId>("facilityId"),
        "status": query.optional::<OrderStatus>("status"),
        "modality": query.optional::<Modality>("modality"),
        "priority": query.optional::<Priority>("priority"),
        "startDate": query.optional::<Moment>("startDate"),
        "endDate": query.optional::<RangeEnd>("endDate"),
    });
    let page = Page::from_query(&mut query);
    query.finish()?;

    let orders = caller.call("orders.list", page.ask(filters)).await?;
    page.reply(cx, "orders", orders)
}

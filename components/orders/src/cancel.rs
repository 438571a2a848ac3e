use domain::{OrderId, OrderStatus, Prose, Right};
use serde_json::{Map, Value, json};
use service::{Context, Reply, Result};

use crate::{change::step_to, refusal};

/// Cancels an order, and with it its studies that have no images. Once the scan has begun it takes a reason;
/// the images that were made stay.
pub(crate) async fn cancel(cx: &Context, order: OrderId) -> Result<Reply> {
    let caller = cx.require(Right::CancelOrder).await?;

    let mut body = cx.body_if_any().await?;
    let reason = body.optional::<Prose>("reason");
    body.finish()?;

    let sealed =
        caller.seal.fields("orders", order, [("statusReason", reason.map(|reason| json!(reason)))])?;
    let mut ask = Map::from_iter([
        ("id".to_owned(), json!(order)),
        ("act".to_owned(), json!("order.cancel")),
        ("ifVersion".to_owned(), json!(cx.if_version()?)),
        ("reach".to_owned(), caller.reach_of(Right::ReadOrders)),
        ("within".to_owned(), json!([caller.reach])),
        ("sealed".to_owned(), sealed),
    ]);
    ask.extend(step_to(OrderStatus::Cancelled));
    let cancelled = caller
        .call("orders.change", Value::Object(ask))
        .await
        .map_err(refusal::explain(Some(OrderStatus::Cancelled)))?;
    Ok(Reply::resource("order", cancelled))
}

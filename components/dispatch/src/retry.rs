use domain::{DeliveryId, DeliveryState, Right, sources, targets};
use serde_json::json;
use service::{Context, Error, Reply, Result};

/// What is said of a delivery that could not even be made, since nothing came of its event.
pub(crate) const NOT_MADE: &str = "not_made";

/// Tries a delivery again that was given up: what stood in its way is mended.
pub(crate) async fn retry(cx: &Context, delivery: DeliveryId) -> Result<Reply> {
    let caller = cx.require(Right::Administer).await?;
    cx.body_if_any().await?.finish()?;
    let ask = json!({
        "id": delivery,
        "notMade": NOT_MADE,
        "from": sources(DeliveryState::RETRYABLE, DeliveryState::step, DeliveryState::Pending),
    });
    let delivery = caller.once("dispatch.retry", ask).await.map_err(explain)?;
    Ok(Reply::ok("delivery", delivery))
}

fn explain(error: Error) -> Error {
    let Error::Refused(refusal) = error else { return error };
    if refusal.code != "transition" {
        return Error::Refused(refusal);
    }
    let current = refusal.text("current");
    let allowed = current.parse().map(|from| targets(DeliveryState::ALL, DeliveryState::step, from));
    Error::illegal_transition(
        "delivery_not_dead".to_owned(),
        format!("The delivery is {current}: only one that was given up is tried again by hand."),
        current,
        allowed.unwrap_or_default().iter().map(ToString::to_string).collect(),
    )
}

use domain::{Moment, OrderId, OrderStatus, Priority, Prose, ReportStatus, Right, StudyStatus, sources};
use serde_json::{Map, Value, json};
use service::{Context, Reply, Result};

use crate::refusal;

/// Changes an order's priority, time or instructions, or takes a step of its state machine.
/// Each part needs the right for it: a scheduler schedules and holds, who makes the images starts and completes.
pub(crate) async fn change(cx: &Context, order: OrderId) -> Result<Reply> {
    let caller = cx.require(Right::ReadOrders).await?;

    let mut body = cx.body().await?;
    let steps = body.holds("status");
    let priority = body.optional::<Priority>("priority");
    let status = body.optional::<OrderStatus>("status");
    let scheduled_at = body.clearable::<Moment>("scheduledAt");
    let instructions = body.clearable::<Prose>("instructions");
    let reason = body.optional::<Prose>("reason");
    if reason.is_some() && !steps {
        body.fault("reason", "belongs to a step: send status with it");
    }
    let changes_nothing =
        priority.is_none() && status.is_none() && scheduled_at.is_none() && instructions.is_none();
    if changes_nothing && body.is_sound() {
        body.fault("body", "must change something: priority, status, scheduledAt or instructions");
    }
    body.finish()?;

    let mut within = Vec::new();
    if priority.is_some() || instructions.is_some() {
        within.push(caller.also(Right::PlaceOrder).or_else(|_| caller.also(Right::ScheduleOrder))?);
    }
    if scheduled_at.is_some() {
        within.push(caller.also(Right::ScheduleOrder)?);
    }
    if let Some(status) = status {
        within.push(caller.also(right_to(status))?);
    }

    let mut sealed = caller.seal.fields(
        "orders",
        order,
        [
            ("instructions", instructions.as_ref().map(|instructions| json!(instructions))),
            ("statusReason", reason.map(|reason| json!(reason))),
        ],
    )?;
    if let (Some(None), Value::Object(sealed)) = (&instructions, &mut sealed) {
        sealed.insert("instructions".to_owned(), Value::Null);
    }
    let mut ask = Map::from_iter([
        ("id".to_owned(), json!(order)),
        ("ifVersion".to_owned(), json!(cx.if_version()?)),
        ("reach".to_owned(), json!(caller.reach)),
        ("within".to_owned(), json!(within)),
        ("priority".to_owned(), json!(priority)),
        ("sealed".to_owned(), sealed),
    ]);
    if let Some(scheduled_at) = scheduled_at {
        ask.insert("scheduledAt".to_owned(), json!(scheduled_at));
    }
    if let Some(status) = status {
        ask.extend(step_to(status));
    }
    let changed = caller.call("orders.change", Value::Object(ask)).await.map_err(refusal::explain(status))?;
    Ok(Reply::resource("order", changed))
}

const fn right_to(status: OrderStatus) -> Right {
    match status {
        OrderStatus::Pending | OrderStatus::Scheduled | OrderStatus::OnHold => Right::ScheduleOrder,
        OrderStatus::InProgress | OrderStatus::Completed => Right::MoveStudy,
        OrderStatus::Cancelled => Right::CancelOrder,
    }
}

/// What `orders.change` has to know to take the step to a status.
pub(crate) fn step_to(status: OrderStatus) -> Map<String, Value> {
    let cancellable = sources(StudyStatus::ALL, StudyStatus::step, StudyStatus::Cancelled);
    Map::from_iter([
        ("status".to_owned(), json!(status)),
        ("from".to_owned(), sources(OrderStatus::ALL, OrderStatus::step, status)),
        ("settled".to_owned(), json!(StudyStatus::SETTLED)),
        ("signed".to_owned(), json!(ReportStatus::SIGNED)),
        ("studies".to_owned(), cancellable),
    ])
}

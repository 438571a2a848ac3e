//! What the refusals of the order functions mean to a caller.

use domain::{OrderStatus, targets};
use service::Error;

/// Explains why an order was not changed, or not brought to a status.
pub(crate) fn explain(status: Option<OrderStatus>) -> impl FnOnce(Error) -> Error {
    move |error| {
        let Error::Refused(refusal) = error else { return error };
        match (refusal.code.as_str(), status) {
            ("transition", Some(status)) => {
                let current = refusal.text("current");
                let allowed = current
                    .parse()
                    .map(|from| targets(OrderStatus::ALL, OrderStatus::step, from))
                    .unwrap_or_default();
                Error::illegal_transition(
                    code_of(status),
                    format!("The order is {current}, and cannot become {status} from there."),
                    current,
                    allowed.iter().map(ToString::to_string).collect(),
                )
            }
            ("studies_open", _) => Error::conflict(
                "order_studies_open",
                "An order is completed once it has studies and all of them are completed or cancelled.",
            ),
            ("report_signed", _) => Error::conflict(
                "order_report_signed",
                "A report of this order is signed: amend the report, or place a new order.",
            ),
            _ => Error::Refused(refusal),
        }
    }
}

fn code_of(status: OrderStatus) -> String {
    match status {
        OrderStatus::Pending => "order_not_returnable",
        OrderStatus::Scheduled => "order_not_schedulable",
        OrderStatus::InProgress => "order_not_startable",
        OrderStatus::Completed => "order_not_completable",
        OrderStatus::Cancelled => "order_not_cancellable",
        OrderStatus::OnHold => "order_not_holdable",
    }
    .to_owned()
}

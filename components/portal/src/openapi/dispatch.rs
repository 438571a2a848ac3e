//! `/api/deliveries`

use domain::{Channel, DeliveryId, DeliveryState, Line, ResourceId, StateFilter};
use serde_json::{Value, json};

use super::{
    operation::Operation,
    schema::{Member, Number, Time, nullable, object, reference, required},
};

pub(super) const TAG: (&str, &str) = (
    "Deliveries",
    "What other systems are told, and whether it has arrived. For administrators: nothing of what it says.",
);

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let delivery = object([
        required::<DeliveryId>("id").says("The receiver gets it as `Idempotency-Key`."),
        required::<String>("topic").like("finding.raised"),
        required::<Channel>("channel"),
        required::<String>("resource").like("finding").says("The kind of thing."),
        required::<ResourceId>("resourceId"),
        nullable::<String>("recipient").like("dr-1").says("Whom a message is for."),
        required::<DeliveryState>("state")
            .like("DEAD")
            .says("NOT_NEEDED: somebody has taken the finding on, or something newer was told in its place."),
        required::<Number>("attempts").like(3),
        required::<Time>("dueAt").says("When it is tried next, while it is PENDING."),
        nullable::<String>("lastCode")
            .like("422")
            .says("What the last attempt came to: the status of the reply, or why there was none; `not_made` when it \
                 could not even be made."),
        required::<Time>("createdAt"),
        nullable::<Time>("deliveredAt").like(Value::Null),
    ]);
    vec![("Delivery", delivery), ("Retry", object([]))]
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new("get", "/api/deliveries", "listDeliveries")
            .says("List deliveries", "Newest first. Those that are DEAD wait for somebody to see to them; all others are kept for 90 days.")
            .filter::<StateFilter>("state", "In this state.")
            .filter::<Line>("topic", "Of this topic.")
            .like("finding.raised")
            .filter::<ResourceId>("resourceId", "About this thing.")
            .paged()
            .answers_page("deliveries", "Delivery")
            .leads_to("retryDelivery", "deliveryId", "deliveries/0/id"),
        Operation::new("post", "/api/deliveries/{deliveryId}/retry", "retryDelivery")
            .says("Try a delivery again", "One that was given up, once what stood in its way is mended.")
            .may_take("Retry", &json!({}))
            .once()
            .answers(200, [Member::new("delivery", reference("Delivery"))])
            .conflicts(&[("delivery_not_dead", "it was not given up, or is tried again already")]),
    ]
}

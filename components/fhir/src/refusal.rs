//! What the refusals of the functions mean to another system.

use domain::{FindingStatus, OrderStatus, targets};
use service::{Error, FieldFault};

/// What an order is called by means another than was asked for.
pub(crate) fn identifier_in_use() -> Error {
    Error::conflict(
        "identifier_in_use",
        "An order is known by this identifier already, and is another than this.",
    )
}

pub(crate) fn explain(error: Error) -> Error {
    let refusal = match error {
        Error::Refused(refusal) => refusal,
        Error::Invalid(faults) => return Error::Invalid(faults.into_iter().map(by_element).collect()),
        error => return error,
    };
    let current = refusal.text("current");
    match refusal.code.as_str() {
        "identifier_in_use" => identifier_in_use(),
        "own_finding" => {
            Error::Forbidden("Whoever reported a finding does not acknowledge it: that takes somebody else.")
        }
        "transition" => match (current.parse::<OrderStatus>(), current.parse::<FindingStatus>()) {
            (_, Ok(status)) => Error::illegal_transition(
                "finding_already_acknowledged".to_owned(),
                format!("The finding is {current}: somebody has acknowledged it."),
                current,
                targets(FindingStatus::ALL, FindingStatus::step, status)
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
            ),
            (status, Err(_)) => Error::illegal_transition(
                "order_not_cancellable".to_owned(),
                format!("The order is {current}, and cannot become CANCELLED from there."),
                current,
                status
                    .map(|status| targets(OrderStatus::ALL, OrderStatus::step, status))
                    .unwrap_or_default()
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
            ),
        },
        _ => Error::Refused(refusal),
    }
}

/// The functions know the fields of this service; the caller knows elements.
fn by_element(fault: FieldFault) -> FieldFault {
    let element = match fault.field.as_str() {
        "reason" => "ServiceRequest.note",
        "readBack" => "Communication.payload",
        "clinician" => "Communication.sender",
        "patientId" => "Communication.subject",
        field => field,
    };
    FieldFault::new(element, fault.message)
}

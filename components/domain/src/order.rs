//! Imaging orders: what may follow what, and what a study does to its order.

use serde_json::{Value, json};

use crate::{
    StudyStatus,
    enumeration::enumeration,
    transition::{Transition, sources},
};

enumeration! {
    Priority { Stat = "STAT", Urgent = "URGENT", Routine = "ROUTINE" }
}

enumeration! {
    OrderStatus {
        Pending = "PENDING",
        Scheduled = "SCHEDULED",
        InProgress = "IN_PROGRESS",
        Completed = "COMPLETED",
        Cancelled = "CANCELLED",
        OnHold = "ON_HOLD",
    }
}

impl OrderStatus {
    /// The state machine of an order.
    pub fn step(from: Self, to: Self) -> Transition {
        use OrderStatus::{Cancelled, Completed, InProgress, OnHold, Pending, Scheduled};
        match (from, to) {
            (Pending, Scheduled | InProgress | OnHold | Cancelled) => Transition::Free,
            (Scheduled, InProgress | OnHold | Cancelled) => Transition::Free,
            // Unscheduled, or the patient did not come.
            (Scheduled, Pending) => Transition::WithReason,
            (OnHold, Pending | Scheduled | InProgress | Cancelled) => Transition::Free,
            (InProgress, Completed) => Transition::Free,
            // Discontinued: the images that were made stay.
            (InProgress, Cancelled) => Transition::WithReason,
            // Reopened; the SQL function lets it pass only while no report is signed.
            (Completed, InProgress) => Transition::WithReason,
            _ => Transition::Never,
        }
    }

    /// Where the order goes when one of its studies reaches a status.
    ///
    /// COMPLETED is reached only when that was the last open study, which the SQL function knows.
    pub const fn following(study: StudyStatus) -> Option<Self> {
        match study {
            StudyStatus::Scheduled => Some(Self::Scheduled),
            StudyStatus::InProgress => Some(Self::InProgress),
            // A study that is cancelled may have been the last that was open.
            StudyStatus::Completed | StudyStatus::Cancelled => Some(Self::Completed),
            _ => None,
        }
    }

    /// What `orders.follow_study` has to know to let an order follow a study there: null when it stays where it is.
    pub fn follow(study: StudyStatus) -> Value {
        Self::following(study).map_or(Value::Null, |status| {
            json!({
                "status": status,
                "from": sources(Self::ALL, Self::step, status),
                "settled": StudyStatus::SETTLED,
            })
        })
    }

    /// Statuses in which an order still takes studies.
    pub const OPEN: &'static [Self] = &[Self::Pending, Self::Scheduled, Self::InProgress, Self::OnHold];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transition::table;

    #[test]
    fn the_machine_is_the_table_of_the_contract() {
        insta::assert_snapshot!(table(OrderStatus::ALL, OrderStatus::step, OrderStatus::as_str), @r"
        PENDING -> SCHEDULED, IN_PROGRESS, CANCELLED, ON_HOLD
        SCHEDULED -> PENDING (r), IN_PROGRESS, CANCELLED, ON_HOLD
        IN_PROGRESS -> COMPLETED, CANCELLED (r)
        COMPLETED -> IN_PROGRESS (r)
        CANCELLED -> nothing
        ON_HOLD -> PENDING, SCHEDULED, IN_PROGRESS, CANCELLED
        ");
    }
}

//! Studies: what may follow what, and what images and reports do to them.

use serde_json::{Value, json};

use crate::{
    ReportStatus,
    enumeration::enumeration,
    transition::{Transition, sources},
};

enumeration! {
    StudyStatus {
        Scheduled = "SCHEDULED",
        Arrived = "ARRIVED",
        InProgress = "IN_PROGRESS",
        Completed = "COMPLETED",
        Preliminary = "PRELIMINARY",
        Final = "FINAL",
        Cancelled = "CANCELLED",
    }
}

impl StudyStatus {
    /// No report is signed: whose the study is may still be put right.
    pub const UNSIGNED: &'static [Self] =
        &[Self::Scheduled, Self::Arrived, Self::InProgress, Self::Completed, Self::Preliminary];

    /// The steps that a person takes. PRELIMINARY and FINAL are reached and left through a report only.
    pub fn step(from: Self, to: Self) -> Transition {
        use StudyStatus::{Arrived, Cancelled, Completed, InProgress, Scheduled};
        match (from, to) {
            (Scheduled, Arrived | InProgress | Cancelled) => Transition::Free,
            (Arrived, InProgress | Cancelled) => Transition::Free,
            (Arrived, Scheduled) => Transition::WithReason,
            // At least one image, which the SQL function counts.
            (InProgress, Completed) => Transition::Free,
            // Discontinued: the images that were made stay.
            (InProgress, Cancelled) => Transition::WithReason,
            // Reopened: it has no report, or it would be PRELIMINARY. The SQL function lets it pass only while no report of
            // the order's other studies is signed.
            (Completed, InProgress) => Transition::WithReason,
            _ => Transition::Never,
        }
    }

    /// The steps that a report takes its study: written, signed, or deleted when it was the only one.
    pub fn report_step(from: Self, to: Self) -> Transition {
        use StudyStatus::{Completed, Final, Preliminary};
        match (from, to) {
            (Completed, Preliminary | Final) => Transition::Free,
            (Preliminary, Final | Completed) => Transition::Free,
            _ => Transition::Never,
        }
    }

    /// Where the study goes when one of its reports reaches a status, or when the last of them is deleted.
    pub const fn following(report: Option<ReportStatus>) -> Option<Self> {
        match report {
            None => Some(Self::Completed),
            Some(ReportStatus::Preliminary) => Some(Self::Preliminary),
            Some(ReportStatus::Final) => Some(Self::Final),
            Some(ReportStatus::Amended | ReportStatus::Corrected) => None,
        }
    }

    /// What `studies.follow_report` has to know to let a study follow a report: null when it stays where it is.
    pub fn follow(report: Option<ReportStatus>) -> Value {
        Self::following(report).map_or(
            Value::Null,
            |status| json!({"status": status, "from": sources(Self::ALL, Self::report_step, status)}),
        )
    }

    /// Statuses in which a study takes a report: all its images are there.
    pub const REPORTABLE: &'static [Self] = &[Self::Completed, Self::Preliminary, Self::Final];

    /// What the first image moves to IN_PROGRESS.
    pub const BEFORE_IMAGES: &'static [Self] = &[Self::Scheduled, Self::Arrived];

    /// Nothing more is expected of a study here: when all of an order's studies are, the order may be completed.
    pub const SETTLED: &'static [Self] = &[Self::Completed, Self::Preliminary, Self::Final, Self::Cancelled];

    /// A study with a report: late images attach, but its reader is told.
    pub const REPORTED: &'static [Self] = &[Self::Preliminary, Self::Final];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OrderStatus, transition::table};
    use proptest::prelude::*;

    #[test]
    fn the_machine_is_the_table_of_the_contract() {
        insta::assert_snapshot!(table(StudyStatus::ALL, StudyStatus::step, StudyStatus::as_str), @r"
        SCHEDULED -> ARRIVED, IN_PROGRESS, CANCELLED
        ARRIVED -> SCHEDULED (r), IN_PROGRESS, CANCELLED
        IN_PROGRESS -> COMPLETED, CANCELLED (r)
        COMPLETED -> IN_PROGRESS (r)
        PRELIMINARY -> nothing
        FINAL -> nothing
        CANCELLED -> nothing
        ");
    }

    #[test]
    fn a_report_moves_its_study_as_the_contract_says() {
        insta::assert_snapshot!(table(StudyStatus::ALL, StudyStatus::report_step, StudyStatus::as_str), @r"
        SCHEDULED -> nothing
        ARRIVED -> nothing
        IN_PROGRESS -> nothing
        COMPLETED -> PRELIMINARY, FINAL
        PRELIMINARY -> COMPLETED, FINAL
        FINAL -> nothing
        CANCELLED -> nothing
        ");
    }

    fn statuses() -> impl Strategy<Value = StudyStatus> {
        prop::sample::select(StudyStatus::ALL)
    }

    proptest! {
        #[test]
        fn no_walk_of_allowed_steps_reaches_a_report_or_leaves_cancelled(walk in prop::collection::vec(statuses(), 0..40)) {
            let mut status = StudyStatus::Scheduled;
            for next in walk {
                if StudyStatus::step(status, next) != Transition::Never {
                    prop_assert_ne!(status, StudyStatus::Cancelled);
                    status = next;
                }
                prop_assert!(!StudyStatus::REPORTED.contains(&status));
            }
        }

        #[test]
        fn what_a_report_does_leaves_a_study_where_it_takes_reports(
            from in prop::sample::select(StudyStatus::REPORTABLE),
            report in prop::option::of(prop::sample::select(ReportStatus::ALL)),
        ) {
            if let Some(to) = StudyStatus::following(report) {
                let moves = StudyStatus::report_step(from, to) != Transition::Never;
                let after = if moves { to } else { from };
                prop_assert!(StudyStatus::REPORTABLE.contains(&after));
                prop_assert!(from != StudyStatus::Final || after == StudyStatus::Final);
                prop_assert_eq!(StudyStatus::REPORTED.contains(&after), report.is_some() || from == StudyStatus::Final);
            }
        }

        #[test]
        fn an_order_that_follows_its_study_takes_only_steps_of_its_own_machine(study in statuses()) {
            if let Some(target) = OrderStatus::following(study) {
                prop_assert!(OrderStatus::ALL.iter().any(|from| OrderStatus::step(*from, target) != Transition::Never));
            }
        }
    }
}

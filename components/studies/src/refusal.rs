//! What the refusals of the study functions mean to a caller.

use domain::{StudyStatus, targets};
use service::Error;

/// Explains why a study was not registered, changed, or brought to a status.
pub(crate) fn explain(status: Option<StudyStatus>) -> impl FnOnce(Error) -> Error {
    move |error| {
        let Error::Refused(refusal) = error else { return error };
        let current = refusal.text("current");
        match (refusal.code.as_str(), status) {
            ("transition", Some(status)) => {
                let allowed = current
                    .parse()
                    .map(|from| targets(StudyStatus::ALL, StudyStatus::step, from))
                    .unwrap_or_default();
                Error::illegal_transition(
                    "study_transition_not_allowed".to_owned(),
                    format!("The study is {current}, and cannot become {status} from there."),
                    current,
                    allowed.iter().map(ToString::to_string).collect(),
                )
            }
            ("order_not_open", _) => Error::illegal_transition(
                "order_not_open".to_owned(),
                format!("The order is {current}, and takes no more studies."),
                current,
                Vec::new(),
            ),
            ("no_images", _) => Error::conflict(
                "study_has_no_images",
                "A study is completed once it holds at least one image.",
            ),
            ("report_signed", _) => Error::conflict(
                "order_report_signed",
                "A report of this order is signed: amend the report, or place a new order.",
            ),
            _ => Error::Refused(refusal),
        }
    }
}

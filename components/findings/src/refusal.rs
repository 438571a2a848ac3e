//! What the refusals of the finding functions mean to a caller.

use domain::{FindingStatus, targets};
use service::Error;

/// Explains why a finding was not raised, acknowledged, declined or changed.
pub(crate) fn explain(error: Error) -> Error {
    let Error::Refused(refusal) = error else { return error };
    let current = refusal.text("current");
    let allowed = || {
        let allowed = current.parse().map(|from| targets(FindingStatus::ALL, FindingStatus::step, from));
        allowed.unwrap_or_default().iter().map(ToString::to_string).collect()
    };
    match refusal.code.as_str() {
        "transition" => Error::illegal_transition(
            "finding_already_acknowledged".to_owned(),
            format!("The finding is {current}: somebody has acknowledged it."),
            current,
            allowed(),
        ),
        "closed" => Error::illegal_transition(
            "finding_closed".to_owned(),
            "The finding is CLOSED: nothing more is noted.".to_owned(),
            current,
            allowed(),
        ),
        "study_cancelled" => Error::illegal_transition(
            "study_cancelled".to_owned(),
            format!("The study is {current}, and takes no findings."),
            current,
            Vec::new(),
        ),
        "already_declined" => Error::conflict(
            "finding_already_declined",
            "You have declined this finding already; somebody else is told of it.",
        ),
        "own_finding" => {
            Error::Forbidden("Whoever reported a finding does not acknowledge it: that takes somebody else.")
        }
        _ => Error::Refused(refusal),
    }
}

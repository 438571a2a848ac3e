//! What the refusals of the report functions mean to a caller.

use domain::{ReportStatus, targets};
use service::Error;

/// What was to be done with a report.
pub(crate) enum Act {
    Bring(ReportStatus),
    Remove,
}

/// Explains why a report was not written, changed, signed, amended or deleted.
pub(crate) fn explain(act: Act) -> impl FnOnce(Error) -> Error {
    move |error| {
        let Error::Refused(refusal) = error else { return error };
        let current = refusal.text("current");
        match refusal.code.as_str() {
            "transition" => {
                let allowed = current
                    .parse()
                    .map(|from| targets(ReportStatus::ALL, ReportStatus::step, from))
                    .unwrap_or_default();
                let (code, cannot) = act.refused();
                Error::illegal_transition(
                    code.to_owned(),
                    format!("The report is {current}, and {cannot}."),
                    current,
                    allowed.iter().map(ToString::to_string).collect(),
                )
            }
            "study_not_reportable" => Error::illegal_transition(
                "study_not_reportable".to_owned(),
                format!("The study is {current}: it takes a report once it is completed."),
                current,
                Vec::new(),
            ),
            _ => Error::Refused(refusal),
        }
    }
}

impl Act {
    const fn refused(&self) -> (&'static str, &'static str) {
        match self {
            Self::Bring(ReportStatus::Preliminary) => {
                ("report_not_editable", "is changed by an amendment only, since it is signed")
            }
            Self::Bring(ReportStatus::Final) => ("report_already_signed", "is not signed a second time"),
            Self::Bring(ReportStatus::Amended | ReportStatus::Corrected) => {
                ("report_not_amendable", "is edited, not amended, as long as nobody has signed it")
            }
            Self::Remove => ("report_not_deletable", "stays for good, since it is signed"),
        }
    }
}

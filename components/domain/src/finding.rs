//! Critical findings: what may follow what, and when there is nothing left to do.

use serde::Serialize;
use serde_json::Value;

use crate::{ExternalId, Fault, Parse, enumeration::enumeration, transition::Transition};

enumeration! {
    Severity { Critical = "CRITICAL", High = "HIGH", Moderate = "MODERATE", Low = "LOW" }
}

impl Severity {
    /// Acknowledged only with a read-back: the finding in the words of who takes it.
    pub const READ_BACK: &'static [Self] = &[Self::Critical];
}

enumeration! {
    /// Who says so: a person, or the DICOM file itself.
    FindingSource { Radiologist = "RADIOLOGIST", Dicom = "DICOM" }
}

enumeration! {
    FindingStatus {
        Open = "OPEN",
        /// A message has reached somebody; nobody has taken it on yet.
        Notified = "NOTIFIED",
        Acknowledged = "ACKNOWLEDGED",
        Closed = "CLOSED",
    }
}

impl FindingStatus {
    /// The state machine of a finding. A delivery or a look is never an acknowledgement.
    pub fn step(from: Self, to: Self) -> Transition {
        use FindingStatus::{Acknowledged, Closed, Notified, Open};
        match (from, to) {
            (Open, Notified | Acknowledged) => Transition::Free,
            (Notified, Acknowledged) => Transition::Free,
            // Once follow-up is done or not required, which the SQL function knows.
            (Acknowledged, Closed) => Transition::Free,
            _ => Transition::Never,
        }
    }

    /// Statuses in which follow-up may still be noted.
    pub const CHANGEABLE: &'static [Self] = &[Self::Open, Self::Notified, Self::Acknowledged];
}

/// What a follow-up status says, in capitals, when nothing more is to be done.
pub const FOLLOW_UP_DONE: &[&str] = &["COMPLETED", "NOT_REQUIRED"];

/// People to be told, each named once. There may be none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Recipients(Vec<ExternalId>);

impl Recipients {
    /// The most that are named in one place.
    pub const MOST: usize = 50;
}

impl Parse for Recipients {
    fn parse(value: &Value) -> Result<Self, Fault> {
        let named = value.as_array().ok_or_else(|| Fault::new("must be a list of ids"))?;
        if named.len() > Self::MOST {
            return Err(Fault::new(format!("must name at most {} people", Self::MOST)));
        }
        let mut recipients = Vec::with_capacity(named.len());
        for id in named {
            let id =
                ExternalId::parse(id).map_err(|fault| Fault::new(format!("holds an id that {fault}")))?;
            if recipients.contains(&id) {
                return Err(Fault::new("must name each person once"));
            }
            recipients.push(id);
        }
        Ok(Self(recipients))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transition::table;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn the_machine_is_the_table_of_the_contract() {
        insta::assert_snapshot!(table(FindingStatus::ALL, FindingStatus::step, FindingStatus::as_str), @r"
        OPEN -> NOTIFIED, ACKNOWLEDGED
        NOTIFIED -> ACKNOWLEDGED
        ACKNOWLEDGED -> CLOSED
        CLOSED -> nothing
        ");
    }

    #[test]
    fn recipients_are_ids_each_named_once() {
        let fault = |value: Value| Recipients::parse(&value).unwrap_err().to_string();
        assert!(Recipients::parse(&json!([])).is_ok());
        assert!(Recipients::parse(&json!(["dr-1", "dr-2"])).is_ok());
        assert_eq!(fault(json!("dr-1")), "must be a list of ids");
        assert_eq!(fault(json!(["dr-1", 2])), "holds an id that must be a string");
        assert_eq!(fault(json!(["dr-1", " "])), "holds an id that must not be empty");
        assert_eq!(fault(json!(["dr-1", "dr-2", "dr-1"])), "must name each person once");
        let many: Vec<String> = (0..51).map(|number| format!("dr-{number}")).collect();
        assert_eq!(fault(json!(many)), "must name at most 50 people");
    }

    proptest! {
        #[test]
        fn no_walk_of_allowed_steps_goes_back_or_closes_what_nobody_acknowledged(
            walk in prop::collection::vec(prop::sample::select(FindingStatus::ALL), 0..20),
        ) {
            let mut been = vec![FindingStatus::Open];
            for next in walk {
                let status = been[been.len() - 1];
                if FindingStatus::step(status, next) != Transition::Never {
                    prop_assert!(next > status, "{status} to {next}");
                    been.push(next);
                }
            }
            if been.contains(&FindingStatus::Closed) {
                prop_assert!(been.contains(&FindingStatus::Acknowledged));
            }
        }
    }
}

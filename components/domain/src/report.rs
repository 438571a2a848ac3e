//! Radiology reports: what may follow what, what only a signed or an amended one has, and what a report says.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    Caller, ExternalId, Fault, Line, Parse, Prose, ReportId, StudyId,
    enumeration::enumeration,
    transition::{Transition, sources},
};

enumeration! {
    ReportStatus {
        Preliminary = "PRELIMINARY",
        Final = "FINAL",
        Amended = "AMENDED",
        Corrected = "CORRECTED",
    }
}

enumeration! {
    /// As what a report may be written at first.
    FirstStatus { Preliminary = "PRELIMINARY", Final = "FINAL" }
}

enumeration! {
    /// How a signed report is changed.
    Amendment {
        /// Something was added or put otherwise.
        Amended = "AMENDED",
        /// Something was wrong.
        Corrected = "CORRECTED",
    }
}

impl ReportStatus {
    /// The state machine of a report. Each step makes a content version.
    pub fn step(from: Self, to: Self) -> Transition {
        use ReportStatus::{Amended, Corrected, Final, Preliminary};
        match (from, to) {
            // Edited, or signed.
            (Preliminary, Preliminary | Final) => Transition::Free,
            (Final | Amended | Corrected, Amended | Corrected) => Transition::WithReason,
            _ => Transition::Never,
        }
    }

    /// A radiologist has put a name to it.
    pub const SIGNED: &'static [Self] = &[Self::Final, Self::Amended, Self::Corrected];

    /// Nobody has put a name to it: it may be deleted.
    pub const UNSIGNED: &'static [Self] = &[Self::Preliminary];
}

/// The name under a version of a report: whose it is, and how it is shown. It is put there only where the caller's
/// `Right::SignReport` reaches, which is the report's own radiologist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Signature {
    signed_by_id: ExternalId,
    signed_by: Option<Line>,
}

impl Signature {
    /// The caller's, shown as the radiologist's name unless another way is given.
    pub fn of(caller: &Caller, shown_as: Option<Line>) -> Self {
        Self { signed_by_id: caller.id.clone(), signed_by: shown_as }
    }
}

/// What a report is to be from now on, with what only such a report has: one that is signed cannot be written without
/// its signer, nor one that is amended without the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Preliminary,
    Final { signature: Signature },
    Amended { kind: Amendment, reason: Prose, signature: Signature },
}

impl Standing {
    pub const fn status(&self) -> ReportStatus {
        match self {
            Self::Preliminary => ReportStatus::Preliminary,
            Self::Final { .. } => ReportStatus::Final,
            Self::Amended { kind: Amendment::Amended, .. } => ReportStatus::Amended,
            Self::Amended { kind: Amendment::Corrected, .. } => ReportStatus::Corrected,
        }
    }

    pub const fn reason(&self) -> Option<&Prose> {
        match self {
            Self::Amended { reason, .. } => Some(reason),
            Self::Preliminary | Self::Final { .. } => None,
        }
    }

    /// What the SQL functions have to know to bring a report there; the reason travels sealed.
    pub fn step(&self) -> Map<String, Value> {
        let signature = match self {
            Self::Preliminary => None,
            Self::Final { signature } | Self::Amended { signature, .. } => Some(signature),
        };
        Map::from_iter([
            ("status".to_owned(), json!(self.status())),
            ("from".to_owned(), sources(ReportStatus::ALL, ReportStatus::step, self.status())),
            ("signature".to_owned(), json!(signature)),
        ])
    }
}

/// What a report says, and as whose it says so: what its versions are of and its hash is made of. Each field is there
/// by its name, and one without a value is not.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Content(BTreeMap<&'static str, Value>);

impl Content {
    pub const FIELDS: &'static [&'static str] = &[
        "clinicalHistory",
        "technique",
        "comparison",
        "findings",
        "impression",
        "recommendations",
        "macros",
        "template",
        "radiologistId",
        "radiologistName",
    ];

    /// The content of a report as the wire shows it.
    pub fn of(report: &Value) -> Self {
        Self::default().with(|field| report.get(field))
    }

    /// The same with other values where there is one; null takes a field out.
    pub fn with<'a>(mut self, value_of: impl Fn(&str) -> Option<&'a Value>) -> Self {
        for field in Self::FIELDS {
            match value_of(field) {
                None => {}
                Some(Value::Null) => drop(self.0.remove(field)),
                Some(value) => drop(self.0.insert(field, value.clone())),
            }
        }
        self
    }

    /// What the hash of a report was taken of, as the wire shows it; nothing when it does not say which report it is.
    pub fn bound_of(report: &Value) -> Option<impl Serialize> {
        let id = |name| report.get(name).and_then(Value::as_str);
        let (report_id, study): (ReportId, StudyId) = (id("id")?.parse().ok()?, id("studyId")?.parse().ok()?);
        Some((report_id, study, Self::of(report)))
    }

    /// What the hash is taken of. Of the report as well, so that two patients' reports that say the same are not
    /// seen to. Written as JSON without spaces and with its members in order it has one form only.
    pub fn bound(&self, report: ReportId, study: StudyId) -> impl Serialize {
        (report, study, self)
    }
}

/// What a reporting client made its texts from, which nobody here looks into: an object, an array or a text, of at most
/// 64 KiB of JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Macros(Value);

impl Parse for Macros {
    fn parse(value: &Value) -> Result<Self, Fault> {
        if !matches!(value, Value::Object(_) | Value::Array(_) | Value::String(_)) {
            return Err(Fault::new("must be an object, an array or a string"));
        }
        if value.to_string().len() > 64 * 1024 {
            return Err(Fault::new("must be at most 64 KiB of JSON"));
        }
        Ok(Self(value.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Role, transition::table};
    use proptest::prelude::*;

    #[test]
    fn the_machine_is_the_table_of_the_contract() {
        insta::assert_snapshot!(table(ReportStatus::ALL, ReportStatus::step, ReportStatus::as_str), @r"
        PRELIMINARY -> PRELIMINARY, FINAL
        FINAL -> AMENDED (r), CORRECTED (r)
        AMENDED -> AMENDED (r), CORRECTED (r)
        CORRECTED -> AMENDED (r), CORRECTED (r)
        ");
    }

    fn signature() -> Signature {
        let id = |text: &str| ExternalId::try_from(text).unwrap();
        let radiologist = Caller {
            organization: id("org-1"),
            id: id("r-1"),
            role: Role::Radiologist,
            facilities: Vec::new(),
            patient: None,
            emergency: false,
        };
        Signature::of(&radiologist, Line::try_from("Dr. Doe").ok())
    }

    #[test]
    fn what_is_to_be_has_what_only_it_has() {
        let amended = |kind| Standing::Amended {
            kind,
            reason: Prose::try_from("The side was wrong").unwrap(),
            signature: signature(),
        };
        let steps = [
            Standing::Preliminary,
            Standing::Final { signature: signature() },
            amended(Amendment::Amended),
            amended(Amendment::Corrected),
        ]
        .map(|standing| format!("{}\n", Value::Object(standing.step())));
        insta::assert_snapshot!(steps.concat(), @r#"
        {"from":{"PRELIMINARY":false},"signature":null,"status":"PRELIMINARY"}
        {"from":{"PRELIMINARY":false},"signature":{"signedBy":"Dr. Doe","signedById":"r-1"},"status":"FINAL"}
        {"from":{"AMENDED":true,"CORRECTED":true,"FINAL":true},"signature":{"signedBy":"Dr. Doe","signedById":"r-1"},"status":"AMENDED"}
        {"from":{"AMENDED":true,"CORRECTED":true,"FINAL":true},"signature":{"signedBy":"Dr. Doe","signedById":"r-1"},"status":"CORRECTED"}
        "#);
    }

    #[test]
    fn one_content_has_one_form_whatever_was_left_out_or_cleared() {
        let (report, study) = (ReportId::mint(), StudyId::mint());
        let written = |text: &str| {
            let report_read = serde_json::from_str(text).unwrap();
            serde_json::to_string(&Content::of(&report_read).bound(report, study)).unwrap()
        };
        let plain = written(r#"{"impression":"Normal","findings":"None","macros":{"b":1,"a":[2.50,"ä"]}}"#);
        assert_eq!(
            plain,
            format!(
                r#"["{report}","{study}",{{"findings":"None","impression":"Normal","macros":{{"a":[2.5,"ä"],"b":1}}}}]"#
            )
        );
        let otherwise = r#"{"macros": {"a": [2.5, "\u00e4"], "b": 1}, "technique": null, "findings": "None",
            "impression": "Normal", "status": "FINAL", "signedBy": "Dr. Doe", "version": 7}"#;
        assert_eq!(written(otherwise), plain);
    }

    #[test]
    fn macros_are_bounded_and_of_a_kind_that_old_clients_send() {
        for fit in [json!({}), json!([]), json!(""), json!({"sealed": {"reports": {"findings": "x"}}})] {
            assert!(Macros::parse(&fit).is_ok(), "{fit}");
        }
        for unfit in [json!(null), json!(1), json!(true), json!("x".repeat(64 * 1024 - 1))] {
            assert!(Macros::parse(&unfit).is_err());
        }
        assert!(Macros::parse(&json!("x".repeat(64 * 1024 - 2))).is_ok());
    }

    fn statuses() -> impl Strategy<Value = ReportStatus> {
        prop::sample::select(ReportStatus::ALL)
    }

    proptest! {
        #[test]
        fn no_walk_of_allowed_steps_signs_twice_or_takes_a_signature_back(walk in prop::collection::vec(statuses(), 0..40)) {
            let mut status = ReportStatus::Preliminary;
            let mut signed = 0;
            for next in walk {
                match ReportStatus::step(status, next) {
                    Transition::Never => continue,
                    step => prop_assert_eq!(step == Transition::WithReason, ReportStatus::SIGNED.contains(&status)),
                }
                if next == ReportStatus::Final {
                    signed += 1;
                }
                status = next;
                prop_assert_eq!(ReportStatus::SIGNED.contains(&status), signed == 1);
                prop_assert_ne!(ReportStatus::SIGNED.contains(&status), ReportStatus::UNSIGNED.contains(&status));
            }
        }

        #[test]
        fn a_change_leaves_alone_what_it_does_not_name(
            before in prop::collection::btree_map(prop::sample::select(Content::FIELDS), "[a-c]{0,2}", 0..10),
            change in prop::collection::btree_map(
                prop::sample::select(Content::FIELDS), prop::option::of("[a-c]{0,2}"), 0..10),
        ) {
            let as_value = |text: &Option<String>| text.as_ref().map_or(Value::Null, |text| json!(text));
            let change: BTreeMap<&str, Value> =
                change.iter().map(|(field, text)| (*field, as_value(text))).collect();
            let changed = Content::of(&json!(before)).with(|field| change.get(field));
            for field in Content::FIELDS {
                let expected = match change.get(field) {
                    Some(value) => Some(value.clone()).filter(|value| !value.is_null()),
                    None => before.get(field).map(|text| json!(text)),
                };
                prop_assert_eq!(changed.0.get(field), expected.as_ref());
            }
        }
    }
}

//! What is asked of the EHR: who a patient is, and who cares for that patient.

use serde_json::Value;

use super::{
    Demographics, Exchange, Faults, System, care_team,
    exchange::{escaped, is_id, token},
    patient::may_name,
};
use crate::{ExternalId, Fault, enumeration::enumeration};

enumeration! {
    Question {
        Patient = "PATIENT",
        CareTeam = "CARE_TEAM",
    }
}

impl Exchange<'_> {
    /// Where a question about a patient is asked, below the address of the other system; with GET.
    pub fn place_of(self, question: Question, patient: &str) -> String {
        let identifier = || escaped(&token(&self.system(System::Patient), patient));
        match question {
            Question::Patient if is_id(patient) => format!("Patient/{patient}"),
            Question::Patient => format!("Patient?identifier={}", identifier()),
            Question::CareTeam if is_id(patient) => {
                format!("CareTeam?patient=Patient%2F{patient}&status=active")
            }
            Question::CareTeam => format!("CareTeam?patient.identifier={}&status=active", identifier()),
        }
    }
}

impl Demographics {
    /// Reads what was answered when a patient was asked for: the patient, or a Bundle that holds nothing else. It must be
    /// the one who was asked for, by id or by an identifier.
    pub fn answered(answer: &Value, patient: &str, today: &str) -> Result<Self, Faults> {
        let entries = answer.get("entry").and_then(Value::as_array);
        let found: Vec<&Value> = entries
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.get("resource"))
            .filter(|resource| is_kind(resource, "Patient"))
            .collect();
        let resource = match found.as_slice() {
            _ if !is_kind(answer, "Bundle") => answer,
            [one] => one,
            _ => return Err(fault("Bundle.entry", "must hold one Patient")),
        };
        let said = Self::read(resource, today)?;
        if !names(resource, patient) {
            return Err(fault("Patient.id", "is not the patient who was asked for"));
        }
        Ok(said)
    }
}

/// Reads who cares for a patient, as `YYYY-MM-DD` of today, from what was answered: each by the id that a practitioner has.
pub fn members(answer: &Value, today: &str) -> Result<Vec<ExternalId>, Faults> {
    if !is_kind(answer, "Bundle") {
        return Err(fault("Bundle", "is expected"));
    }
    let entries = answer.get("entry").and_then(Value::as_array);
    let teams = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.get("resource"))
        .filter(|resource| is_kind(resource, "CareTeam"));
    Ok(care_team::members(teams, today))
}

fn is_kind(resource: &Value, kind: &str) -> bool {
    resource.get("resourceType").and_then(Value::as_str) == Some(kind)
}

/// Whether a patient's record is the one that is known by this id: by its own, or by an identifier that names a patient.
fn names(resource: &Value, patient: &str) -> bool {
    let is = |value: Option<&Value>| value.and_then(Value::as_str) == Some(patient);
    let identifiers = resource.get("identifier").and_then(Value::as_array).into_iter().flatten();
    is(resource.get("id"))
        || identifiers.filter(|identifier| may_name(identifier)).any(|identifier| is(identifier.get("value")))
}

fn fault(element: &str, message: &str) -> Faults {
    vec![(element.to_owned(), Fault::new(message))]
}

//! Patient: what the EHR says of a patient.

use serde_json::Value;

use super::{
    Faults,
    element::{self, Element},
};
use crate::{BirthDate, ExternalId, Sex, dicom::PersonName};

/// The elements that R4 has; those that mean nothing here are read over.
const ELEMENTS: &[&str] = &[
    "identifier",
    "active",
    "name",
    "telecom",
    "gender",
    "birthDate",
    "deceasedBoolean",
    "deceasedDateTime",
    "address",
    "maritalStatus",
    "multipleBirthBoolean",
    "multipleBirthInteger",
    "photo",
    "contact",
    "communication",
    "generalPractitioner",
    "managingOrganization",
    "link",
];

/// Who a patient is. What is not said is not known, and changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demographics {
    pub patient_id: ExternalId,
    pub name: Option<PersonName>,
    pub birth_date: Option<BirthDate>,
    pub sex: Option<Sex>,
}

impl Demographics {
    /// Reads a Patient that was sent, or that was asked for.
    pub fn read(resource: &Value) -> Result<Self, Faults> {
        element::read(resource, "Patient", ELEMENTS, |patient| {
            let patient_id = patient_id(patient);
            let name = name(patient);
            let birth_date = patient.parse::<BirthDate>("birthDate");
            let sex = patient.code(
                "gender",
                &[("male", Some("M")), ("female", Some("F")), ("other", Some("O")), ("unknown", None)],
            );
            let sex = sex.flatten().and_then(|sex| Sex::try_from(sex).ok());
            for link in patient.each("link") {
                if link.text("type") == Some("replaced-by") {
                    link.fault(
                        "says that it is another patient's record now: that is for a person to decide",
                    );
                }
            }
            if name.is_none() && birth_date.is_none() && sex.is_none() {
                patient.required::<()>("name", None);
            }
            Some(Self { patient_id: patient_id?, name, birth_date, sex })
        })
    }
}

/// Who it is to the platform: the record's id, else its medical record number, else the only identifier that there is.
fn patient_id(patient: &Element<'_>) -> Option<ExternalId> {
    if patient.text("id").is_some() {
        return patient.parse("id");
    }
    let identifiers = patient.each("identifier");
    let is_number = |identifier: &&Element<'_>| {
        let kind = identifier.child("type");
        kind.is_some_and(|kind| kind.each("coding").iter().any(|coding| coding.text("code") == Some("MR")))
    };
    let numbers: Vec<_> = identifiers.iter().filter(is_number).collect();
    let identifier = match (numbers.as_slice(), identifiers.as_slice()) {
        ([number], _) => Some(*number),
        ([], [identifier]) => Some(identifier),
        _ => None,
    };
    match identifier {
        Some(identifier) => identifier.required("value", identifier.parse("value")),
        None => {
            patient
                .fault_of("identifier", "must name one patient: by id, or by a medical record number (MR)");
            None
        }
    }
}

/// The name as DICOM writes it (PS3.5 6.2.1): the official one, else the usual one, else the first that is not old.
fn name(patient: &Element<'_>) -> Option<PersonName> {
    let names = patient.each("name");
    let of_use = |wanted: &str| names.iter().find(|name| name.text("use") == Some(wanted));
    let current =
        || names.iter().find(|name| !name.text("use").is_some_and(|of| ["old", "maiden"].contains(&of)));
    let name = of_use("official").or_else(|| of_use("usual")).or_else(current)?;
    let texts = |part: &str| {
        let parts = name.members().and_then(|name| name.get(part)).and_then(Value::as_array);
        let parts = parts.into_iter().flatten().filter_map(Value::as_str).map(plain);
        parts.filter(|part| !part.is_empty()).collect::<Vec<_>>()
    };
    let given = texts("given");
    let (first, middle) = given
        .split_first()
        .map_or((String::new(), String::new()), |(first, middle)| (first.clone(), middle.join(" ")));
    let family = name.text("family").map(plain).unwrap_or_default();
    let (prefix, suffix) = (texts("prefix").join(" "), texts("suffix").join(" "));
    let written = if family.is_empty() && first.is_empty() {
        name.text("text").map(plain).unwrap_or_default()
    } else {
        [family, first, middle, prefix, suffix].join("^")
    };
    if written.is_empty() {
        name.fault("must hold a family or given name, or a text");
        return None;
    }
    written.parse().map_err(|fault: crate::dicom::InvalidPersonName| name.fault(message(fault))).ok()
}

fn message(_: crate::dicom::InvalidPersonName) -> &'static str {
    "must be a name that DICOM can carry: at most 64 characters, without control characters"
}

/// A part of a name without what DICOM parts names with.
fn plain(part: &str) -> String {
    let plain = part.replace(['^', '=', '\\'], " ");
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

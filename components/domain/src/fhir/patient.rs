//! Patient: what the EHR says of a patient.

use serde_json::{Value, json};

use super::{
    Faults,
    element::{self, Element},
    exchange::{is_over, text},
};
use crate::{BirthDate, ExternalId, Parse, Sex, dicom::PersonName};

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
    /// Reads a Patient that was sent, or that was asked for, with the names that hold today, as `YYYY-MM-DD`.
    pub fn read(resource: &Value, today: &str) -> Result<Self, Faults> {
        element::read(resource, "Patient", ELEMENTS, |patient| {
            let patient_id = patient_id(patient);
            let name = name(patient, today);
            let birth_date = birth_date(patient);
            let sex = patient.code(
                "gender",
                &[("male", Some("M")), ("female", Some("F")), ("other", Some("O")), ("unknown", None)],
            );
            let sex = sex.flatten().and_then(|sex| Sex::try_from(sex).ok());
            if patient.parse::<bool>("active") == Some(false) {
                patient.fault_of(
                    "active",
                    "says that the record is not in use any more: that is for a person to decide",
                );
            }
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

    /// What is said, by the names that the fields of a study have.
    pub fn fields(&self) -> [(&'static str, Option<Value>); 3] {
        [
            ("patientName", self.name.as_ref().map(|name| json!(name))),
            ("patientDOB", self.birth_date.map(|date| json!(date))),
            ("patientSex", self.sex.as_ref().map(|sex| json!(sex))),
        ]
    }
}

/// Who it is to the platform: the record's id, else its medical record number, else the only identifier that is not said to
/// be of some other kind.
fn patient_id(patient: &Element<'_>) -> Option<ExternalId> {
    if patient.text("id").is_some() {
        return patient.parse("id");
    }
    let identifiers = patient.each("identifier");
    let of_kind = |wanted| {
        let fits = move |element: &&Element<'_>| kind_of(element.value()) == wanted;
        identifiers.iter().filter(fits).collect::<Vec<_>>()
    };
    let (numbers, untold) = (of_kind(Kind::RecordNumber), of_kind(Kind::Untold));
    let identifier = match (numbers.as_slice(), untold.as_slice()) {
        ([identifier], _) | ([], [identifier]) => Some(*identifier),
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

/// What kind of number an identifier is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A medical record number.
    RecordNumber,
    Untold,
    Other,
}

fn kind_of(identifier: &Value) -> Kind {
    let Some(kind) = identifier.get("type") else { return Kind::Untold };
    let mut codings = kind.get("coding").and_then(Value::as_array).into_iter().flatten();
    if codings.any(|coding| text(coding, "code") == Some("MR")) { Kind::RecordNumber } else { Kind::Other }
}

/// Whether an identifier may be what a patient's record is known by: a social security number and its like never are.
pub(super) fn may_name(identifier: &Value) -> bool {
    kind_of(identifier) != Kind::Other
}

/// The day of birth. A year or a month alone, which R4 lets it be, is not known.
fn birth_date(patient: &Element<'_>) -> Option<BirthDate> {
    let said = text(patient.value(), "birthDate").unwrap_or_default();
    let first_day = match said.len() {
        4 => Some(format!("{said}-01-01")),
        7 => Some(format!("{said}-01")),
        _ => None,
    };
    if first_day.is_some_and(|day| BirthDate::parse(&json!(day)).is_ok()) {
        return None;
    }
    patient.parse("birthDate")
}

/// Uses of a name that a study is not filed under.
const OTHER_USES: [&str; 5] = ["old", "maiden", "nickname", "anonymous", "temp"];

/// The name as DICOM writes it (PS3.5 6.2.1): the official one, else the usual one, else the first that is the patient's own;
/// of those that hold by now.
fn name(patient: &Element<'_>, today: &str) -> Option<PersonName> {
    let is_current = |name: &Element<'_>| {
        !is_over(name.value(), today) && !name.text("use").is_some_and(|of| OTHER_USES.contains(&of))
    };
    let names: Vec<_> = patient.each("name").into_iter().filter(is_current).collect();
    let of_use = |wanted: &str| names.iter().find(|name| name.text("use") == Some(wanted));
    let name = of_use("official").or_else(|| of_use("usual")).or_else(|| names.first())?;
    let texts = |part: &str| {
        let parts = name.value().get(part).and_then(Value::as_array);
        let parts = parts.into_iter().flatten().filter_map(Value::as_str).map(plain);
        parts.filter(|part| !part.is_empty()).collect::<Vec<_>>()
    };
    let given = texts("given");
    let (first, middle) = given
        .split_first()
        .map_or((String::new(), String::new()), |(first, middle)| (first.clone(), middle.join(" ")));
    let family = name.text("family").map(plain).unwrap_or_default();
    // In a text alone nobody but a person can tell the family from the given name.
    if family.is_empty() && first.is_empty() {
        name.fault("must hold a family or given name");
        return None;
    }
    let (prefix, suffix) = (texts("prefix").join(" "), texts("suffix").join(" "));
    let written = [family, first, middle, prefix, suffix].join("^");
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

//! How this service names things in FHIR: the systems of its numbers, and references to what it and others have.

use serde_json::{Map, Value, json};

use crate::{Modality, enumeration::enumeration};

/// The code system of modalities (DICOM PS3.16 annex D).
pub(super) const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
/// The system of DICOM UIDs, each written as `urn:oid:…`.
pub(super) const DICOM_UID: &str = "urn:dicom:uid";
/// What kind of number an identifier is (HL7 v2 table 0203).
const IDENTIFIER_TYPE: &str = "http://terminology.hl7.org/CodeSystem/v2-0203";

enumeration! {
    /// The systems of what this service numbers and knows by number, as the end of their URI.
    System {
        OrderNumber = "order-number",
        AccessionNumber = "accession-number",
        ReportNumber = "report-number",
        Finding = "finding",
        Patient = "patient",
        Practitioner = "practitioner",
        Location = "location",
    }
}

/// Whose documents become resources, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    organization: &'a str,
    /// Whether they are read from this service, where its ids mean something.
    pub(super) here: bool,
}

/// A resource that is sent: made where it is not there yet, and replaced where it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// Below the address of the other system; to be sent with PUT.
    pub path: String,
    pub resource: Value,
}

impl<'a> Exchange<'a> {
    /// Resources that are read from this service.
    pub const fn here(organization: &'a str) -> Self {
        Self { organization, here: true }
    }

    /// Resources that are sent to another system. It gives them ids of its own, and knows ours by their identifiers.
    pub const fn elsewhere(organization: &'a str) -> Self {
        Self { organization, here: false }
    }

    /// The URI of a system of this organization.
    pub(super) fn system(self, system: System) -> String {
        format!("urn:imaging:{}:{system}", escaped(self.organization))
    }

    /// The system of ours that a URI names.
    pub(super) fn system_of(self, uri: &str) -> Option<System> {
        System::ALL.iter().copied().find(|system| self.system(*system) == uri)
    }

    pub(super) fn identifier(self, system: System, value: &str) -> Value {
        let kind = match system {
            System::OrderNumber => "FILL",
            System::AccessionNumber => "ACSN",
            System::Patient => "MR",
            _ => "",
        };
        let coding = if kind.is_empty() {
            Value::Null
        } else {
            json!({"coding": [{"system": IDENTIFIER_TYPE, "code": kind}]})
        };
        json!({"type": coding, "system": self.system(system), "value": words(value)})
    }

    /// A reference to what another system has: a patient, a practitioner, a place.
    pub(super) fn theirs(self, kind: &str, system: System, id: Option<&str>) -> Value {
        let Some(id) = id else { return Value::Null };
        let reference = is_id(id).then(|| format!("{kind}/{id}"));
        json!({"reference": reference, "type": kind, "identifier": self.identifier(system, id)})
    }

    /// A reference to what this service has.
    pub(super) fn ours(self, kind: &str, id: Option<&str>, identifier: Value) -> Value {
        let reference = id.filter(|_| self.here).map(|id| format!("{kind}/{id}"));
        if reference.is_none() && identifier.is_null() {
            return Value::Null;
        }
        json!({"reference": reference, "type": kind, "identifier": identifier})
    }

    /// The frame of every resource.
    pub(super) fn resource(self, kind: &str, document: &Value, elements: Value) -> Value {
        let mut resource = Map::from_iter([("resourceType".to_owned(), json!(kind))]);
        if self.here {
            let version = document.get("version").and_then(Value::as_i64).map(|version| version.to_string());
            resource.insert("id".to_owned(), json!(text(document, "id")));
            // The version of a study does not count its images, of which an ImagingStudy says a lot.
            if kind != "ImagingStudy" {
                resource.insert(
                    "meta".to_owned(),
                    json!({"versionId": version, "lastUpdated": text(document, "updatedAt")}),
                );
            }
        }
        if let Value::Object(elements) = elements {
            resource.extend(elements);
        }
        compact(Value::Object(resource)).unwrap_or_default()
    }

    /// How a resource is sent: by the first of its identifiers.
    pub(super) fn update(resource: Value) -> Option<Update> {
        let kind = text(&resource, "resourceType")?;
        let identifier = resource.pointer("/identifier/0")?;
        let token = token(text(identifier, "system")?, text(identifier, "value")?);
        let path = format!("{kind}?identifier={}", escaped(&token));
        Some(Update { path, resource })
    }
}

/// An identifier as it is searched by, `system|value`. What parts parameters has a backslash before it where it parts
/// nothing (R4, Search, "Escaping Search Parameters"); in an address the whole is escaped once more.
pub(super) fn token(system: &str, value: &str) -> String {
    let literal = |text: &str| {
        text.chars().fold(String::with_capacity(text.len()), |mut literal, character| {
            if PARTING.contains(&character) {
                literal.push('\\');
            }
            literal.push(character);
            literal
        })
    };
    format!("{}|{}", literal(system), literal(value))
}

/// What parts the parameters of a search, and what takes that meaning from them.
pub(super) const PARTING: [char; 4] = ['\\', ',', '|', '$'];

/// A moment of a document. One that is midnight was given as a day (`studyDate` and its like take both), and midnight is
/// not when it was.
pub(super) fn day_or_moment<'a>(document: &'a Value, name: &str) -> Option<&'a str> {
    let moment = text(document, name)?;
    let day = ["T00:00:00.000Z", "T00:00:00Z"].iter().find_map(|midnight| moment.strip_suffix(midnight));
    Some(day.unwrap_or(moment))
}

/// A text of a document.
pub(super) fn text<'a>(document: &'a Value, name: &str) -> Option<&'a str> {
    document.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

/// The same as FHIR takes a string: of white space only spaces, tabs and line breaks, no control characters.
pub(super) fn words_of(document: &Value, name: &str) -> Option<String> {
    text(document, name).map(words)
}

pub(super) fn words(text: &str) -> String {
    let plain = |character: char| match character {
        '\n' | '\r' | '\t' => Some(character),
        character if character.is_whitespace() => Some(' '),
        character if character.is_control() || character == '\u{FEFF}' => None,
        character => Some(character),
    };
    text.chars().filter_map(plain).collect::<String>().trim().to_owned()
}

/// The codings of a modality: of one that is two machines, both.
pub(super) fn codings_of(modality: Option<&str>) -> Vec<Value> {
    let modality = modality.and_then(|code| code.parse::<Modality>().ok());
    let codes: &[&str] = match modality {
        None => &[],
        Some(Modality::PetCt) => &["PT", "CT"],
        Some(modality) => &[modality.code()],
    };
    codes.iter().map(|code| json!({"system": DCM, "code": code})).collect()
}

/// Whether FHIR lets it be an id (R4 2.24.0.1).
pub(super) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

/// A value without members that say nothing: FHIR has no null, no empty text, list or object (R4 2.6.2).
pub(super) fn compact(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) => (!text.is_empty()).then_some(Value::String(text)),
        Value::Array(values) => {
            let values: Vec<Value> = values.into_iter().filter_map(compact).collect();
            (!values.is_empty()).then_some(Value::Array(values))
        }
        Value::Object(members) => {
            let members: Map<String, Value> =
                members.into_iter().filter_map(|(name, value)| Some((name, compact(value)?))).collect();
            (!members.is_empty()).then_some(Value::Object(members))
        }
        value => Some(value),
    }
}

/// Whether the period of something has ended before today. Its end may be a year, a month, a day or a moment
/// (R4 2.24.0.1), and holds to the end of that.
pub(super) fn is_over(of: &Value, today: &str) -> bool {
    let Some(end) = of.get("period").and_then(|period| text(period, "end")) else { return false };
    let day: String = end.chars().take(today.len()).collect();
    today.get(..day.len()).is_some_and(|now| day.as_str() < now)
}

/// Text as it stands in a URI (RFC 3986 2.1).
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

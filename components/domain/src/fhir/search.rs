//! The parameters of a search.

use serde::Serialize;
use serde_json::Value;

use super::{
    Exchange, Identifier, Known,
    element::id_in,
    exchange::{DICOM_UID, PARTING, System},
};
use crate::{ExternalId, Fault, Parse, enumeration::enumeration, parse};

enumeration! {
    /// How a reply may be wanted: it is always the same.
    Format {
        Short = "json",
        Plain = "application/json",
        Fhir = "application/fhir+json",
        /// The same from a client that does not escape the plus, which means a space in a query.
        FhirUnescaped = "application/fhir json",
    }
}

/// A patient, as `Patient/1`, by an address that ends so, or by the id alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatientReference(pub ExternalId);

impl Parse for PatientReference {
    fn parse(value: &Value) -> Result<Self, Fault> {
        let text = parse::text(value)?;
        let is_address =
            text.starts_with("Patient/") || text.starts_with("https://") || text.starts_with("http://");
        let id = id_in(text, &["Patient"]).filter(|_| is_address);
        id.unwrap_or(text).try_into().map(Self)
    }
}

/// How many a page is to hold: as many as asked for, but for a most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize(usize);

impl PageSize {
    /// The most that a page holds; whoever asks for more gets as many, and the next page (R4, Search, "Page Count").
    pub const MOST: usize = 100;

    pub const fn get(self) -> usize {
        self.0
    }
}

impl Parse for PageSize {
    fn parse(value: &Value) -> Result<Self, Fault> {
        let asked = value.as_u64().and_then(|asked| u32::try_from(asked).ok()).filter(|asked| *asked > 0);
        let asked = asked.ok_or_else(|| Fault::new("must be a whole number from 1 to 4294967295"))?;
        Ok(Self(usize::try_from(asked).map_or(Self::MOST, |asked| asked.min(Self::MOST))))
    }
}

/// An identifier: `system|value`, or a value of whatever system (R4 3.1.1.5.12). What parts parameters has a backslash
/// before it where it parts nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    system: Option<String>,
    value: String,
}

impl Token {
    /// The most characters of a system, and of a value.
    pub const MOST: (usize, usize) = (300, 256);
}

impl Parse for Token {
    fn parse(value: &Value) -> Result<Self, Fault> {
        let fault = || Fault::new("must be one identifier: system|value, or a value");
        let mut parts = parts(parse::text(value)?).ok_or_else(fault)?;
        let (value, system) = (parts.pop().unwrap_or_default(), parts.pop());
        let is_system = |system: &String| {
            (1..=Self::MOST.0).contains(&system.len()) && system.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let is_value = (1..=Self::MOST.1).contains(&value.chars().count())
            && value.trim() == value
            && !value.chars().any(char::is_control);
        if !parts.is_empty() || !is_value || !system.as_ref().is_none_or(is_system) {
            return Err(fault());
        }
        Ok(Self { system, value })
    }
}

/// What bars part in a parameter that is one, without its backslashes; nothing where a backslash takes no meaning from
/// anything, or a comma parts it from another.
fn parts(text: &str) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let literal = match character {
            '|' => {
                parts.push(String::new());
                continue;
            }
            ',' => return None,
            '\\' => characters.next().filter(|character| PARTING.contains(character))?,
            character => character,
        };
        parts.last_mut()?.push(literal);
    }
    Some(parts)
}

/// An identifier as the SQL functions look for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Called {
    value: String,
    /// The same as a UID, where it may be one: resources write it as an OID (R4, ImagingStudy.identifier).
    uid: Option<String>,
    /// Which numbers of this service it may be; none when it is another system's.
    kinds: Vec<&'static str>,
    /// The other system; null when it may be any.
    system: Option<String>,
}

impl Exchange<'_> {
    /// What a token may mean.
    pub fn called(self, token: &Token) -> Called {
        let (kinds, system) = match token.system.as_deref() {
            None => (vec!["order-number", "accession-number", "report-number", "uid", "other"], None),
            Some(DICOM_UID) => (vec!["uid", "other"], Some(DICOM_UID.to_owned())),
            Some(system) => match self.system_of(system) {
                Some(own @ (System::OrderNumber | System::AccessionNumber | System::ReportNumber)) => {
                    (vec![own.as_str()], None)
                }
                _ => (vec!["other"], Some(system.to_owned())),
            },
        };
        let value = token.value.clone();
        let uid = kinds.contains(&"uid").then(|| value.strip_prefix("urn:oid:").unwrap_or(&value).to_owned());
        Called { value, uid, kinds, system }
    }
}

impl Known {
    /// The same as the SQL functions look for it: the number, where that is said.
    pub fn called(&self) -> Option<Called> {
        let called = |kind, value: &str, system| Called {
            value: value.to_owned(),
            uid: None,
            kinds: vec![kind],
            system,
        };
        match self {
            Self { number: Some(number), .. } => {
                Some(called(System::OrderNumber.as_str(), number.as_str(), None))
            }
            Self { identifier: Some(Identifier { system, value }), .. } => {
                Some(called("other", value, Some(system.clone())))
            }
            Self { number: None, identifier: None } => None,
        }
    }
}

//! The parameters of a search.

use serde::Serialize;
use serde_json::Value;

use super::{
    Exchange,
    element::id_in,
    exchange::{DICOM_UID, System},
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

/// An identifier: `system|value`, or a value of whatever system (R4 3.1.1.5.12).
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
        let text = parse::text(value)?;
        let (system, value) = match text.split_once('|') {
            Some((system, value)) => (Some(system), value),
            None => (None, text),
        };
        let is_system = |system: &str| {
            (1..=Self::MOST.0).contains(&system.len())
                && system.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
        };
        let is_value = (1..=Self::MOST.1).contains(&value.chars().count())
            && value.trim() == value
            && !value.chars().any(|character| character.is_control() || matches!(character, ',' | '|'));
        if !is_value || !system.is_none_or(is_system) {
            return Err(Fault::new("must be one identifier: system|value, or a value"));
        }
        Ok(Self { system: system.map(str::to_owned), value: value.to_owned() })
    }
}

/// An identifier as the SQL functions look for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Called {
    value: String,
    /// Which numbers of this service it may be; none when it is another system's.
    kinds: Vec<&'static str>,
    /// The other system; null when it may be any.
    system: Option<String>,
}

impl Exchange<'_> {
    /// What a token may mean.
    pub fn called(self, token: &Token) -> Called {
        let value = token.value.strip_prefix("urn:oid:").unwrap_or(&token.value).to_owned();
        let (kinds, system) = match token.system.as_deref() {
            None => (vec!["order-number", "accession-number", "report-number", "uid", "other"], None),
            Some(DICOM_UID) => (vec!["uid"], None),
            Some(system) => match self.system_of(system) {
                Some(own @ (System::OrderNumber | System::AccessionNumber | System::ReportNumber)) => {
                    (vec![own.as_str()], None)
                }
                _ => (vec!["other"], Some(system.to_owned())),
            },
        };
        Called { value, kinds, system }
    }

    /// What an identifier may mean that an order is known by.
    pub fn called_by(self, identifier: &super::Identifier) -> Called {
        self.called(&Token { system: Some(identifier.system.clone()), value: identifier.value.clone() })
    }
}

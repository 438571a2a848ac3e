//! Query parameters, read one by one. What is unknown is a fault, so that a typing error never widens a list.

use domain::Parse;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use serde_json::Value;

use crate::{Error, FieldFault, Result};

/// What stands for itself in a query (RFC 3986 2.3); everything else is escaped.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub struct Query {
    parameters: Vec<(String, String)>,
    faults: Vec<FieldFault>,
}

/// The parameters of a query, decoded. What is no UTF-8 is none.
fn decoded(query: &str) -> impl Iterator<Item = (Option<String>, Option<String>)> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_encoding::percent_decode_str(&text).decode_utf8().map(std::borrow::Cow::into_owned).ok()
    };
    query.split('&').filter(|pair| !pair.is_empty()).map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

/// A query that can be read, with another value of one of its parameters, however that one was written.
pub(crate) fn with(query: &str, name: &str, value: &str) -> String {
    let others = decoded(query).filter_map(|(name, value)| Some((name?, value?)));
    let others = others.filter(|(other, _)| other != name);
    let pairs = others.chain(std::iter::once((name.to_owned(), value.to_owned())));
    let encode = |text: &str| percent_encoding::utf8_percent_encode(text, ESCAPED).to_string();
    let pairs: Vec<String> =
        pairs.map(|(name, value)| format!("{}={}", encode(&name), encode(&value))).collect();
    pairs.join("&")
}

impl Query {
    pub(crate) fn new(query: &str) -> Self {
        let mut faults = Vec::new();
        let mut parameters: Vec<(String, String)> = Vec::new();
        for pair in decoded(query) {
            match pair {
                (Some(name), Some(_)) if parameters.iter().any(|(known, _)| *known == name) => {
                    faults.push(FieldFault::new(name, "must be given once only"));
                }
                (Some(name), Some(value)) if !value.contains('\0') => parameters.push((name, value)),
                (Some(name), _) => faults.push(FieldFault::new(name, "is not UTF-8 text")),
                (None, _) => faults.push(FieldFault::new("query", "is not UTF-8 text")),
            }
        }
        Self { parameters, faults }
    }

    pub fn optional<T: Parse>(&mut self, name: &str) -> Option<T> {
        let at = self.parameters.iter().position(|(known, _)| known == name)?;
        let (_, value) = self.parameters.swap_remove(at);
        // A query carries its numbers as text, and what is true or false.
        let plain = value.parse::<u64>().map(Value::from).or_else(|_| value.parse::<bool>().map(Value::from));
        plain.ok().and_then(|plain| T::parse(&plain).ok()).or_else(|| {
            T::parse(&Value::String(value))
                .map_err(|fault| self.faults.push(FieldFault::new(name, fault)))
                .ok()
        })
    }

    pub fn finish(self) -> Result<()> {
        let mut faults = self.faults;
        faults
            .extend(self.parameters.iter().map(|(name, _)| FieldFault::new(name, "is not a parameter here")));
        if faults.is_empty() { Ok(()) } else { Err(Error::Malformed(faults)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Count, ExternalId};

    #[test]
    fn parameters_are_decoded_and_the_unknown_refused() {
        let mut query = Query::new("patientId=P%201&limit=5&color=red");
        assert_eq!(query.optional::<ExternalId>("patientId").unwrap().as_str(), "P 1");
        assert_eq!(query.optional::<Count<1, 100>>("limit").unwrap().get(), 5);
        assert!(matches!(query.finish(), Err(Error::Malformed(faults)) if faults[0].field == "color"));
    }

    #[test]
    fn a_parameter_given_twice_is_refused() {
        assert!(Query::new("a=1&a=2").finish().is_err());
        assert!(Query::new("a=1&%61=2").finish().is_err());
    }

    #[test]
    fn a_parameter_is_replaced_however_it_was_written() {
        for query in ["limit=2&cursor=", "cursor=1&limit=2", "limit=2&%63ursor=1", "&limit=2&&cursor"] {
            assert_eq!(with(query, "cursor", "7"), "limit=2&cursor=7", "{query}");
        }
        assert_eq!(with("", "cursor", "7"), "cursor=7");
        assert_eq!(with("a=P+1%2F%C3%A4%26b%3D~", "cursor", "7"), "a=P%201%2F%C3%A4%26b%3D~&cursor=7");
    }
}

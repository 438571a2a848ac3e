//! Query parameters, read one by one. What is unknown is a fault, so that a typing error never widens a list.

use domain::Parse;
use serde_json::Value;

use crate::{Error, FieldFault, Result};

pub struct Query {
    parameters: Vec<(String, String)>,
    faults: Vec<FieldFault>,
}

impl Query {
    pub(crate) fn new(query: &str) -> Self {
        let decode = |text: &str| {
            let text = text.replace('+', " ");
            percent_encoding::percent_decode_str(&text).decode_utf8().map(std::borrow::Cow::into_owned).ok()
        };
        let mut faults = Vec::new();
        let mut parameters: Vec<(String, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match (decode(name), decode(value)) {
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
        // A query carries its numbers as text.
        let number = value.parse::<u64>().ok().and_then(|number| T::parse(&Value::from(number)).ok());
        number.or_else(|| {
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
    }
}

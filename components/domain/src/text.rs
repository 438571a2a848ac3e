//! Text that people and other systems wrote.

use serde::Serialize;
use serde_json::Value;

use crate::{Fault, Parse, parse};

/// Text of 1 to `MOST` characters, trimmed, without control characters but line breaks and tabs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Text<const MOST: usize>(String);

impl<const MOST: usize> Text<MOST> {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MOST: usize> TryFrom<&str> for Text<MOST> {
    type Error = Fault;

    fn try_from(text: &str) -> Result<Self, Fault> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Fault::new("must not be empty"));
        }
        if text.chars().count() > MOST {
            return Err(Fault::new(format!("must be at most {MOST} characters")));
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            return Err(Fault::new("must not contain control characters"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl<const MOST: usize> Parse for Text<MOST> {
    fn parse(value: &Value) -> Result<Self, Fault> {
        parse::text(value)?.try_into()
    }
}

/// A word or a short phrase: a body part, a station, a physician.
pub type Line = Text<256>;
/// What a clinician dictates.
pub type Prose = Text<20_000>;

/// An identifier that another system issued: patient, provider, facility, radiologist, organization.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ExternalId(String);

impl ExternalId {
    pub const MAXIMUM_LENGTH: usize = 64;

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for ExternalId {
    type Error = Fault;

    fn try_from(text: &str) -> Result<Self, Fault> {
        if text.trim().is_empty() {
            return Err(Fault::new("must not be empty"));
        }
        if text.chars().count() > Self::MAXIMUM_LENGTH {
            return Err(Fault::new(format!("must be at most {} characters", Self::MAXIMUM_LENGTH)));
        }
        if text.chars().any(char::is_control) {
            return Err(Fault::new("must not contain control characters"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Parse for ExternalId {
    fn parse(value: &Value) -> Result<Self, Fault> {
        parse::text(value)?.try_into()
    }
}

impl std::fmt::Display for ExternalId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A person's sex as the platform writes it: DICOM's (0010,0040) values, or a word for them.
pub type Sex = Text<16>;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_is_trimmed_and_bounded_by_characters_not_bytes() {
        assert_eq!(Text::<4>::try_from("  höhe ").unwrap().as_str(), "höhe");
        assert!(Text::<3>::try_from("höhe").is_err());
    }

    proptest! {
        #[test]
        fn no_accepted_text_holds_a_nul(text in ".*") {
            if let Ok(accepted) = Text::<64>::try_from(text.as_str()) {
                prop_assert!(!accepted.as_str().contains('\0'));
            }
            if let Ok(accepted) = ExternalId::try_from(text.as_str()) {
                prop_assert!(!accepted.as_str().contains('\0'));
            }
        }
    }
}

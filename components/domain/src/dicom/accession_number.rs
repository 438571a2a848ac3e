//! The accession number, which ties a study to its order.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// SH: one to sixteen characters without backslash or controls, spaces around it insignificant (PS3.5 6.2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccessionNumber(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("An accession number is one to sixteen characters, without backslash or control characters.")]
pub struct InvalidAccessionNumber;

impl AccessionNumber {
    pub const MAXIMUM_LENGTH: usize = 16;

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccessionNumber {
    type Err = InvalidAccessionNumber;

    fn from_str(text: &str) -> Result<Self, InvalidAccessionNumber> {
        let text = text.trim_matches(' ');
        let forbidden = |character: char| character == '\\' || character.is_control();
        if text.is_empty() || text.chars().count() > Self::MAXIMUM_LENGTH || text.contains(forbidden) {
            return Err(InvalidAccessionNumber);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for AccessionNumber {
    type Error = InvalidAccessionNumber;

    fn try_from(text: String) -> Result<Self, InvalidAccessionNumber> {
        text.parse()
    }
}

impl From<AccessionNumber> for String {
    fn from(number: AccessionNumber) -> Self {
        number.0
    }
}

impl fmt::Display for AccessionNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accession_number_is_what_a_modality_can_carry() {
        assert_eq!(" ACC-1 ".parse::<AccessionNumber>().unwrap().as_str(), "ACC-1");
        assert!("1234567890123456".parse::<AccessionNumber>().is_ok());
        for text in ["", "  ", "12345678901234567", r"A\B", "A\nB", "A\0"] {
            assert!(text.parse::<AccessionNumber>().is_err(), "{text:?}");
        }
    }
}

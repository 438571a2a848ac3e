//! UI: unique identifiers (PS3.5 9).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

/// A unique identifier: numbers with dots between them, at most 64 characters (PS3.5 9.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Uid(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("A UID is numbers with dots between them, none with a leading zero, at most 64 characters in all.")]
pub struct InvalidUid;

impl Uid {
    pub const MAXIMUM_LENGTH: usize = 64;

    /// The UID that belongs to a UUID: its number under the root `2.25` (PS3.5 B.2).
    pub fn issue(uuid: Uuid) -> Self {
        Self(format!("2.25.{}", uuid.as_u128()))
    }

    /// As a file has it. Devices write leading zeros and pad with spaces and NULs; the UID is still what ties
    /// the file to its study, so it is taken as it stands without the padding.
    pub fn read(text: &str) -> Result<Self, InvalidUid> {
        let text = text.trim_matches(|character: char| character == '\0' || character.is_ascii_whitespace());
        let digits =
            |component: &str| !component.is_empty() && component.bytes().all(|byte| byte.is_ascii_digit());
        if text.len() > Self::MAXIMUM_LENGTH || !text.split('.').all(digits) {
            return Err(InvalidUid);
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it can only have come from [`issue`](Self::issue) or another who derives UIDs from UUIDs.
    pub fn is_derived_from_uuid(&self) -> bool {
        self.0.starts_with("2.25.")
    }
}

/// Strict, for what a client types: leading zeros are an error.
impl FromStr for Uid {
    type Err = InvalidUid;

    fn from_str(text: &str) -> Result<Self, InvalidUid> {
        let uid = Self::read(text)?;
        let has_leading_zero =
            uid.0.split('.').any(|component| component.len() > 1 && component.starts_with('0'));
        if has_leading_zero || uid.0.len() != text.len() {
            return Err(InvalidUid);
        }
        Ok(uid)
    }
}

/// As [`read`](Uid::read): rows hold what files said.
impl TryFrom<String> for Uid {
    type Error = InvalidUid;

    fn try_from(text: String) -> Result<Self, InvalidUid> {
        Self::read(&text)
    }
}

impl From<Uid> for String {
    fn from(uid: Uid) -> Self {
        uid.0
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_be_sloppy_and_a_client_may_not() {
        for (text, in_file, from_client) in [
            ("1.2.840.10008.1.2", true, true),
            ("1.2.840.10008.1.2\0", true, false),
            (" 1.2.3 ", true, false),
            ("1.02.3", true, false),
            ("1.0.3", true, true),
            ("0", true, true),
            ("", false, false),
            (".1", false, false),
            ("1.", false, false),
            ("1..2", false, false),
            ("1.2.a", false, false),
            ("1.٣", false, false),
        ] {
            assert_eq!(Uid::read(text).is_ok(), in_file, "{text:?} in a file");
            assert_eq!(text.parse::<Uid>().is_ok(), from_client, "{text:?} from a client");
        }
        assert!(Uid::read(&"1".repeat(64)).is_ok());
        assert!(Uid::read(&"1".repeat(65)).is_err());
    }

    #[test]
    fn a_uuid_becomes_its_decimal_under_2_25() {
        let uuid: Uuid = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6".parse().unwrap();
        assert_eq!(Uid::issue(uuid).as_str(), "2.25.329800735698586629295641978511506172918");
        assert!(Uid::issue(Uuid::max()).as_str().parse::<Uid>().is_ok());
    }
}

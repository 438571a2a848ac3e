//! From what a client sent to what it means, or to a fault that says what was expected.
//!
//! A fault never repeats the value: the value may be about a patient, and faults travel into replies.

use serde_json::{Map, Value};

/// Why a value is not accepted, as the end of a sentence that begins with the field's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(String);

impl Fault {
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// A type that can be read from a value of a JSON body or, as a JSON string, from a query or a path.
pub trait Parse: Sized {
    fn parse(value: &Value) -> Result<Self, Fault>;
}

pub(crate) fn text(value: &Value) -> Result<&str, Fault> {
    value.as_str().ok_or_else(|| Fault::new("must be a string"))
}

impl Parse for bool {
    fn parse(value: &Value) -> Result<Self, Fault> {
        value.as_bool().ok_or_else(|| Fault::new("must be true or false"))
    }
}

/// A whole number, however it is written: `2.0` is 2, as it is to JSON Schema and to every client that has one kind of
/// number only.
fn whole(value: &Value) -> Option<i64> {
    // Up to here every whole number has a float of its own.
    let is_whole = |number: &f64| number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
    value.as_i64().or_else(|| value.as_f64().filter(is_whole).map(|number| number as i64))
}

/// A whole number that Postgres stores as `integer`.
impl Parse for i32 {
    fn parse(value: &Value) -> Result<Self, Fault> {
        whole(value)
            .and_then(|number| Self::try_from(number).ok())
            .ok_or_else(|| Fault::new("must be a whole number"))
    }
}

impl Parse for i64 {
    fn parse(value: &Value) -> Result<Self, Fault> {
        whole(value).ok_or_else(|| Fault::new("must be a whole number"))
    }
}

impl Parse for f64 {
    fn parse(value: &Value) -> Result<Self, Fault> {
        value.as_f64().ok_or_else(|| Fault::new("must be a number"))
    }
}

impl Parse for Map<String, Value> {
    fn parse(value: &Value) -> Result<Self, Fault> {
        value.as_object().cloned().ok_or_else(|| Fault::new("must be an object"))
    }
}

/// A whole number that is not negative, in a range: `Count<1, 1000>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Count<const LEAST: u32, const MOST: u32>(u32);

impl<const LEAST: u32, const MOST: u32> Count<LEAST, MOST> {
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl<const LEAST: u32, const MOST: u32> Parse for Count<LEAST, MOST> {
    fn parse(value: &Value) -> Result<Self, Fault> {
        whole(value)
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| (LEAST..=MOST).contains(number))
            .map(Self)
            .ok_or_else(|| Fault::new(format!("must be a whole number from {LEAST} to {MOST}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_whole_number_is_one_however_it_is_written() {
        for (number, read) in [
            (json!(7), Some(7)),
            (json!(7.0), Some(7)),
            (json!(7e2), Some(700)),
            (json!(-0.0), Some(0)),
            (json!(7.5), None),
            (json!(-1.0), None),
            (json!(1001.0), None),
            (json!("7"), None),
            (json!(1e300), None),
        ] {
            assert_eq!(Count::<0, 1000>::parse(&number).ok().map(Count::get), read, "{number}");
        }
        assert_eq!(i64::parse(&json!(i64::MAX)), Ok(i64::MAX));
        assert_eq!(i64::parse(&json!(-9_007_199_254_740_992.0)), Ok(-9_007_199_254_740_992));
        assert!(i64::parse(&json!(9.3e18)).is_err() && i64::parse(&json!(u64::MAX)).is_err());
        assert!(i32::parse(&json!(2_147_483_648.0)).is_err());
    }
}

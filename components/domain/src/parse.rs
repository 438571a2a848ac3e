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

/// A whole number that Postgres stores as `integer`.
impl Parse for i32 {
    fn parse(value: &Value) -> Result<Self, Fault> {
        value
            .as_i64()
            .and_then(|number| Self::try_from(number).ok())
            .ok_or_else(|| Fault::new("must be a whole number"))
    }
}

impl Parse for i64 {
    fn parse(value: &Value) -> Result<Self, Fault> {
        value.as_i64().ok_or_else(|| Fault::new("must be a whole number"))
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
        value
            .as_u64()
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| (LEAST..=MOST).contains(number))
            .map(Self)
            .ok_or_else(|| Fault::new(format!("must be a whole number from {LEAST} to {MOST}")))
    }
}

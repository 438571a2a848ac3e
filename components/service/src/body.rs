//! JSON bodies, read field by field, so that a reply can name every fault at once.

use domain::Parse;
use http_body_util::{BodyExt, Limited};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::{Context, Error, FieldFault, Result};

/// The largest body that is read, in bytes.
const MOST: usize = 1024 * 1024;

pub(crate) async fn read(cx: &Context) -> Result<Value> {
    let body = read_if_any(cx).await?;
    body.ok_or_else(|| Error::Malformed(vec![FieldFault::new("body", "is missing")]))
}

/// The body as JSON, or nothing when it is empty.
pub(crate) async fn read_if_any(cx: &Context) -> Result<Option<Value>> {
    let Some(request) = cx.take_request() else { return Ok(None) };
    let declared = cx.header("content-length").and_then(|length| length.parse::<usize>().ok());
    if declared.is_some_and(|length| length > MOST) {
        return Err(Error::TooLarge);
    }
    let bytes = match Limited::new(request.into_body(), MOST).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => return Err(Error::TooLarge),
        Err(_) => return Err(Error::Malformed(vec![FieldFault::new("body", "ended early")])),
    };
    if bytes.is_empty() {
        return Ok(None);
    }
    if !is_json(cx.header("content-type").unwrap_or_default()) {
        return Err(Error::NotJson);
    }
    let Unambiguous(value) = serde_json::from_slice(&bytes).map_err(|error| {
        let what = if error.is_data() { "names a member twice" } else { "is not JSON" };
        let fault = format!("{what} at line {}, column {}", error.line(), error.column());
        Error::Malformed(vec![FieldFault::new("body", fault)])
    })?;
    refuse_nul(&value)?;
    cx.remember_body(&value);
    Ok(Some(value))
}

fn is_json(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/json")
        || media_type
            .to_ascii_lowercase()
            .strip_prefix("application/")
            .is_some_and(|kind| kind.ends_with("+json"))
}

/// U+0000 is refused wherever it stands: JSONB cannot hold it.
fn refuse_nul(value: &Value) -> Result<()> {
    let mut rest = vec![value];
    while let Some(value) = rest.pop() {
        let holds_nul = match value {
            Value::String(text) => text.contains('\0'),
            Value::Object(fields) => {
                rest.extend(fields.values());
                fields.keys().any(|key| key.contains('\0'))
            }
            Value::Array(values) => {
                rest.extend(values);
                false
            }
            _ => false,
        };
        if holds_nul {
            return Err(Error::invalid("body", "must not contain the character U+0000"));
        }
    }
    Ok(())
}

/// JSON whose objects name each member once. Of two with one name one reader takes the first and another the last
/// (RFC 8259 4): what somebody has checked on the way here could be another than what is acted on.
struct Unambiguous(Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UnambiguousVisitor).map(Self)
    }
}

struct UnambiguousVisitor;

impl<'de> Visitor<'de> for UnambiguousVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Unambiguous(value)) = elements.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some((name, Unambiguous(value))) = members.next_entry::<String, _>()? {
            if fields.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is named twice"));
            }
        }
        Ok(Value::Object(fields))
    }
}

/// The fields of a body. Each is taken once; `finish` answers with every fault, and with the fields nobody took.
#[derive(Default)]
pub struct Body {
    fields: Map<String, Value>,
    faults: Vec<FieldFault>,
}

impl Body {
    pub(crate) fn object(value: Value) -> Result<Self> {
        match value {
            Value::Object(fields) => Ok(Self { fields, faults: Vec::new() }),
            _ => Err(Error::Malformed(vec![FieldFault::new("body", "must be a JSON object")])),
        }
    }

    /// A field that must be there. It is there whenever `finish` finds no fault.
    pub fn required<T: Parse>(&mut self, name: &str) -> Option<T> {
        let value = self.optional(name);
        if value.is_none() && !self.faults.iter().any(|fault| fault.field == name) {
            self.fault(name, "is required");
        }
        value
    }

    /// A field that may be left out, or null, which is the same.
    pub fn optional<T: Parse>(&mut self, name: &str) -> Option<T> {
        let value = self.fields.remove(name).filter(|value| !value.is_null())?;
        T::parse(&value).map_err(|fault| self.fault(name, fault)).ok()
    }

    /// Whether a field was sent that is yet to be taken.
    pub fn holds(&self, name: &str) -> bool {
        self.fields.get(name).is_some_and(|value| !value.is_null())
    }

    /// A field that, unlike one that is left out, clears what was there when it is null.
    pub fn clearable<T: Parse>(&mut self, name: &str) -> Option<Option<T>> {
        if self.fields.get(name).is_some_and(Value::is_null) {
            self.fields.remove(name);
            return Some(None);
        }
        self.optional(name).map(Some)
    }

    /// A field that clients send out of habit and that changes nothing; with another value than `expected` it is a fault.
    pub fn habit(&mut self, name: &str, expected: &str) {
        let value = self.fields.remove(name).filter(|value| !value.is_null());
        if value
            .is_some_and(|value| !value.as_str().is_some_and(|value| value.eq_ignore_ascii_case(expected)))
        {
            self.fault(name, format_args!("must be {expected}, or left out"));
        }
    }

    pub fn fault(&mut self, name: &str, message: impl ToString) {
        self.faults.push(FieldFault::new(name, message));
    }

    /// Whether no fault was found in the fields that were taken so far.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    pub fn finish(self) -> Result<()> {
        let mut faults = self.faults;
        faults.extend(
            self.fields.keys().map(|name| FieldFault::new(name, "is not a field that can be set here")),
        );
        if faults.is_empty() { Ok(()) } else { Err(Error::Invalid(faults)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Line, Priority};
    use serde_json::json;

    #[test]
    fn every_fault_is_named_at_once() {
        let mut body = Body::object(json!({"priority": "SOON", "bodyPart": "", "clor": 1})).unwrap();
        body.optional::<Priority>("priority");
        body.required::<Line>("bodyPart");
        body.required::<Line>("patientId");
        let Err(Error::Invalid(faults)) = body.finish() else { panic!("accepted") };
        insta::assert_snapshot!(
            faults.iter().map(|fault| format!("{} {}\n", fault.field, fault.message)).collect::<String>(),
            @r"
        priority must be one of STAT URGENT ROUTINE
        bodyPart must not be empty
        patientId is required
        clor is not a field that can be set here
        "
        );
    }

    #[test]
    fn an_object_names_a_member_once_and_all_else_is_read_as_it_was_written() {
        let read = |text: &str| serde_json::from_str(text).map(|Unambiguous(value)| value);
        for text in [
            r#"{"a":[1,-2,3.25,18446744073709551615,"x\n",null,true],"b":{"a":{"a":[]}}}"#,
            "[]",
            "-0.0",
            "\"\\u00e4\"",
        ] {
            assert_eq!(read(text).unwrap(), serde_json::from_str::<Value>(text).unwrap(), "{text}");
        }
        for text in [r#"{"a":1,"a":1}"#, r#"[{"b":{"a":1,"c":2,"\u0061":1}}]"#] {
            assert!(read(text).is_err_and(|error| error.is_data()), "{text}");
        }
        for text in ["1e400", "{\"a\":1", "\"\\ud800\"", &"[".repeat(200), "[1] 2", ""] {
            assert!(read(text).is_err_and(|error| !error.is_data()), "{text}");
        }
    }

    #[test]
    fn a_nul_is_refused_however_deep_it_stands() {
        assert!(refuse_nul(&json!({"a": [{"b": "x\0"}]})).is_err());
        assert!(refuse_nul(&json!({"a\0": 1})).is_err());
        assert!(refuse_nul(&json!({"a": [{"b": "\\u0000"}]})).is_ok());
    }
}

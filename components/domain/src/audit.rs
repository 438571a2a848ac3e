//! What is asked of the audit.

use serde_json::Value;
use uuid::Uuid;

use crate::{Fault, Parse, enumeration::enumeration, parse};

enumeration! {
    /// What came of an act.
    AuditOutcome {
        Success = "SUCCESS",
        Refused = "REFUSED",
    }
}

/// What events are about: everything of a kind (`study`), one thing (`study/<id>`), or whatever has an id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    pub resource: Option<String>,
    pub id: Option<Uuid>,
}

impl Parse for About {
    fn parse(value: &Value) -> Result<Self, Fault> {
        let text = parse::text(value)?;
        let fault = || Fault::new("must be a kind of thing such as study, study/<id>, or an id");
        let id = |text: &str| Uuid::try_parse(text).map(Some).map_err(|_| fault());
        let (resource, id) = match text.split_once('/') {
            Some((resource, text)) => (resource, id(text)?),
            None => match id(text) {
                Ok(id) => return Ok(Self { resource: None, id }),
                Err(_) => (text, None),
            },
        };
        let is_a_word = (1..=64).contains(&resource.len())
            && resource.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if is_a_word { Ok(Self { resource: Some(resource.to_owned()), id }) } else { Err(fault()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_events_are_about_is_a_kind_a_thing_or_an_id() {
        let id = "01a20c62-a2cc-796d-9a90-5586813c5a48";
        let about = |text: &str| About::parse(&json!(text)).map(|about| (about.resource, about.id));
        let uuid = Some(Uuid::try_parse(id).unwrap());
        assert_eq!(about("study"), Ok((Some("study".to_owned()), None)));
        assert_eq!(about(&format!("audit_event/{id}")), Ok((Some("audit_event".to_owned()), uuid)));
        assert_eq!(about(id), Ok((None, uuid)));
        for text in ["", "/", "study/", "study/7", &format!("/{id}"), "Study", "a study", "study/x/y"] {
            assert!(about(text).is_err(), "{text}");
        }
    }
}

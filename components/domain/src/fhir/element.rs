//! Resources that others send, read element by element, so that every fault in them is named by its FHIRPath.

use std::cell::RefCell;

use serde_json::Value;

use super::Faults;
use crate::{ExternalId, Fault, Parse};

/// What every resource may have beside its own elements.
const OF_EVERY_RESOURCE: &[&str] =
    &["resourceType", "id", "meta", "language", "text", "contained", "extension"];

/// The most members of a list that are looked at, and the most faults that are told: nobody means more, and each is a
/// reply's to carry.
const MEMBERS: usize = 1000;
const FAULTS: usize = 100;

/// One element of a resource, and where it stands.
#[derive(Clone)]
pub(super) struct Element<'a> {
    path: String,
    value: &'a Value,
    faults: &'a RefCell<Faults>,
}

/// Reads a resource of a kind, whose elements are those of R4: what it means, or every fault in it.
pub(super) fn read<T>(
    resource: &Value,
    kind: &str,
    elements: &[&str],
    read: impl FnOnce(&Element<'_>) -> Option<T>,
) -> Result<T, Faults> {
    let faults = RefCell::default();
    let root = Element { path: kind.to_owned(), value: resource, faults: &faults };
    if resource.get("resourceType").and_then(Value::as_str) != Some(kind) {
        let fault = Fault::new(format!("must be {kind}"));
        return Err(vec![(format!("{kind}.resourceType"), fault)]);
    }
    root.holds_only(elements);
    let meant = read(&root);
    let faults = faults.into_inner();
    match meant {
        Some(meant) if faults.is_empty() => Ok(meant),
        _ => Err(faults),
    }
}

impl<'a> Element<'a> {
    pub(super) fn fault(&self, message: impl Into<String>) {
        self.tell(self.path.clone(), message);
    }

    /// A fault of an element within, be it there or not.
    pub(super) fn fault_of(&self, name: &str, message: impl Into<String>) {
        self.tell(self.path_of(name), message);
    }

    fn tell(&self, path: String, message: impl Into<String>) {
        let mut faults = self.faults.borrow_mut();
        if faults.len() < FAULTS {
            faults.push((path, Fault::new(message)));
        }
    }

    /// The FHIRPath of an element within.
    pub(super) fn path_of(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    /// What R4 does not know is refused, so that a typing error is never lost. So is what changes the meaning of all
    /// the rest, and is not understood (R4 2.4.1, 2.1.6).
    fn holds_only(&self, elements: &[&str]) {
        let Value::Object(members) = self.value else { return };
        for name in members.keys() {
            let plain = name.strip_prefix('_').unwrap_or(name);
            if ["implicitRules", "modifierExtension"].contains(&plain) {
                self.fault_of(plain, "is not understood here, and may change what the rest means");
            } else if !OF_EVERY_RESOURCE.contains(&plain) && !elements.contains(&plain) {
                self.fault_of(name, "is not an element that it has");
            }
        }
    }

    /// An element within, if it is there.
    pub(super) fn child(&self, name: &str) -> Option<Self> {
        let Some(members) = self.value.as_object() else {
            self.fault("must be an object");
            return None;
        };
        let value = members.get(name)?;
        Some(Self { path: self.path_of(name), value, faults: self.faults })
    }

    /// The elements of a list within; none when it is not there.
    pub(super) fn each(&self, name: &str) -> Vec<Self> {
        let Some(list) = self.child(name) else { return Vec::new() };
        let Value::Array(values) = list.value else {
            list.fault("must be a list");
            return Vec::new();
        };
        if values.len() > MEMBERS {
            list.fault("must have at most 1,000 members");
            return Vec::new();
        }
        let at = |(at, value)| Self { path: format!("{}[{at}]", list.path), value, faults: self.faults };
        values.iter().enumerate().map(at).collect()
    }

    /// A text within; one that says nothing is none.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        let text = self.child(name)?;
        let Some(said) = text.value.as_str() else {
            text.fault("must be a string");
            return None;
        };
        Some(said.trim()).filter(|said| !said.is_empty())
    }

    /// What an element within means, or a fault that says what was expected.
    pub(super) fn parse<T: Parse>(&self, name: &str) -> Option<T> {
        let element = self.child(name)?;
        element.meant::<T>(element.value)
    }

    /// What a value means that stands in this element.
    pub(super) fn meant<T: Parse>(&self, value: &Value) -> Option<T> {
        T::parse(value).map_err(|fault| self.fault(fault.to_string())).ok()
    }

    pub(super) fn required<T>(&self, name: &str, value: Option<T>) -> Option<T> {
        let begins = self.path_of(name);
        if value.is_none() && !self.faults.borrow().iter().any(|(path, _)| path.starts_with(&begins)) {
            self.fault_of(name, "is required");
        }
        value
    }

    /// One of the codes that mean something here.
    pub(super) fn code<T: Copy>(&self, name: &str, codes: &[(&str, T)]) -> Option<T> {
        let code = self.text(name)?;
        let known = codes.iter().find(|(known, _)| *known == code).map(|(_, meaning)| *meaning);
        if known.is_none() {
            let codes: Vec<&str> = codes.iter().map(|(code, _)| *code).collect();
            self.fault_of(name, format!("must be one of {}", codes.join(" ")));
        }
        known
    }

    /// The id of what this element refers to, of one of these kinds: by where it is, else by its identifier. What it says
    /// of another kind is none of these, whatever else it says.
    pub(super) fn refers_to(&self, kinds: &[&str]) -> Option<ExternalId> {
        self.refers(kinds, kinds)
    }

    /// Whom this element refers to. A role has an id of its own, which is nobody's: of it only the identifier counts.
    pub(super) fn refers_to_practitioner(&self) -> Option<ExternalId> {
        self.refers(&["Practitioner"], &["Practitioner", "PractitionerRole"])
    }

    fn refers(&self, by_place: &[&str], by_identifier: &[&str]) -> Option<ExternalId> {
        let reference = self.text("reference");
        let mut named = self.text("type").into_iter().chain(reference.and_then(kind_in));
        let id = reference.and_then(|reference| id_in(reference, by_place));
        let id = id.or_else(|| self.child("identifier")?.text("value"));
        match id.filter(|_| named.all(|kind| by_identifier.contains(&kind))) {
            Some(id) => self.meant(&Value::String(id.to_owned())),
            None if by_place != by_identifier && self.is_about(&["PractitionerRole"]) => {
                self.fault("must hold the identifier of the practitioner: a role's id is nobody's");
                None
            }
            None => {
                let kinds = by_place.join(" or ");
                self.fault(format!("must refer to a {kinds}, by its reference or identifier"));
                None
            }
        }
    }

    /// Whether it refers to one of these kinds.
    pub(super) fn is_about(&self, kinds: &[&str]) -> bool {
        self.text("reference").is_some_and(|reference| id_in(reference, kinds).is_some())
            || self.text("type").is_some_and(|kind| kinds.contains(&kind))
    }

    /// What a concept is in words: its text, else what its codings are shown as, else their codes.
    pub(super) fn concept(&self) -> Option<String> {
        if let Some(text) = self.text("text") {
            return Some(text.to_owned());
        }
        let codings = self.codings();
        let said: Vec<&str> = codings.iter().filter_map(|coding| coding.display.or(coding.code)).collect();
        (!said.is_empty()).then(|| said.join(", "))
    }

    /// The codings of a concept.
    pub(super) fn codings(&self) -> Vec<Coding<'a>> {
        let codings = self.each("coding").into_iter();
        codings
            .map(|coding| Coding {
                system: coding.text("system"),
                code: coding.text("code"),
                display: coding.text("display"),
            })
            .collect()
    }

    pub(super) const fn value(&self) -> &'a Value {
        self.value
    }
}

/// A code, of a system, and what it is shown as.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coding<'a> {
    pub system: Option<&'a str>,
    pub code: Option<&'a str>,
    pub display: Option<&'a str>,
}

/// The kind that a reference names: `Patient/1` and its like; `urn:uuid:…` and `#1` name none.
fn kind_in(reference: &str) -> Option<&str> {
    let place = reference.split("/_history/").next()?;
    let kind = place.rsplit('/').nth(1)?;
    let is_kind = kind.starts_with(|first: char| first.is_ascii_uppercase())
        && kind.bytes().all(|byte| byte.is_ascii_alphabetic());
    is_kind.then_some(kind)
}

/// The id in `Patient/1`, `https://example.org/fhir/Patient/1` and `Patient/1/_history/2` (R4 2.3.0.2).
pub(super) fn id_in<'a>(reference: &'a str, kinds: &[&str]) -> Option<&'a str> {
    let of_kind = |kind: &&str| {
        let place = format!("{kind}/");
        let at = reference.rfind(&place)?;
        let begins = at == 0 || reference.get(..at)?.ends_with('/');
        let id = reference.get(at + place.len()..).filter(|_| begins)?;
        id.split("/_history/").next().filter(|id| !id.is_empty())
    };
    kinds.iter().find_map(of_kind)
}

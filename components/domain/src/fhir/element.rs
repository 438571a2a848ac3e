//! Resources that others send, read element by element, so that every fault in them is named by its FHIRPath.

use std::cell::RefCell;

use serde_json::{Map, Value};

use super::Faults;
use crate::{ExternalId, Fault, Parse};

/// What every resource may have beside its own elements.
const OF_EVERY_RESOURCE: &[&str] =
    &["resourceType", "id", "meta", "language", "text", "contained", "extension"];

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
        self.faults.borrow_mut().push((self.path.clone(), Fault::new(message)));
    }

    /// A fault of an element within, be it there or not.
    pub(super) fn fault_of(&self, name: &str, message: impl Into<String>) {
        self.faults.borrow_mut().push((format!("{}.{name}", self.path), Fault::new(message)));
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
        Some(Self { path: format!("{}.{name}", self.path), value, faults: self.faults })
    }

    /// The elements of a list within; none when it is not there.
    pub(super) fn each(&self, name: &str) -> Vec<Self> {
        let Some(list) = self.child(name) else { return Vec::new() };
        let Value::Array(values) = list.value else {
            list.fault("must be a list");
            return Vec::new();
        };
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
        let begins = format!("{}.{name}", self.path);
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

    /// The id of what this element refers to, of one of these kinds: by where it is, else by its identifier.
    pub(super) fn refers_to(&self, kinds: &[&str]) -> Option<ExternalId> {
        let by_place = self.text("reference").and_then(|reference| id_in(reference, kinds));
        let id = by_place.or_else(|| {
            let fits = self.text("type").is_none_or(|kind| kinds.contains(&kind));
            self.child("identifier").filter(|_| fits)?.text("value")
        });
        let Some(id) = id else {
            self.fault(format!("must refer to a {}, by its reference or identifier", kinds.join(" or ")));
            return None;
        };
        self.meant(&Value::String(id.to_owned()))
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
        let codings = self.each("coding");
        let said: Vec<&str> = codings
            .iter()
            .filter_map(|coding| coding.text("display").or_else(|| coding.text("code")))
            .collect();
        (!said.is_empty()).then(|| said.join(", "))
    }

    /// The codes of one system in a concept.
    pub(super) fn codes_of(&self, system: &str) -> Vec<&'a str> {
        let codings = self.each("coding");
        let of_system = codings.iter().filter(|coding| coding.text("system") == Some(system));
        of_system.filter_map(|coding| coding.text("code")).collect()
    }

    pub(super) fn members(&self) -> Option<&'a Map<String, Value>> {
        self.value.as_object()
    }
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

//! A JSON document read field by field, so that every fault in it is named, with the path of its field.

use serde_json::{Map, Value};

use crate::{Fault, Parse};

/// The members of one object of a document, each to be taken once, and the faults in it and in what lies within.
pub(crate) struct Fields {
    path: String,
    members: Map<String, Value>,
    faults: Vec<(String, Fault)>,
}

impl Fields {
    pub(crate) fn of(document: &Map<String, Value>) -> Self {
        Self { path: String::new(), members: document.clone(), faults: Vec::new() }
    }

    /// What was read, or every fault; members that nobody took are faults too.
    pub(crate) fn finish<T>(mut self, read: Option<T>) -> Result<T, Vec<(String, Fault)>> {
        self.refuse_the_rest();
        if self.faults.is_empty() { read.ok_or_else(Vec::new) } else { Err(self.faults) }
    }

    pub(crate) fn fault(&mut self, name: &str, message: impl ToString) {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        self.faults.push((path, Fault::new(message.to_string())));
    }

    pub(crate) fn required<T: Parse>(&mut self, name: &str) -> Option<T> {
        if !self.holds(name) {
            self.members.remove(name);
            self.fault(name, "is required");
        }
        self.optional(name)
    }

    /// A member that may be left out, or null, which is the same.
    pub(crate) fn optional<T: Parse>(&mut self, name: &str) -> Option<T> {
        let value = self.members.remove(name).filter(|value| !value.is_null())?;
        T::parse(&value).map_err(|fault| self.fault(name, fault)).ok()
    }

    /// Whether a member is there that is yet to be taken.
    pub(crate) fn holds(&self, name: &str) -> bool {
        self.members.get(name).is_some_and(|value| !value.is_null())
    }

    /// An object within, and what is read from it.
    pub(crate) fn within<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let members = self.required::<Map<String, Value>>(name)?;
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        let mut inner = Self { path, members, faults: Vec::new() };
        let value = read(&mut inner);
        inner.refuse_the_rest();
        self.faults.append(&mut inner.faults);
        value
    }

    /// A list of at most `most` within, and what is read from the values of it that can be read.
    pub(crate) fn each<T>(
        &mut self,
        name: &str,
        most: usize,
        read: impl Fn(&mut Self, &str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let values = match self.members.remove(name) {
            None | Some(Value::Null) => {
                self.fault(name, "is required");
                return None;
            }
            Some(Value::Array(values)) if values.len() <= most => values,
            Some(Value::Array(_)) => {
                self.fault(name, format_args!("must be a list of at most {most}"));
                return None;
            }
            Some(_) => {
                self.fault(name, "must be a list");
                return None;
            }
        };
        let mut all = Vec::with_capacity(values.len());
        for (at, value) in values.into_iter().enumerate() {
            let name = format!("{name}[{at}]");
            self.members.insert(name.clone(), value);
            all.extend(read(self, &name));
        }
        Some(all)
    }

    /// The same of a list that may be left out, or null, which is the same: then it is empty.
    pub(crate) fn each_if_any<T>(
        &mut self,
        name: &str,
        most: usize,
        read: impl Fn(&mut Self, &str) -> Option<T>,
    ) -> Option<Vec<T>> {
        if self.holds(name) {
            return self.each(name, most, read);
        }
        self.members.remove(name);
        Some(Vec::new())
    }

    fn refuse_the_rest(&mut self) {
        for name in std::mem::take(&mut self.members).keys() {
            self.fault(name, "is not a field that can be set here");
        }
    }
}

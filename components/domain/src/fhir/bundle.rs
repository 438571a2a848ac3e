//! Bundle: what a search has found.

use serde_json::{Value, json};

use super::exchange::{compact, text};

/// What a page holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    Resource(Value),
    /// What is to be said of something that is found and not shown: an OperationOutcome.
    Outcome(Value),
}

/// A page of a search: where it is read from, the page's own address and the next one's, and what is on it.
pub fn searchset(base: &str, this: &str, next: Option<&str>, found: Vec<Found>) -> Value {
    let entry = |found: Found| {
        let resource = match found {
            Found::Resource(resource) => resource,
            Found::Outcome(outcome) => return json!({"resource": outcome, "search": {"mode": "outcome"}}),
        };
        let (kind, id) = (text(&resource, "resourceType").unwrap_or_default(), text(&resource, "id"));
        let full_url = format!("{base}/fhir/{kind}/{}", id.unwrap_or_default());
        json!({"fullUrl": full_url, "resource": resource, "search": {"mode": "match"}})
    };
    let bundle = json!({
        "resourceType": "Bundle",
        "type": "searchset",
        "link": [
            {"relation": "self", "url": format!("{base}{this}")},
            next.map(|next| json!({"relation": "next", "url": format!("{base}{next}")})),
        ],
        "entry": found.into_iter().map(entry).collect::<Vec<_>>(),
    });
    compact(bundle).unwrap_or_default()
}

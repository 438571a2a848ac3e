//! Bundle: what a search has found.

use serde_json::{Value, json};

use super::exchange::{compact, text};

/// A page of a search: where it is read from, the page's own address and the next one's, and what is on it.
pub fn searchset(base: &str, this: &str, next: Option<&str>, resources: Vec<Value>) -> Value {
    let entry = |resource: Value| {
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
        "entry": resources.into_iter().map(entry).collect::<Vec<_>>(),
    });
    compact(bundle).unwrap_or_default()
}

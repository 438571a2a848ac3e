//! The document that describes the service to clients and tools (OpenAPI 3.1), a file for each family. It says what the
//! actions do: every reply that a test gets is held against it, and so is every route.

mod audit;
mod dispatch;
mod fhir;
mod finding_rules;
mod findings;
mod images;
mod ingest;
mod machines;
mod operation;
mod orders;
mod reports;
mod schema;
mod shared;
mod studies;

use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use operation::Operation;
use service::Reply;

const ABOUT: &str = "Imaging orders, studies, images, reports and critical findings of a hospital.

Success is `{\"status\": \"success\", \"data\": {…}}`. Failure is `{\"status\": \"error\", \"code\": …, \
\"message\": …, \"requestId\": …}`: `code` is for programs, `message` for people, and `errors` names every field that \
cannot be accepted.

Names are camelCase, enumerations in upper case, times ISO 8601 in UTC. What is optional in a body may be left out or \
null, which is the same unless null is said to take something away. An unknown member is refused with 422, an unknown \
parameter with 400. A body is JSON, and at most 1 MiB.

Everything belongs to the organization of the caller's token. What the caller may not read is 404; what the caller may \
read and not change is 403. A path that does not take a method answers 405, and `Allow` names those that it takes.

Every resource has a `version`, which is its `ETag`. With `If-Match` a change is made only to the version that was \
read. A POST takes an `Idempotency-Key`, with which it can be sent again.";

/// Everything of one family.
struct Family {
    tag: (&'static str, &'static str),
    operations: Vec<Operation>,
}

fn families() -> Vec<Family> {
    vec![
        Family { tag: orders::TAG, operations: orders::operations() },
        Family { tag: studies::TAG, operations: studies::operations() },
        Family { tag: images::TAG, operations: images::operations() },
        Family { tag: reports::TAG, operations: reports::operations() },
        Family { tag: findings::TAG, operations: findings::operations() },
        Family { tag: finding_rules::TAG, operations: finding_rules::operations() },
        Family { tag: ingest::TAG, operations: ingest::operations() },
        Family { tag: audit::TAG, operations: audit::operations() },
        Family { tag: dispatch::TAG, operations: dispatch::operations() },
        Family { tag: fhir::TAG, operations: fhir::operations() },
        Family {
            tag: findings::SETTINGS,
            operations: findings::operations_on_settings()
                .into_iter()
                .chain(ingest::operations_on_settings())
                .collect(),
        },
        Family { tag: machines::SERVICE, operations: machines::operations_of_the_service() },
        Family { tag: machines::MACHINES, operations: machines::operations_of_machines() },
    ]
}

fn schemas() -> Value {
    let schemas = [
        orders::schemas(),
        studies::schemas(),
        images::schemas(),
        reports::schemas(),
        findings::schemas(),
        finding_rules::schemas(),
        ingest::schemas(),
        audit::schemas(),
        dispatch::schemas(),
        fhir::schemas(),
        machines::schemas(),
        shared::schemas(),
    ];
    Value::Object(schemas.into_iter().flatten().map(|(name, schema)| (name.to_owned(), schema)).collect())
}

/// The document, made once an instance.
pub(crate) fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(make)
}

/// The document as tools read it.
pub(crate) fn openapi() -> Reply {
    static TEXT: OnceLock<String> = OnceLock::new();
    Reply::content(200, "application/json", TEXT.get_or_init(|| document().to_string()).as_str())
}

fn make() -> Value {
    let mut tags = Vec::new();
    let mut paths: Map<String, Value> = Map::new();
    for Family { tag: (name, description), operations } in families() {
        tags.push(json!({"name": name, "description": description}));
        for operation in operations {
            let (path, method) = (operation.path, operation.method);
            let item = paths.entry(path).or_insert_with(|| json!({}));
            if let Some(methods) = item.as_object_mut() {
                methods.insert(method.to_owned(), operation.finish(name));
            }
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Imaging service",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Radiology from the order to the image and its report.",
            "description": ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": tags,
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "parameters": shared::parameters(),
            "headers": shared::headers(),
            "responses": shared::responses(),
            "securitySchemes": shared::security(),
        },
    })
}

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Map, Value};
use tests::{Hospital, Reply, contract::Contract};

async fn contract(hospital: &Hospital) -> Contract {
    let reply = hospital.anonymous().get("/openapi.json").await;
    reply.expect_status(200);
    Contract::new(reply.body)
}

/// Every value of the document with the pointer to it.
fn everything(value: &Value) -> Vec<(String, &Value)> {
    let mut all = vec![(String::new(), value)];
    let mut at = 0;
    while at < all.len() {
        let (pointer, value) = all[at].clone();
        let escape = |name: &str| name.replace('~', "~0").replace('/', "~1");
        match value {
            Value::Object(members) => {
                all.extend(
                    members.iter().map(|(name, value)| (format!("{pointer}/{}", escape(name)), value)),
                );
            }
            Value::Array(values) => {
                all.extend(values.iter().enumerate().map(|(at, value)| (format!("{pointer}/{at}"), value)));
            }
            _ => {}
        }
        at += 1;
    }
    all
}

#[tokio::test]
async fn anybody_may_read_the_document_of_the_service() {
    let hospital = Hospital::open().await;
    let reply = hospital.anonymous().get("/openapi.json").await;
    assert_eq!((reply.status, reply.header("content-type")), (200, "application/json"));
    assert_eq!(reply.body["openapi"], "3.1.0");
    let about = hospital.anonymous().get("/").await.expect(200);
    assert_eq!(reply.body["info"]["version"], about["version"]);
}

#[tokio::test]
async fn what_the_document_refers_to_is_in_it() {
    let hospital = Hospital::open().await;
    let contract = contract(&hospital).await;
    let all = everything(&contract.document);
    let operations =
        all.iter().filter(|(_, value)| value["tags"].is_array() && value["responses"].is_object());
    let ids: Vec<&str> = operations.clone().filter_map(|(_, value)| value["operationId"].as_str()).collect();
    assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len(), "each operation has a name of its own");
    assert_eq!(ids.len(), contract.operations().len());

    for (pointer, value) in &all {
        if let Some(reference) = value["$ref"].as_str() {
            contract.at(reference.strip_prefix('#').unwrap());
        }
        let Some(id) = value["operationId"].as_str().filter(|_| pointer.contains("/links/")) else {
            continue;
        };
        let (_, target) = operations.clone().find(|(_, value)| value["operationId"] == id).unwrap();
        let names: Vec<&str> = target["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .map(|parameter| match parameter["$ref"].as_str() {
                Some(reference) => contract.at(reference.strip_prefix('#').unwrap()),
                None => parameter,
            })
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        for (name, from) in value["parameters"].as_object().unwrap() {
            assert!(names.contains(&name.as_str()), "{pointer}: {id} has no {name}");
            assert!(from.as_str().unwrap().starts_with("$response.body#/data/"), "{pointer}: {from}");
        }
    }
}

#[tokio::test]
async fn what_a_link_takes_from_a_reply_is_there() {
    let hospital = Hospital::open().await;
    let contract = contract(&hospital).await;
    for (pointer, value) in everything(&contract.document) {
        let Some((response, _)) = pointer.split_once("/links/") else { continue };
        let Some(parameters) = value["parameters"].as_object() else { continue };
        for from in parameters.values() {
            let path = from.as_str().unwrap().strip_prefix("$response.body#/").unwrap();
            let mut schema = &contract.at(response)["content"]["application/json"]["schema"];
            for part in path.split('/') {
                while let Some(reference) = schema["$ref"].as_str() {
                    schema = contract.at(reference.strip_prefix('#').unwrap());
                }
                schema = if part == "0" { &schema["items"] } else { &schema["properties"][part] };
                assert!(!schema.is_null(), "{pointer}: {path} stops at {part}");
            }
        }
    }
}

#[tokio::test]
async fn every_example_is_one_of_what_it_stands_for() {
    let hospital = Hospital::open().await;
    let contract = contract(&hospital).await;
    let mut number = 0;
    for (pointer, value) in everything(&contract.document) {
        let schema_of = |pointer: &str| {
            if value["schema"].is_null() { pointer.to_owned() } else { format!("{pointer}/schema") }
        };
        let examples = value["examples"].as_array().cloned().unwrap_or_default();
        for example in examples.iter().chain(value.get("example")) {
            if let Err(why) = contract.fits(&schema_of(&pointer), example) {
                panic!("{pointer}: {example}: {why}");
            }
            number += 1;
        }
    }
    assert!(number > 200, "{number}");
}

#[tokio::test]
async fn no_object_of_ours_has_members_that_are_not_described() {
    let hospital = Hospital::open().await;
    let contract = contract(&hospital).await;
    // What storage sends, what is this document, and what files and people say of images.
    let open = [
        "/components/schemas/Event",
        "/paths/~1openapi.json/",
        "/metadata",
        "/detail",
        "/properties/resources",
        "/macros",
    ];
    for (pointer, value) in everything(&contract.document) {
        let is_object =
            value["type"] == "object" && (value["properties"].is_object() || value["required"].is_array());
        // What a resource of FHIR may hold, R4 says.
        let is_object = is_object && value["properties"]["resourceType"].is_null();
        if is_object && !open.iter().any(|open| pointer.contains(open)) && !pointer.contains("/allOf/") {
            assert_eq!(value["additionalProperties"], false, "{pointer}");
            let properties = value["properties"].as_object().unwrap();
            let required = value["required"].as_array().cloned().unwrap_or_default();
            assert!(required.iter().all(|name| properties.contains_key(name.as_str().unwrap())), "{pointer}");
        }
    }
}

#[tokio::test]
async fn a_path_that_is_described_allows_the_methods_that_are() {
    let hospital = Hospital::open().await;
    let contract = contract(&hospital).await;
    for path in contract.document["paths"].as_object().map(Map::keys).unwrap() {
        let real: Vec<&str> =
            path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect();
        let request = hospital.anonymous().request(Method::from_bytes(b"PROPFIND").unwrap(), &real.join("/"));
        let reply = Reply::of(request).await;
        if path.starts_with("/fhir/") {
            reply.expect_outcome(405, "method_not_allowed");
        } else {
            reply.expect_refusal(405, "method_not_allowed");
        }
        let mut allowed: Vec<String> =
            reply.header("allow").split(", ").filter(|method| *method != "HEAD").map(str::to_owned).collect();
        allowed.sort_unstable();
        let mut described = contract.methods_of(path);
        described.sort_unstable();
        assert_eq!(allowed, described, "{path}");
    }
}

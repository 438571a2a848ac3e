//! The document of the service (`/openapi.json`), and whether what is answered is what it says.
//!
//! Every request that a test sends is held against it, with its reply: what the document does not say fails the test.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use jsonschema::Validator;
use reqwest::{Method, Url};
use serde_json::{Map, Value, json};

use crate::reply::Reply;

/// What was asked.
pub(crate) struct Asked {
    method: Method,
    url: Url,
    /// The JSON that was sent, if it was JSON.
    body: Option<Value>,
}

impl Asked {
    pub(crate) fn of(request: &reqwest::Request) -> Self {
        let bytes = request.body().and_then(reqwest::Body::as_bytes);
        Self {
            method: request.method().clone(),
            url: request.url().clone(),
            body: bytes.and_then(|bytes| serde_json::from_slice(bytes).ok()),
        }
    }
}

/// One operation of the document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    /// In upper case.
    pub method: String,
    /// With names in braces.
    pub path: String,
}

pub struct Contract {
    pub document: Value,
    /// What schemas were made into, by where they stand in the document.
    validators: Mutex<BTreeMap<String, Arc<Validator>>>,
}

/// The service's document, which is the same whichever host of a test run is asked: the first that has it.
static CONTRACT: OnceLock<Contract> = OnceLock::new();

/// Asks a host for the document, if none was had yet. A host of another application has none.
pub(crate) async fn learn(http: &reqwest::Client, address: &str) {
    if CONTRACT.get().is_some() {
        return;
    }
    let reply = http.get(format!("{address}/openapi.json")).send().await.expect("the host answers");
    if reply.status() == 200 {
        let document = reply.json().await.expect("the document is JSON");
        CONTRACT.get_or_init(|| Contract::new(document));
    }
}

/// Fails when the document knows what was asked, and says something else than was answered.
pub(crate) fn hold(asked: &Asked, reply: &Reply) {
    let Some(contract) = CONTRACT.get() else { return };
    if let Err(why) = contract.check(asked, reply) {
        panic!("{} {} is not answered as /openapi.json says: {why}\n{reply}", asked.method, asked.url.path());
    }
}

impl Contract {
    pub fn new(document: Value) -> Self {
        Self { document, validators: Mutex::default() }
    }

    pub fn operations(&self) -> BTreeSet<Operation> {
        let paths = self.document["paths"].as_object().expect("paths");
        let operations = paths.iter().flat_map(|(path, item)| {
            item.as_object()
                .expect("a path")
                .keys()
                .map(|method| Operation { method: method.to_uppercase(), path: path.clone() })
        });
        operations.collect()
    }

    /// The methods that a path takes, in order.
    pub fn methods_of(&self, path: &str) -> Vec<String> {
        let methods = self.document["paths"][path].as_object().expect("a path of the document");
        methods.keys().map(|method| method.to_uppercase()).collect()
    }

    /// The path of the document that a real one is an instance of: of several the one that says most of it.
    pub fn path_of(&self, real: &str) -> Option<&str> {
        let paths = self.document["paths"].as_object()?.keys().map(String::as_str);
        paths.filter(|path| fits(path, real)).min_by_key(|path| path.matches('{').count())
    }

    fn check(&self, asked: &Asked, reply: &Reply) -> Result<(), String> {
        let Some(path) = self.path_of(asked.url.path()) else { return Ok(()) };
        let methods = self.methods_of(path);
        if !methods.iter().any(|method| method == asked.method.as_str()) {
            return refused_method(&asked.method, path, &methods, reply);
        }
        let at = format!("/paths/{}/{}", escape(path), asked.method.as_str().to_lowercase());
        let operation = self.at(&at);

        let status = reply.status.to_string();
        let response_at = format!("{at}/responses/{status}");
        if self.document.pointer(&response_at).is_none() {
            let documented: Vec<&String> =
                operation["responses"].as_object().expect("responses").keys().collect();
            return Err(format!("no {status} among {documented:?}"));
        }
        let response_at = self.resolved(&response_at);
        let response = self.at(&response_at);
        self.check_headers(response, reply)?;
        self.check_body(&response_at, response, reply)?;
        if (200..300).contains(&reply.status) { self.check_request(&at, operation, asked) } else { Ok(()) }
    }

    fn check_headers(&self, response: &Value, reply: &Reply) -> Result<(), String> {
        for (name, header) in members(response, "headers") {
            let header_at = reference(header).expect("headers are among the components");
            let header = self.at(header_at);
            let Some(value) = reply.headers.get(name) else {
                if header["required"] == true {
                    return Err(format!("there is no header {name}"));
                }
                continue;
            };
            let text = value.to_str().map_err(|_| format!("header {name} is no text"))?;
            let value = match header["schema"]["type"].as_str() {
                Some("integer") => text.parse::<i64>().map_or(json!(text), |number| json!(number)),
                _ => json!(text),
            };
            self.fits(&format!("{header_at}/schema"), &value)
                .map_err(|why| format!("header {name}: {why}"))?;
        }
        Ok(())
    }

    fn check_body(&self, response_at: &str, response: &Value, reply: &Reply) -> Result<(), String> {
        let content_type = reply.header("content-type").split(';').next().unwrap_or_default();
        let content = response.get("content").and_then(Value::as_object);
        let Some(content) = content else {
            return if reply.text.is_empty() { Ok(()) } else { Err("there is a body".to_owned()) };
        };
        if !content.contains_key(content_type) {
            return Err(format!("its content type is {content_type:?}"));
        }
        let is_json = content_type == "application/json" || content_type.ends_with("+json");
        let body = if is_json { &reply.body } else { &json!(reply.text) };
        self.fits(&format!("{response_at}/content/{}/schema", escape(content_type)), body)
    }

    /// What is accepted is what the document says may be sent.
    fn check_request(&self, at: &str, operation: &Value, asked: &Asked) -> Result<(), String> {
        let parameters = operation["parameters"].as_array().expect("parameters");
        let in_query: Vec<&str> = parameters
            .iter()
            .map(|parameter| reference(parameter).map_or(parameter, |at| self.at(at)))
            .filter(|parameter| parameter["in"] == "query")
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        if let Some((name, _)) = asked.url.query_pairs().find(|(name, _)| !in_query.contains(&name.as_ref()))
        {
            // Whoever takes a body looks at no query.
            if operation.get("requestBody").is_none() && operation.get("security").is_none() {
                return Err(format!("parameter {name} was accepted, and is not described"));
            }
        }
        let schema = format!("{at}/requestBody/content/application~1json/schema");
        match &asked.body {
            Some(body) if self.document.pointer(&schema).is_some() => self
                .fits(&schema, body)
                .map_err(|why| format!("{body} was accepted, and is not described: {why}")),
            _ => Ok(()),
        }
    }

    /// Whether a value is what a schema of the document describes.
    pub fn fits(&self, schema: &str, value: &Value) -> Result<(), String> {
        let validator = self.validator(schema);
        let faults = validator.iter_errors(value).take(3).map(|error| {
            let place = error.instance_path().to_string();
            format!("{} {error}", if place.is_empty() { "the whole" } else { &place })
        });
        let faults: Vec<String> = faults.collect();
        if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
    }

    fn validator(&self, schema: &str) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || {
            // The document itself is no schema: what its schemas refer to is put beside each.
            let whole = json!({"allOf": [self.at(schema)], "components": self.document["components"]});
            let options = jsonschema::draft202012::options().should_validate_formats(true).offline();
            Arc::new(options.build(&whole).unwrap_or_else(|error| panic!("{schema} is no schema: {error}")))
        };
        Arc::clone(validators.entry(schema.to_owned()).or_insert_with(made))
    }

    pub fn at(&self, pointer: &str) -> &Value {
        self.document.pointer(pointer).unwrap_or_else(|| panic!("the document has no {pointer}"))
    }

    /// Where a response really stands.
    fn resolved(&self, at: &str) -> String {
        reference(self.at(at)).map_or_else(|| at.to_owned(), str::to_owned)
    }
}

/// A method that a path does not take is refused, with those that it takes.
fn refused_method(method: &Method, path: &str, methods: &[String], reply: &Reply) -> Result<(), String> {
    // The host answers for itself whether it lives, to whoever wants only the head as well.
    let lives = path == "/health/live" && method == Method::HEAD;
    if lives || [500, 503, 504].contains(&reply.status) {
        return Ok(());
    }
    if reply.status != 405 {
        return Err(format!("the path takes {methods:?} only"));
    }
    let allowed: BTreeSet<&str> =
        reply.header("allow").split(", ").filter(|allowed| *allowed != "HEAD").collect();
    let takes: BTreeSet<&str> = methods.iter().map(String::as_str).collect();
    if allowed == takes { Ok(()) } else { Err(format!("it allows {allowed:?}, and takes {takes:?}")) }
}

/// Whether a real path is an instance of one with names in braces.
fn fits(path: &str, real: &str) -> bool {
    let (path, real): (Vec<_>, Vec<_>) = (path.split('/').collect(), real.split('/').collect());
    path.len() == real.len()
        && path.iter().zip(&real).all(
            |(part, real)| {
                if part.starts_with('{') { !real.is_empty() } else { part == real }
            },
        )
}

/// Where a reference leads to, as a pointer.
fn reference(value: &Value) -> Option<&str> {
    value.get("$ref")?.as_str()?.strip_prefix('#')
}

fn members<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value.get(name).and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

/// A name as a part of a JSON pointer (RFC 6901 3).
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;

    use super::*;

    fn contract() -> Contract {
        let order = json!({"type": "object", "properties": {"id": {"type": "string", "format": "uuid"}},
            "required": ["id"], "additionalProperties": false});
        Contract::new(json!({
            "paths": {
                "/orders/{id}": {"get": {
                    "parameters": [{"name": "full", "in": "query"}],
                    "responses": {
                        "200": {
                            "headers": {"ETag": {"$ref": "#/components/headers/ETag"}},
                            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}},
                        },
                        "404": {"$ref": "#/components/responses/NotFound"},
                    },
                }},
                "/orders/pending": {"get": {"parameters": [], "responses": {"204": {}}}},
            },
            "components": {
                "schemas": {"Order": order},
                "headers": {"ETag": {"required": true, "schema": {"type": "string", "pattern": "^\"[0-9]+\"$"}}},
                "responses": {"NotFound": {}},
            },
        }))
    }

    fn check(
        method: Method,
        path: &str,
        status: u16,
        headers: &[(&'static str, &str)],
        text: &str,
    ) -> Result<(), String> {
        let url = Url::parse(&format!("http://127.0.0.1{path}")).unwrap();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let body = serde_json::from_str(text).unwrap_or_default();
        let reply = Reply { status, headers: map, body, text: text.to_owned() };
        contract().check(&Asked { method, url, body: None }, &reply)
    }

    #[test]
    fn what_the_document_does_not_say_is_noticed() {
        const ORDER: &str = r#"{"id": "019a3b1c-7e00-7abc-8def-0123456789ab"}"#;
        let json = ("content-type", "application/json");
        let etag = ("etag", "\"1\"");
        let get = |path: &str, status, headers: &[(&'static str, &str)], text: &str| {
            check(Method::GET, path, status, headers, text)
        };
        assert_eq!(get("/orders/1", 200, &[json, etag], ORDER), Ok(()));
        assert_eq!(get("/orders/1?full=1", 200, &[json, etag], ORDER), Ok(()));
        assert_eq!(get("/orders/1", 404, &[], ""), Ok(()));
        assert_eq!(get("/orders/pending", 204, &[], ""), Ok(()));
        assert_eq!(get("/elsewhere", 418, &[], "anything"), Ok(()));

        for (path, status, headers, text) in [
            ("/orders/1", 409, &[][..], ""),
            ("/orders/1", 404, &[], "a body"),
            ("/orders/1", 200, &[json], ORDER),
            ("/orders/1", 200, &[json, ("etag", "1")], ORDER),
            ("/orders/1", 200, &[("content-type", "text/html"), etag], ORDER),
            ("/orders/1", 200, &[json, etag], r#"{"id": "1"}"#),
            ("/orders/1", 200, &[json, etag], "{}"),
            ("/orders/1", 200, &[json, etag], r#"{"id": "019a3b1c-7e00-7abc-8def-0123456789ab", "more": 1}"#),
            ("/orders/1?colour=red", 200, &[json, etag], ORDER),
            ("/orders/pending", 200, &[json, etag], ORDER),
        ] {
            assert!(get(path, status, headers, text).is_err(), "{path} {status} {headers:?} {text}");
        }
        assert_eq!(check(Method::PUT, "/orders/1", 405, &[("allow", "GET")], ""), Ok(()));
        assert!(check(Method::PUT, "/orders/1", 405, &[("allow", "GET, PUT")], "").is_err());
        assert!(check(Method::PUT, "/orders/1", 200, &[], "").is_err());
    }
}

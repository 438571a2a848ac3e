//! The document of the service, to be read by people: HTML made from the same document that tools read, without
//! scripts and without anything from elsewhere, so that it can be read where there is no network.

use std::sync::OnceLock;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};
use service::Reply;
use sha2::{Digest, Sha256};

use crate::openapi;

const STYLE: &str = include_str!("docs.css");

/// In which order a path's methods are read.
const METHODS: [&str; 6] = ["get", "post", "put", "patch", "delete", "options"];

/// The page. It may run and load nothing, and be framed by nobody: a style that is not this one is not applied either.
pub(crate) fn docs() -> Reply {
    static PAGE: OnceLock<String> = OnceLock::new();
    let page = PAGE.get_or_init(|| Page { document: openapi::document(), html: String::new() }.make());
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    Reply::content(200, "text/html; charset=utf-8", page.as_str())
        .header("content-security-policy", &policy)
        .header("x-content-type-options", "nosniff")
        .header("referrer-policy", "no-referrer")
}

struct Page {
    document: &'static Value,
    html: String,
}

/// One operation where it stands in the document.
struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    members: &'a Value,
}

impl Page {
    fn make(mut self) -> String {
        let info = self.at("/info");
        let title = format!("{} {}", text(info, "title"), text(info, "version"));
        self.html.push_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        self.html.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        self.element("title", &escape(&title));
        self.element("style", STYLE);
        self.html
            .push_str("</head>\n<body>\n<a class=\"skip\" href=\"#content\">To the content</a>\n<header>\n");
        self.element("h1", &escape(&title));
        self.prose(text(info, "summary"));
        self.html.push_str("<p>For programs: <a href=\"/openapi.json\">openapi.json</a></p>\n</header>\n");
        self.contents();
        self.html.push_str("<main id=\"content\">\n<section>\n<h2 id=\"how\">How it works</h2>\n");
        self.prose(text(info, "description"));
        self.security();
        let common = self.common_parameters();
        self.parameters("<h3>Headers that every request may have</h3>\n", &common);
        self.html.push_str("</section>\n");
        for tag in list(self.document, "tags") {
            self.family(tag);
        }
        self.refusals();
        self.schemas();
        self.html.push_str("</main>\n</body>\n</html>\n");
        self.html
    }

    fn at(&self, pointer: &str) -> &'static Value {
        self.document.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// What a reference leads to, or the value itself.
    fn resolve(&self, value: &'static Value) -> &'static Value {
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.at(reference.trim_start_matches('#')),
            None => value,
        }
    }

    fn operations(&self, tag: &str) -> Vec<Operation<'static>> {
        let mut operations = Vec::new();
        for (path, item) in members(self.document, "paths") {
            for method in METHODS {
                let Some(operation) = item.get(method) else { continue };
                if list(operation, "tags").iter().any(|name| name == tag) {
                    operations.push(Operation { method, path, members: operation });
                }
            }
        }
        operations
    }

    fn element(&mut self, name: &str, html: &str) {
        self.html.push_str(&format!("<{name}>{html}</{name}>\n"));
    }

    /// The beginning of a table, up to its first row.
    fn table(&mut self, columns: &[&str]) {
        let columns: String =
            columns.iter().map(|column| format!("<th scope=\"col\">{column}</th>")).collect();
        self.html.push_str(&format!("<table>\n<thead><tr>{columns}</tr></thead>\n<tbody>\n"));
    }

    /// Paragraphs, and lists of lines that begin with a dash.
    fn prose(&mut self, text: &str) {
        for block in text.split("\n\n").filter(|block| !block.is_empty()) {
            if block.starts_with("- ") {
                let items =
                    block.lines().map(|line| format!("<li>{}</li>", inline(line.trim_start_matches("- "))));
                self.element("ul", &items.collect::<String>());
            } else {
                self.element("p", &inline(block));
            }
        }
    }

    fn contents(&mut self) {
        self.html.push_str("<nav aria-labelledby=\"contents\">\n<h2 id=\"contents\">Contents</h2>\n<ul>\n");
        self.html.push_str("<li><a href=\"#how\">How it works</a></li>\n");
        for tag in list(self.document, "tags") {
            let name = text(tag, "name");
            let link = |operation: Operation<'_>| {
                let summary = escape(text(operation.members, "summary"));
                format!("<li><a href=\"#{}\">{summary}</a></li>\n", text(operation.members, "operationId"))
            };
            let links: String = self.operations(name).into_iter().map(link).collect();
            self.element(
                "li",
                &format!("<a href=\"#{}\">{}</a>\n<ul>\n{links}</ul>", anchor(name), escape(name)),
            );
        }
        self.html.push_str(
            "<li><a href=\"#refusals\">Refusals</a></li>\n<li><a href=\"#schemas\">Schemas</a></li>\n",
        );
        self.html.push_str("</ul>\n</nav>\n");
    }

    fn security(&mut self) {
        self.html.push_str("<h3>Who may ask</h3>\n<dl>\n");
        for (_, scheme) in members(self.at("/components"), "securitySchemes") {
            let header = match text(scheme, "name") {
                "" => "Authorization: Bearer …".to_owned(),
                name => format!("{name}: …"),
            };
            self.element("dt", &format!("<code>{}</code>", escape(&header)));
            self.element("dd", &inline(text(scheme, "description")));
        }
        self.html.push_str("</dl>\n");
    }

    fn family(&mut self, tag: &'static Value) {
        let name = text(tag, "name");
        self.html.push_str(&format!("<section>\n<h2 id=\"{}\">{}</h2>\n", anchor(name), escape(name)));
        self.prose(text(tag, "description"));
        for operation in self.operations(name) {
            self.operation(&operation);
        }
        self.html.push_str("</section>\n");
    }

    fn operation(&mut self, operation: &Operation<'static>) {
        let id = text(operation.members, "operationId");
        self.html.push_str(&format!(
            "<article aria-labelledby=\"{id}\">\n<h3 id=\"{id}\">{}</h3>\n\
             <p class=\"call\"><b>{}</b> <code>{}</code></p>\n",
            escape(text(operation.members, "summary")),
            operation.method.to_uppercase(),
            escape(operation.path),
        ));
        self.prose(text(operation.members, "description"));
        match operation.members.get("security").and_then(Value::as_array).map(Vec::as_slice) {
            Some([]) => self.element("p", "Anybody may ask; no token is needed."),
            Some(_) => self.element("p", "For machines, with the event key."),
            None => {}
        }
        let common = self.common_parameters();
        let own =
            list(operation.members, "parameters").iter().filter(|parameter| !common.contains(parameter));
        self.parameters("<h4>Parameters</h4>\n", &own.collect::<Vec<_>>());
        if let Some(body) = operation.members.get("requestBody") {
            self.body(body);
        }
        self.responses(operation.members);
        self.html.push_str("</article>\n");
    }

    /// The parameters that every operation has: they are shown once.
    fn common_parameters(&self) -> Vec<&'static Value> {
        let mut operations = members(self.document, "paths")
            .flat_map(|(_, item)| item.as_object().into_iter().flat_map(Map::values));
        let first = operations.next().map(|operation| list(operation, "parameters")).unwrap_or_default();
        let mut common: Vec<&Value> = first.iter().collect();
        for operation in operations {
            common.retain(|parameter| list(operation, "parameters").contains(parameter));
        }
        common
    }

    fn parameters(&mut self, heading: &str, parameters: &[&'static Value]) {
        if parameters.is_empty() {
            return;
        }
        self.html.push_str(heading);
        self.table(&["Name", "Where", "What"]);
        for parameter in parameters {
            let parameter = self.resolve(parameter);
            let schema = parameter.get("schema").unwrap_or(&Value::Null);
            let example =
                parameter.get("example").and_then(Value::as_str).filter(|example| !example.is_empty());
            let example = example.map(|example| format!(" For example <code>{}</code>.", escape(example)));
            self.html.push_str(&format!(
                "<tr><th scope=\"row\"><code>{}</code></th><td>{}</td><td>{}. {}{}</td></tr>\n",
                escape(text(parameter, "name")),
                escape(text(parameter, "in")),
                kind(schema),
                inline(text(parameter, "description")),
                example.unwrap_or_default(),
            ));
        }
        self.html.push_str("</tbody>\n</table>\n");
    }

    fn body(&mut self, body: &'static Value) {
        let optional = body.get("required") != Some(&Value::Bool(true));
        self.element("h4", if optional { "Body, which may be left out" } else { "Body" });
        let Some((_, content)) = members(body, "content").next() else { return };
        let media_types: Vec<String> =
            members(body, "content").map(|(name, _)| format!("<code>{}</code>", escape(name))).collect();
        let schema = content.get("schema").unwrap_or(&Value::Null);
        self.element("p", &format!("{}: {}", media_types.join(", "), kind(schema)));
        let schema = self.resolve(schema);
        if schema.get("properties").is_some() {
            self.fields(schema);
        }
        if let Some(example) = content.get("example") {
            self.example("Example", example);
        }
    }

    /// The members of an object, those that have to be there first.
    fn fields(&mut self, schema: &'static Value) {
        let required = list(schema, "required");
        let is_required = |name: &str| required.iter().any(|required| required == name);
        self.table(&["Field", "What"]);
        let fields = || members(schema, "properties");
        let first = fields().filter(|(name, _)| is_required(name));
        for (name, field) in first.chain(fields().filter(|(name, _)| !is_required(name))) {
            let note = match (is_required(name), field.get("deprecated").is_some()) {
                (true, _) => "",
                (false, false) => " <i>optional</i>",
                (false, true) => " <i>habit</i>",
            };
            self.html.push_str(&format!(
                "<tr><th scope=\"row\"><code>{}</code>{note}</th><td>{}. {}",
                escape(name),
                kind(field),
                inline(text(field, "description")),
            ));
            for inner in within(field) {
                self.fields(inner);
            }
            self.html.push_str("</td></tr>\n");
        }
        self.html.push_str("</tbody>\n</table>\n");
    }

    fn responses(&mut self, operation: &'static Value) {
        self.html.push_str("<h4>Answers</h4>\n<dl>\n");
        let mut shared = Vec::new();
        for (status, response) in members(operation, "responses") {
            if let Some(reference) = response.get("$ref").and_then(Value::as_str) {
                let name = reference.rsplit('/').next().unwrap_or_default();
                shared.push(format!("<a href=\"#refusal-{name}\">{status}</a>"));
                continue;
            }
            self.element("dt", status);
            self.html.push_str("<dd>\n");
            self.response(response);
            self.html.push_str("</dd>\n");
        }
        self.html.push_str("</dl>\n");
        self.element("p", &format!("Also {}.", shared.join(", ")));
    }

    fn response(&mut self, response: &'static Value) {
        self.prose(text(response, "description"));
        let headers: Vec<String> =
            members(response, "headers").map(|(name, _)| format!("<code>{}</code>", escape(name))).collect();
        if !headers.is_empty() {
            self.element("p", &format!("Headers: {}", headers.join(", ")));
        }
        for (media_type, content) in members(response, "content") {
            let schema = content.get("schema").unwrap_or(&Value::Null);
            let what = match schema.pointer("/properties/data") {
                Some(data) => {
                    let members = members(data, "properties").map(|(name, member)| {
                        format!("<code>data.{}</code>: {}", escape(name), kind(member))
                    });
                    members.collect::<Vec<_>>().join("; ")
                }
                None => kind(schema),
            };
            self.element("p", &format!("<code>{}</code>: {what}", escape(media_type)));
            if media_type == "application/json" {
                self.example("Example", &self.example_of(schema));
            }
        }
    }

    /// One that may really occur, made of what the members may look like.
    fn example_of(&self, schema: &'static Value) -> Value {
        let schema = self.resolve(schema);
        if let Some(example) = list(schema, "examples").first() {
            return example.clone();
        }
        if let Some(word) = list(schema, "enum").first() {
            return word.clone();
        }
        if let Some(first) = list(schema, "anyOf").first() {
            return self.example_of(first);
        }
        if let Some(Value::Array(parts)) = schema.get("allOf") {
            let parts = parts.iter().filter_map(|part| match self.example_of(part) {
                Value::Object(members) => Some(members),
                _ => None,
            });
            return Value::Object(parts.flatten().collect());
        }
        if let Some(items) = schema.get("items") {
            return Value::Array(vec![self.example_of(items)]);
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("object") => {
                let members = members(schema, "properties")
                    .map(|(name, member)| (name.clone(), self.example_of(member)));
                Value::Object(members.collect())
            }
            Some("integer" | "number") => 1.into(),
            Some("boolean") => true.into(),
            _ => "…".into(),
        }
    }

    fn example(&mut self, what: &str, example: &Value) {
        let json = serde_json::to_string_pretty(example).unwrap_or_default();
        let pre =
            format!("<summary>{what}</summary>\n<pre tabindex=\"0\"><code>{}</code></pre>\n", escape(&json));
        self.element("details", &pre);
    }

    fn refusals(&mut self) {
        self.html.push_str("<section>\n<h2 id=\"refusals\">Refusals</h2>\n");
        for (name, response) in members(self.at("/components"), "responses") {
            self.html.push_str(&format!("<h3 id=\"refusal-{name}\">{}</h3>\n", escape(name)));
            self.response(response);
        }
        self.html.push_str("</section>\n");
    }

    fn schemas(&mut self) {
        self.html.push_str("<section>\n<h2 id=\"schemas\">Schemas</h2>\n");
        for (name, schema) in members(self.at("/components"), "schemas") {
            self.html.push_str(&format!("<h3 id=\"schema-{name}\">{}</h3>\n", escape(name)));
            self.prose(text(schema, "description"));
            self.fields(schema);
        }
        self.html.push_str("</section>\n");
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn members<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value.get(name).and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

/// The objects that stand in a member itself, not behind a reference.
fn within(schema: &Value) -> Vec<&Value> {
    let alternatives = list(schema, "anyOf").iter();
    let candidates = std::iter::once(schema).chain(schema.get("items")).chain(alternatives);
    candidates.filter(|candidate| candidate.get("properties").is_some()).collect()
}

/// What a value is, in words.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    let words = list(schema, "enum");
    if !words.is_empty() {
        return words
            .iter()
            .map(|word| format!("<code>{}</code>", escape(&plain(word))))
            .collect::<Vec<_>>()
            .join(" ");
    }
    let alternatives = list(schema, "anyOf");
    // Those that only say which members have to be there say nothing of what it is.
    if !alternatives.is_empty() && schema.get("properties").is_none() {
        return alternatives.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
        return parts.first().map(kind).unwrap_or_default();
    }
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::Array(types)) => types.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(kind)) => vec![kind],
        _ => vec![text(schema, "format")],
    };
    types.iter().map(|kind| kind_of(kind, schema)).collect::<Vec<_>>().join(" or ")
}

fn kind_of(kind: &str, schema: &Value) -> String {
    let number = |name: &str| schema.get(name).map(ToString::to_string);
    match (kind, text(schema, "format")) {
        ("string" | "uuid", "uuid") => "UUID".to_owned(),
        ("string" | "date-time", "date-time") => "time".to_owned(),
        ("string" | "date", "date") => "date".to_owned(),
        ("string", "uri" | "uri-reference") => "URL".to_owned(),
        _ if schema.get("maxLength") == Some(&0.into()) => "nothing".to_owned(),
        ("string", _) => match number("maxLength") {
            Some(most) => format!("text of at most {most} characters"),
            None => "text".to_owned(),
        },
        ("integer", "int32" | "int64") => "whole number".to_owned(),
        ("integer", _) => match (number("minimum"), number("maximum")) {
            (Some(least), Some(most)) => format!("whole number from {least} to {most}"),
            _ => "whole number".to_owned(),
        },
        ("array", _) => {
            let items = schema.get("items").map(self::kind).filter(|items| !items.is_empty());
            items.map_or_else(|| "list".to_owned(), |items| format!("list of {items}"))
        }
        ("boolean", _) => "<code>true</code> or <code>false</code>".to_owned(),
        ("null", _) => "<code>null</code>".to_owned(),
        (other, _) => escape(other),
    }
}

fn plain(word: &Value) -> String {
    word.as_str().map_or_else(|| word.to_string(), str::to_owned)
}

fn anchor(name: &str) -> String {
    format!("family-{}", name.to_lowercase().replace(' ', "-"))
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A sentence, in which what stands between backticks is code.
fn inline(text: &str) -> String {
    let parts = escape(text);
    let parts = parts.split('`').enumerate();
    parts
        .map(|(at, part)| if at % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() })
        .collect()
}

//! One operation: who may ask it, what it takes, what it answers, and where its answer leads.

use serde_json::{Map, Value, json};

use super::{
    schema::{Described, Member, list, object, one_of, reference},
    shared,
};

/// Who may ask.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    /// Whoever has a token.
    Bearer,
    /// Storage or a timer, with the event key.
    Machine,
    Anybody,
}

pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    id: &'static str,
    summary: &'static str,
    description: &'static str,
    access: Access,
    parameters: Vec<Value>,
    body: Option<Value>,
    answer: u16,
    /// The replies that belong to this operation alone, by status.
    replies: Map<String, Value>,
    /// The statuses of the replies that it shares with others.
    refusals: Vec<u16>,
    links: Map<String, Value>,
    /// How a refusal is told, by its status.
    refusal: fn(u16) -> Value,
}

impl Operation {
    /// An operation that needs a token, by the name that its code and its links have.
    pub(super) fn new(method: &'static str, path: &'static str, id: &'static str) -> Self {
        Self {
            method,
            path,
            id,
            summary: "",
            description: "",
            access: Access::Bearer,
            parameters: shared::of_path(path),
            body: None,
            answer: 200,
            replies: Map::new(),
            refusals: if path.contains("{") { vec![404] } else { Vec::new() },
            links: Map::new(),
            refusal: shared::refusal,
        }
    }

    /// What it does, in a few words, and what else one has to know.
    pub(super) fn says(self, summary: &'static str, description: &'static str) -> Self {
        Self { summary, description, ..self }
    }

    pub(super) fn for_machines(self) -> Self {
        Self { access: Access::Machine, ..self }
    }

    pub(super) fn for_anybody(self) -> Self {
        Self { access: Access::Anybody, ..self }
    }

    /// A parameter that is shared with other operations.
    pub(super) fn with(mut self, parameter: &str) -> Self {
        self.parameters.push(shared::parameter(parameter));
        self
    }

    /// A filter or an option in the query.
    pub(super) fn filter<T: Described>(mut self, name: &str, description: &str) -> Self {
        self.parameters.push(shared::in_query::<T>(name, description));
        self
    }

    /// What the filter that was named last may look like.
    pub(super) fn like(mut self, example: &str) -> Self {
        if let Some(parameter) = self.parameters.last_mut().and_then(Value::as_object_mut) {
            parameter.insert("example".to_owned(), example.into());
        }
        self
    }

    /// Reads that a provider or a radiologist may do with the glass broken.
    pub(super) fn in_an_emergency(self) -> Self {
        self.with("BreakGlass")
    }

    /// A change that can be bound to the version that was read.
    pub(super) fn of_a_version(self) -> Self {
        self.with("IfMatch").refuses(&[412])
    }

    /// A POST that can be sent again under its key.
    pub(super) fn once(self) -> Self {
        self.with("IdempotencyKey").refuses(&[422])
    }

    /// A list that is read by page.
    pub(super) fn paged(self) -> Self {
        self.with("page").with("limit").with("cursor")
    }

    /// A JSON body of a schema of the components, and one that is accepted.
    pub(super) fn takes(mut self, schema: &str, example: &Value) -> Self {
        self.body =
            Some(json!({"required": true, "content": shared::json(reference(schema), Some(example))}));
        self.refuses(&[413, 415, 422])
    }

    /// The same where the body may be left out.
    pub(super) fn may_take(self, schema: &str, example: &Value) -> Self {
        let mut operation = self.takes(schema, example);
        if let Some(body) = operation.body.as_mut().and_then(Value::as_object_mut) {
            body.remove("required");
        }
        operation
    }

    /// A body of other media types.
    pub(super) fn takes_any(mut self, content: Value) -> Self {
        self.body = Some(json!({"required": true, "content": content}));
        self.refuses(&[413, 415, 422])
    }

    /// A body that may be anything, and is done with.
    pub(super) fn may_take_any(mut self, content: Value) -> Self {
        self.body = Some(json!({"content": content}));
        self
    }

    /// Success: the data of the reply.
    pub(super) fn answers(self, status: u16, data: impl IntoIterator<Item = Member>) -> Self {
        let content = shared::json(shared::success(object(data)), None);
        self.replies(status, content)
    }

    /// Success with one resource under its key, and an ETag of its version.
    pub(super) fn answers_one(self, key: &'static str, schema: &str) -> Self {
        self.answers(200, [Member::new(key, reference(schema))]).tells("ETag")
    }

    /// Success with a new resource under its key, where it is, and an ETag of its version.
    pub(super) fn creates(self, key: &'static str, schema: &str) -> Self {
        self.answers(201, [Member::new(key, reference(schema))]).tells("ETag").tells("Location")
    }

    /// Success with a page of resources.
    pub(super) fn answers_page(self, key: &'static str, schema: &str) -> Self {
        let rows = Member::new(key, list(reference(schema)));
        self.answers(200, [rows, Member::new("pagination", reference("Pagination"))]).tells("Link")
    }

    pub(super) fn answers_nothing(mut self) -> Self {
        self.answer = 204;
        self.reply(204, "Done; there is nothing to say.", None)
    }

    /// Success with a body that is not in the envelope.
    pub(super) fn replies(mut self, status: u16, content: Value) -> Self {
        self.answer = status;
        self.reply(status, if status == 201 { "Made." } else { "Done." }, Some(content))
    }

    /// A reply of this operation alone, whatever its status.
    pub(super) fn reply(mut self, status: u16, description: &str, content: Option<Value>) -> Self {
        let mut reply = Map::new();
        reply.insert("description".to_owned(), description.into());
        reply.insert("headers".to_owned(), json!({"X-Request-Id": shared::header("X-Request-Id")}));
        if let Some(content) = content {
            reply.insert("content".to_owned(), content);
        }
        self.replies.insert(status.to_string(), Value::Object(reply));
        self
    }

    /// A header of the success.
    pub(super) fn tells(self, header: &str) -> Self {
        self.tells_as(header, header)
    }

    /// The same where another has its name.
    pub(super) fn tells_as(mut self, name: &str, header: &str) -> Self {
        let answer = self.replies.get_mut(&self.answer.to_string());
        let headers = answer.and_then(|answer| answer.get_mut("headers")).and_then(Value::as_object_mut);
        if let Some(headers) = headers {
            headers.insert(name.to_owned(), shared::header(header));
        }
        self
    }

    /// Refusals that others share.
    pub(super) fn refuses(mut self, statuses: &[u16]) -> Self {
        self.refusals.extend(statuses);
        self
    }

    /// Refusals are told in another form than elsewhere.
    pub(super) fn refused_as(self, refusal: fn(u16) -> Value) -> Self {
        Self { refusal, ..self }
    }

    /// What the path names by another system's id or by a word is a list, be it empty.
    pub(super) fn never_missing(mut self) -> Self {
        self.refusals.retain(|status| *status != 404);
        self
    }

    /// What may stand in its way: the codes of 409, and what each means.
    pub(super) fn conflicts(self, codes: &[(&str, &str)]) -> Self {
        let words: Vec<&str> = codes.iter().map(|(code, _)| *code).collect();
        let meanings: String =
            codes.iter().map(|(code, meaning)| format!("\n- `{code}`: {meaning}")).collect();
        let code = json!({"type": "object", "properties": {"code": one_of(&words)}});
        let schema = json!({"allOf": [reference("Conflict"), code]});
        let description = format!("Something stands in the way, by `code`:\n{meanings}");
        self.reply(409, &description, Some(shared::json(schema, None)))
    }

    /// An operation that the answer leads to, with a parameter that stands in the answer's data.
    pub(super) fn leads_to(self, id: &str, parameter: &str, at: &str) -> Self {
        self.leads(id, id, parameter, at)
    }

    /// The same by a name of its own, where the answer leads to one operation by several ways.
    pub(super) fn leads(mut self, name: &str, id: &str, parameter: &str, at: &str) -> Self {
        let value = format!("$response.body#/data/{at}");
        self.links.insert(name.to_owned(), json!({"operationId": id, "parameters": {parameter: value}}));
        self
    }

    /// As the document has it.
    pub(super) fn finish(mut self, tag: &str) -> Value {
        self.parameters.push(shared::parameter("RequestId"));
        self.parameters.push(shared::parameter("TraceParent"));
        match self.access {
            Access::Bearer => self.refusals.extend([400, 401, 403]),
            Access::Machine => self.refusals.push(401),
            Access::Anybody => {}
        }
        if self.body.is_some() {
            self.refusals.push(400);
        }
        self.refusals.extend([500, 503, 504]);
        for status in self.refusals {
            self.replies.entry(status.to_string()).or_insert_with(|| (self.refusal)(status));
        }
        let answer = self.replies.get_mut(&self.answer.to_string()).and_then(Value::as_object_mut);
        if let (Some(answer), false) = (answer, self.links.is_empty()) {
            answer.insert("links".to_owned(), Value::Object(self.links));
        }

        let mut operation = Map::from_iter([
            ("operationId".to_owned(), self.id.into()),
            ("tags".to_owned(), json!([tag])),
            ("summary".to_owned(), self.summary.into()),
            ("parameters".to_owned(), self.parameters.into()),
            ("responses".to_owned(), self.replies.into()),
        ]);
        if !self.description.is_empty() {
            operation.insert("description".to_owned(), self.description.into());
        }
        if let Some(body) = self.body {
            operation.insert("requestBody".to_owned(), body);
        }
        match self.access {
            Access::Bearer => {}
            Access::Machine => drop(operation.insert("security".to_owned(), json!([{"eventKey": []}]))),
            Access::Anybody => drop(operation.insert("security".to_owned(), json!([]))),
        }
        Value::Object(operation)
    }
}

//! What operations share: parameters, headers, the envelope, refusals, pages.

use domain::{
    Count, DeliveryId, ExternalId, FindingId, ImageId, OrderId, ReportId, Severity, StudyId, UploadId,
    dicom::{AccessionNumber, Uid},
};
use serde_json::{Map, Value, json};

use super::schema::{
    Described, Member, Number, Time, Url, described, list, object, one_of, reference, required, sometimes,
    with,
};

/// JSON of a schema, as a request or a reply carries it.
pub(super) fn json(schema: Value, example: Option<&Value>) -> Value {
    content("application/json", schema, example)
}

pub(super) fn content(media_type: &str, schema: Value, example: Option<&Value>) -> Value {
    let mut content = Map::from_iter([("schema".to_owned(), schema)]);
    if let Some(example) = example {
        content.insert("example".to_owned(), example.clone());
    }
    json!({media_type: content})
}

/// The envelope of a success (JSend).
pub(super) fn success(data: Value) -> Value {
    object([Member::new("status", one_of(&["success"])), Member::new("data", data)])
}

/// The parameters that a path names in braces.
pub(super) fn of_path(path: &str) -> Vec<Value> {
    path.split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(parameter)
        .collect()
}

pub(super) fn parameter(name: &str) -> Value {
    json!({"$ref": format!("#/components/parameters/{name}")})
}

/// How often it was changed, and when: the last members of every resource.
pub(super) fn version() -> [Member; 3] {
    [
        required::<Number>("version").says("Counts the changes; the `ETag` is made of it."),
        required::<Time>("createdAt"),
        required::<Time>("updatedAt"),
    ]
}

pub(super) fn header(name: &str) -> Value {
    json!({"$ref": format!("#/components/headers/{name}")})
}

fn described_parameter<T: Described>(place: &str, name: &str, description: &str, required: bool) -> Value {
    json!({
        "name": name,
        "in": place,
        "required": required,
        "description": description,
        "schema": T::schema(),
        "example": T::example(),
    })
}

/// A filter or an option in the query.
pub(super) fn in_query<T: Described>(name: &str, description: &str) -> Value {
    described_parameter::<T>("query", name, description, false)
}

fn in_path<T: Described>(name: &str, description: &str) -> Value {
    described_parameter::<T>("path", name, description, true)
}

fn in_header(name: &str, description: &str, schema: Value, example: &str) -> Value {
    json!({
        "name": name,
        "in": "header",
        "required": false,
        "description": description,
        "schema": schema,
        "example": example,
    })
}

type ContentVersion = Count<1, { i32::MAX.unsigned_abs() }>;

pub(super) fn parameters() -> Value {
    json!({
        "orderId": in_path::<OrderId>("orderId", "The order's id."),
        "studyId": in_path::<StudyId>("studyId", "The study's id."),
        "imageId": in_path::<ImageId>("imageId", "The image's id."),
        "uploadId": in_path::<UploadId>("uploadId", "The upload's id, which also names its blob."),
        "reportId": in_path::<ReportId>("reportId", "The report's id."),
        "findingId": in_path::<FindingId>("findingId", "The finding's id."),
        "deliveryId": in_path::<DeliveryId>("deliveryId", "The delivery's id."),
        "patientId": in_path::<ExternalId>("patientId", "The patient's id, as the platform knows it."),
        "accessionNumber": in_path::<AccessionNumber>("accessionNumber", "The study's accession number."),
        "seriesUID": in_path::<Uid>("seriesUID", "The Series Instance UID."),
        "contentVersion": in_path::<ContentVersion>("contentVersion", "The number of a content version."),
        "radiologistId": in_path::<ExternalId>("radiologistId", "The radiologist's id."),
        "severity": in_path::<Severity>("severity", "The severity."),
        "page": in_query::<Count<1, 1_000_000>>("page", "Which page, from 1; the reply has the total."),
        "limit": in_query::<Count<1, 100>>("limit", "How many a page; 10 unless told otherwise."),
        "cursor": json!({
            "name": "cursor",
            "in": "query",
            "required": false,
            "allowEmptyValue": true,
            "description": "Instead of `page`: reads on by key, without a total, and without a row missed or seen \
                twice while others are added. Empty for the first page; then follow the reply's `Link`.",
            "schema": {"type": "string", "anyOf": [{"maxLength": 0}, {"format": "uuid"}]},
            "example": "",
        }),
        "RequestId": in_header(
            "X-Request-Id",
            "Names the request, in the reply and in the log: 1 to 128 letters, digits and `-_.:`. What is otherwise is \
                replaced by a new one.",
            String::schema(),
            "client-7",
        ),
        "TraceParent": in_header(
            "traceparent",
            "The trace that the request is part of (W3C Trace Context); passed on.",
            String::schema(),
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
        "BreakGlass": in_header(
            "x-break-glass",
            "Why the glass is broken. A provider or a radiologist then reads beyond facility and own orders; it is \
                audited as an emergency access, and the organization's privacy officers are told.",
            json!({"type": "string", "minLength": 1, "maxLength": 256, "pattern": "^[!-~][\\t -~]*$"}),
            "Unconscious in the emergency room",
        ),
        "IfMatch": in_header(
            "If-Match",
            "The `ETag` that was read: the change is made only while that version is the current one, else 412.",
            json!({"type": "string", "minLength": 1, "pattern": "^(\\*|(W/)?\"[0-9]{1,18}\"( *, *(W/)?\"[0-9]{1,18}\")*)$"}),
            "\"1\"",
        ),
        "WebHookRequestOrigin": in_header(
            "WebHook-Request-Origin",
            "Who wants to deliver: a name that is expected, else 403.",
            String::schema(),
            "eventgrid.azure.net",
        ),
        "IdempotencyKey": in_header(
            "Idempotency-Key",
            "Lets the POST be sent again: for a day, the same key and body are answered as the first success was.",
            json!({"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"}),
            "5d1f0c9e-6f0a-4d52-9a3b-0e0f1f6f3a11",
        ),
    })
}

pub(super) fn headers() -> Value {
    let header = |description: &str, required: bool, schema: Value| {
        json!({
            "description": description,
            "required": required,
            "schema": schema,
        })
    };
    let text = |pattern: &str| json!({"type": "string", "pattern": pattern});
    json!({
        "X-Request-Id": header("The id of the request, as sent or made here.", true, text("^[A-Za-z0-9._:-]{1,128}$")),
        "ETag": header("The version, for `If-Match`.", true, text("^\"[0-9]+\"$")),
        "WeakETag": header("The version.", true, text("^W/\"[0-9]+\"$")),
        "Location": header("Where it is.", true, json!({"type": "string", "format": "uri-reference"})),
        "Link": header(
            "The next page when reading by `cursor`; not there on the last.",
            false,
            text("^<[^>]+>; rel=\"next\"$"),
        ),
        "Retry-After": header("Seconds to wait.", true, json!({"type": "integer", "minimum": 1})),
        "WWW-Authenticate": header("How to prove who one is.", true, one_of(&["Bearer"])),
        "WebHook-Allowed-Origin": header("Who may deliver: as asked for.", true, json!({"type": "string"})),
        "WebHook-Allowed-Rate": header("As often as they like.", true, one_of(&["*"])),
        "Allow": header("The methods that the path takes.", true, text("^[A-Z]+(, [A-Z]+)*$")),
    })
}

/// The members that every failure has.
fn failure(codes: &[&str]) -> Vec<Member> {
    vec![
        Member::new("status", one_of(&["error"])),
        Member::new("code", if codes.is_empty() { json!({"type": "string"}) } else { one_of(codes) })
            .says("What went wrong, for a program."),
        required::<String>("message")
            .like("It cannot be done.")
            .says("The same in a sentence, for a person."),
        required::<String>("requestId")
            .like("019a3b1c-7e00-7abc-8def-00000000000a")
            .says("Quote it when asking for help."),
    ]
}

fn with_faults(codes: &[&str]) -> Value {
    let faults = list(reference("FieldFault"));
    object(
        failure(codes)
            .into_iter()
            .chain([Member::new("errors", faults).says("Every fault, each by its field.")]),
    )
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let conflict = object(
        failure(&[]).into_iter().chain([
            sometimes("current", String::schema())
                .like("COMPLETED")
                .says("The status it is in, when that is what stands in the way."),
            sometimes("allowed", list(String::schema()))
                .like(json!(["IN_PROGRESS"]))
                .says("The statuses it may go to from there."),
        ]),
    );
    let conflict =
        with(conflict, "dependentRequired", json!({"current": ["allowed"], "allowed": ["current"]}));
    let pagination = object([
        required::<Count<1, 1000>>("limit").like(10),
        sometimes("page", Number::schema()).like(1),
        sometimes("total", Number::schema()).like(1).says("How many there are in all."),
        sometimes("totalPages", Number::schema()).like(1),
    ]);
    let together = json!({"page": ["total", "totalPages"], "total": ["page"], "totalPages": ["page"]});
    let pagination = with(pagination, "dependentRequired", together);
    vec![
        (
            "FieldFault",
            object([
                required::<String>("field").says("A field, a parameter, or `body`.").like("bodyPart"),
                required::<String>("message")
                    .says("The end of a sentence that begins with it.")
                    .like("is required"),
            ]),
        ),
        ("Malformed", with_faults(&["malformed_request"])),
        ("Unauthenticated", object(failure(&["unauthenticated"]))),
        ("Forbidden", object(failure(&["forbidden"]))),
        ("NotFound", object(failure(&["not_found"]))),
        ("MethodNotAllowed", object(failure(&["method_not_allowed"]))),
        ("Conflict", conflict),
        ("Stale", object(failure(&["stale_version"]))),
        ("TooLarge", object(failure(&["body_too_large"]))),
        ("NotJson", object(failure(&["not_json"]))),
        ("Invalid", with_faults(&["invalid", "idempotency_key_reused"])),
        ("InternalError", object(failure(&["internal_error"]))),
        ("Unavailable", object(failure(&["unavailable"]))),
        ("DeadlineExceeded", object(failure(&["deadline_exceeded"]))),
        (
            "Pagination",
            described(
                pagination,
                "By `page` with a total; by `cursor` only the `limit`, and the next page in `Link`.",
            ),
        ),
        (
            "Upload",
            object([
                Member::new("method", one_of(&["PUT"])),
                required::<Url>("url").says("Creates this one blob, once; nothing else can be done with it."),
                Member::new(
                    "headers",
                    object([
                        Member::new("x-ms-blob-type", one_of(&["BlockBlob"])),
                        Member::new("content-type", one_of(&["application/dicom"])),
                    ]),
                )
                .says("To be sent with the bytes."),
                required::<Time>("expiresAt"),
            ]),
        ),
    ]
}

/// The refusals that every family answers alike: status, name, meaning, and the headers beside the request's id.
const REFUSALS: [(u16, &str, &str, Option<&str>); 12] = [
    (400, "Malformed", "The JSON, a parameter or an id in the path cannot be read.", None),
    (401, "Unauthenticated", "There is no token, or no valid one.", Some("WWW-Authenticate")),
    (403, "Forbidden", "The role may not do this, or not here.", None),
    (404, "NotFound", "It is not there, or not the caller's to know of.", None),
    (405, "MethodNotAllowed", "The path does not take that method.", Some("Allow")),
    (412, "Stale", "It has been changed since it was read; `ETag` is the current version.", Some("ETag")),
    (413, "TooLarge", "The body is larger than 1 MiB.", None),
    (415, "NotJson", "The body is not said to be JSON.", None),
    (422, "Invalid", "Fields cannot be accepted; all faults at once.", None),
    (500, "InternalError", "Something went wrong here; the request id is all that is said of it.", None),
    (
        503,
        "Unavailable",
        "The database or storage is out of reach, or too many ask at once: come again.",
        Some("Retry-After"),
    ),
    (504, "DeadlineExceeded", "It took too long, and was ended.", None),
];

pub(super) fn refusal(status: u16) -> Value {
    let name =
        REFUSALS.iter().find(|refusal| refusal.0 == status).map_or("InternalError", |refusal| refusal.1);
    json!({"$ref": format!("#/components/responses/{name}")})
}

/// The same in another form: with its meaning and its headers, and other content.
pub(super) fn refusal_with(status: u16, content: Value) -> Value {
    let known = REFUSALS.iter().find(|refusal| refusal.0 == status);
    let (meaning, more) = known.map_or(("It cannot be done.", None), |refusal| (refusal.2, refusal.3));
    let headers: Map<String, Value> =
        ["X-Request-Id"].into_iter().chain(more).map(|name| (name.to_owned(), header(name))).collect();
    json!({"description": meaning, "headers": headers, "content": content})
}

pub(super) fn responses() -> Value {
    let response = |(_, name, description, more): (u16, &str, &str, Option<&str>)| {
        let headers: Map<String, Value> =
            ["X-Request-Id"].into_iter().chain(more).map(|name| (name.to_owned(), header(name))).collect();
        let response =
            json!({"description": description, "headers": headers, "content": json(reference(name), None)});
        (name.to_owned(), response)
    };
    Value::Object(REFUSALS.into_iter().map(response).collect())
}

pub(super) fn security() -> Value {
    json!({
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A token of the platform: HS256, or RS256, ES256 or EdDSA by its published keys; with \
                `id`, `role`, `organizationId`, `facilityIds` and, for a patient, `patientId`. The role says what may \
                be done, and on whose rows; another organization's are never there.",
        },
        "eventKey": {
            "type": "apiKey",
            "in": "header",
            "name": "x-event-key",
            "description": "What storage and timers prove themselves with.",
        },
    })
}

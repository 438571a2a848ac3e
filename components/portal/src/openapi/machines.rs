//! What storage and timers call, and what anybody may ask

use serde_json::{Map, Value, json};

use super::{
    operation::Operation,
    schema::{
        Described, Member, Number, Time, described, list, object, one_of, reference, required, sometimes,
    },
    shared::{self, content},
};

pub(super) const MACHINES: (&str, &str) =
    ("Machines", "For storage's events and for timers, with the event key.");
pub(super) const SERVICE: (&str, &str) =
    ("Service", "What this is, and is it well. For anybody, without a token.");

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let check = || {
        object([
            Member::new("status", one_of(&["up", "down"])),
            sometimes("cause", String::schema())
                .like("setting phi_keys is empty")
                .says("What has to be mended."),
        ])
    };
    // What events hold beside this is storage's own business.
    let event = json!({
        "type": "object",
        "properties": {
            "eventType": {"description": "Of Event Grid's schema: `Microsoft.Storage.BlobCreated`, or a validation."},
            "type": {"description": "The same, of CloudEvents 1.0."},
            "data": {"description": "With `url`, the blob's, or `validationCode`."},
        },
    });
    let invocation = json!({
        "properties": {
            "Data": {"description": "By the name of its binding, the message: an event or a list of them, or its text."},
            "Metadata": {"description": "What Functions knows of the message; it is not read."},
        },
    });
    vec![
        ("Event", described(event, "One event of storage. What is none of ours is ignored.")),
        ("Invocation", described(invocation, "What Functions hands over. What holds no event is done with.")),
        (
            "Health",
            object([
                Member::new("status", one_of(&["healthy", "unhealthy"])),
                Member::new("service", one_of(&["imaging-service"])),
                required::<String>("version").like(env!("CARGO_PKG_VERSION")),
                required::<Time>("timestamp"),
                Member::new(
                    "checks",
                    object([
                        Member::new("database", check()),
                        Member::new("storage", check()),
                        Member::new("settings", check()),
                    ]),
                ),
            ]),
        ),
    ]
}

pub(super) fn operations_of_machines() -> Vec<Operation> {
    let event = || json!({"anyOf": [reference("Event"), list(json!({}))]});
    let example = json!([{
        "id": "1",
        "topic": "/subscriptions/1/resourceGroups/1/providers/Microsoft.Storage/storageAccounts/imaging",
        "subject": "/blobServices/default/containers/medical-images/blobs/a.dcm",
        "eventType": "Microsoft.Storage.BlobCreated",
        "eventTime": "2026-01-02T07:08:09Z",
        "data": {"url": "https://example.org/medical-images/a.dcm"},
        "dataVersion": "1",
    }]);
    let mut events = Map::new();
    for media_type in
        ["application/json", "application/cloudevents+json", "application/cloudevents-batch+json"]
    {
        if let Value::Object(one) = content(media_type, event(), Some(&example)) {
            events.extend(one);
        }
    }
    let taken = shared::success(object([
        required::<Number>("accepted").says("How many uploads were taken up."),
        required::<Number>("ignored")
            .like(0)
            .says("How many events are none of ours, or the same once more."),
        sometimes("left", Number::schema())
            .like(40)
            .says("How many uploads are left to the sweep: those beyond 200."),
    ]));
    let validated = object([required::<String>("validationResponse").like("512d38b6")]);
    let invocation = json!({"Data": {"message": example.to_string()}, "Metadata": {}});
    let invoked = object([
        Member::new("Outputs", json!({"type": "object", "maxProperties": 0})),
        Member::new("Logs", json!({"type": "array", "maxItems": 0})),
        Member::new("ReturnValue", json!({"type": "null"})),
    ]);
    vec![
        Operation::new("post", "/events/blob", "receiveBlobEvents")
            .says(
                "Take up blobs that were created",
                "In Event Grid's schema or as CloudEvents 1.0, one or many; a subscription to the account of this \
                    service is validated. 503 when one of them has to be sent again, and then all may be.",
            )
            .for_machines()
            .takes_any(events.into())
            .replies(200, shared::json(json!({"anyOf": [taken, validated]}), None)),
        Operation::new("options", "/events/blob", "shakeHandsWithCloudEvents")
            .says(
                "Shake hands",
                "Of the CloudEvents webhook specification, section 4; 403 for an origin that is not expected.",
            )
            .for_anybody()
            .with("WebHookRequestOrigin")
            .refuses(&[403])
            .reply(200, "Events of this origin may be delivered here, with the event key.", None)
            .tells("WebHook-Allowed-Origin")
            .tells("WebHook-Allowed-Rate")
            .tells("Allow"),
        Operation::new("post", "/blob-created", "receiveInvocation")
            .says(
                "Take up blobs that a queue announces",
                "What Azure Functions asks of a custom handler for a queue trigger. Done, whatever the message is; 503 \
                    when it has to be handed over again.",
            )
            .for_machines()
            .may_take_any(content("application/json", reference("Invocation"), Some(&invocation)))
            .replies(200, shared::json(invoked, None)),
        Operation::new("post", "/tasks/sweep", "sweepUploads")
            .says(
                "Find uploads that no event announced",
                "A bounded number a call: while there is `more`, it is called again at once.",
            )
            .for_machines()
            .answers(200, [required::<Number>("filed"), required::<bool>("more").like(false)]),
        Operation::new("post", "/tasks/dispatch", "dispatchEvents")
            .says(
                "Tell other systems what happened",
                "Deadlines that have passed fire, events become deliveries, and what is due is sent: a bounded amount a \
                    call, and as many calls at once as one likes. While there is `more`, it is called again at once.",
            )
            .for_machines()
            .answers(
                200,
                [
                    required::<Number>("fired").like(0).says("How many deadlines of findings had passed."),
                    required::<Number>("events").says("How many events were worked."),
                    required::<Number>("delivered").says("How many deliveries have arrived."),
                    required::<Number>("failed").like(0).says("How many were tried, and will be again."),
                    required::<bool>("more").like(false),
                ],
            ),
        Operation::new("post", "/tasks/seal", "sealAudit")
            .says(
                "Seal the audit's events",
                "A batch a call, its hash into storage; while there is `more`, it is called again at once.",
            )
            .for_machines()
            .answers(
                200,
                [
                    required::<Number>("events").says("How many were sealed."),
                    required::<Number>("published").says("How many hashes storage has taken."),
                    required::<bool>("more").like(false),
                ],
            ),
    ]
}

pub(super) fn operations_of_the_service() -> Vec<Operation> {
    let health = || shared::json(reference("Health"), None);
    let unwell = shared::json(json!({"anyOf": [reference("Health"), reference("Unavailable")]}), None);
    vec![
        Operation::new("get", "/", "about")
            .says("What this is", "And where to go from here.")
            .for_anybody()
            .answers(
                200,
                [
                    required::<String>("service").like("imaging-service"),
                    required::<String>("description")
                        .like("Imaging orders, studies, images, reports and critical findings"),
                    required::<String>("version").like(env!("CARGO_PKG_VERSION")),
                    Member::new(
                        "resources",
                        json!({"type": "object", "additionalProperties": {"type": "string"}}),
                    )
                    .like(json!({"orders": "/api/imaging-orders"}))
                    .says("The paths of what there is, by name."),
                ],
            ),
        Operation::new("get", "/health", "readHealth")
            .says("Is everything within reach?", "The database, storage, and settings that can be used.")
            .for_anybody()
            .reply(503, "Something is out of reach, or too many ask at once.", Some(unwell))
            .replies(200, health()),
        Operation::new("get", "/health/live", "readLiveness")
            .says("Does the host serve?", "Whatever else is out of reach.")
            .for_anybody()
            .answers(200, [Member::new("live", json!({"type": "boolean", "enum": [true]}))]),
        Operation::new("get", "/openapi.json", "readDocument")
            .says("This document", "OpenAPI 3.1.")
            .for_anybody()
            .replies(
                200,
                shared::json(json!({"type": "object", "required": ["openapi", "info", "paths"]}), None),
            ),
        Operation::new("get", "/docs", "readDocumentation")
            .says(
                "This document, to be read by people",
                "HTML without scripts, and without anything from elsewhere.",
            )
            .for_anybody()
            .replies(200, content("text/html", json!({"type": "string"}), None)),
    ]
}

//! What Azure Functions asks of a custom handler for a queue into which storage's events go.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Hospital, Reply};

use crate::events::{created, ingest_of, lock, offered, unlock, url};

const PATH: &str = "/blob-created";

/// A hospital whose host does not look by itself, and which runs behind the Functions host, or does not.
async fn behind_functions(trigger: &str) -> Hospital {
    Hospital::open_with(|settings| {
        settings.timers.clear();
        settings.variables.insert("functions_trigger".to_owned(), trigger.to_owned());
    })
    .await
}

/// What the Functions host posts for a message of a queue.
fn envelope(message: Value) -> Value {
    json!({
        "Data": {"message": message},
        "Metadata": {
            "DequeueCount": "1",
            "ExpirationTime": "\"2026-01-09T09:30:15+00:00\"",
            "Id": "\"3f6b4f4a-6d3c-4b0e-9a51-1c2f6a0f2b11\"",
            "InsertionTime": "\"2026-01-02T09:30:15+00:00\"",
            "NextVisibleTime": "\"2026-01-02T09:40:15+00:00\"",
            "PopReceipt": "\"AgAAAAMAAAAAAAAA\"",
            "sys": {"MethodName": "blob-created", "UtcNow": "2026-01-02T09:30:15Z"},
        },
    })
}

/// The host is told that it is done, in the words that it reads.
#[track_caller]
fn is_done(reply: &Reply) {
    reply.expect_status(200);
    assert_eq!(reply.text, r#"{"Outputs":{},"Logs":[],"ReturnValue":null}"#);
    assert_eq!(reply.header("content-type"), "application/json");
}

#[tokio::test]
async fn a_message_files_its_image_however_the_host_wraps_it() {
    let hospital = behind_functions("false").await;
    let uploads = offered(&hospital, 9, 9).await;
    let event = |at: usize| {
        created(if at.is_multiple_of(2) { "Event Grid" } else { "CloudEvents" }, url(&uploads[at]))
    };
    let text = |at: usize| event(at).to_string();
    let messages = [
        event(0),
        json!(text(1)),
        // A text is written as JSON before it is put into JSON.
        json!(json!(text(2)).to_string()),
        json!(STANDARD.encode(text(3))),
        json!(json!(STANDARD.encode(text(4))).to_string()),
        json!([event(5), event(6)]),
        json!(json!([event(7)]).to_string()),
        json!(format!(" {} \n", text(8))),
    ];
    for message in messages {
        is_done(&hospital.machine().post(PATH, envelope(message)).await);
    }
    for (at, offer) in uploads.iter().enumerate() {
        let ingest = ingest_of(&hospital, offer).await;
        assert_eq!((&ingest["status"], &ingest["attempts"]), (&json!("STORED"), &json!(1)), "{at}: {ingest}");
    }
    assert!(!hospital.log().contains("held no event"));
}

#[tokio::test]
async fn a_message_that_will_never_be_of_use_is_done_with_and_noted() {
    let hospital = behind_functions("false").await;
    let deep = created("Event Grid", "https://example.org/c/a.dcm").to_string();
    let deep = (0..9).fold(deep, |text, _| json!(text).to_string());
    let useless = [
        json!({}),
        json!([]),
        json!("secret words"),
        json!(null),
        json!({"Data": "secret words"}),
        json!({"Data": {}}),
        json!({"Metadata": {"message": created("Event Grid", "https://example.org/c/a.dcm")}}),
        envelope(json!("secret words")),
        envelope(json!("")),
        envelope(json!("c2VjcmV0IHdvcmRz")),
        envelope(json!(7)),
        envelope(json!(null)),
        envelope(json!([])),
        envelope(json!({"url": "secret words"})),
        envelope(json!([["secret words"], 7, null])),
        envelope(json!("\u{0}")),
        envelope(json!(deep)),
    ];
    for envelope in &useless {
        is_done(&hospital.machine().post(PATH, envelope.clone()).await);
    }
    let long = json!({"Data": {"message": "x".repeat(1024 * 1024)}}).to_string();
    let bodies = ["{", "", r#"{"Data":{},"Data":{}}"#, &long];
    for body in bodies {
        let request = hospital.machine().request(Method::POST, PATH);
        is_done(&Reply::of(request.header("content-type", "application/json").body(body.to_owned())).await);
    }
    is_done(&Reply::of(hospital.machine().request(Method::POST, PATH).body("secret words")).await);

    let log = hospital.log();
    let noted: Vec<Value> = log
        .lines()
        .filter(|line| line.contains("an invocation held no event"))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(noted.len(), useless.len() + bodies.len() + 1);
    assert!(noted.iter().all(|line| line["level"] == "WARN" && line["request_id"].is_string()), "{noted:?}");
    assert!(!log.contains("secret words"));
}

#[tokio::test]
async fn what_is_none_of_ours_or_not_there_yet_is_done_and_what_may_work_later_is_handed_over_again() {
    let hospital = behind_functions("false").await;
    let uploads = offered(&hospital, 2, 1).await;
    let mut deleted = created("Event Grid", url(&uploads[0]));
    deleted["eventType"] = json!("Microsoft.Storage.BlobDeleted");
    for message in [
        deleted,
        created("Event Grid", "https://elsewhere.example/c/a.dcm"),
        json!({"eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": {"validationCode": "1"}}),
        created("Event Grid", url(&uploads[1])),
    ] {
        is_done(&hospital.machine().post(PATH, envelope(message)).await);
    }
    for offer in &uploads {
        assert_eq!(ingest_of(&hospital, offer).await["status"], "EXPECTED");
    }

    let message = envelope(created("Event Grid", url(&uploads[0])));
    lock(&hospital, &uploads[0]).await;
    hospital.machine().post(PATH, message.clone()).await.expect_unavailable();
    unlock(&hospital).await;
    is_done(&hospital.machine().post(PATH, message).await);
    assert_eq!(ingest_of(&hospital, &uploads[0]).await["status"], "STORED");
}

#[tokio::test]
async fn only_where_it_is_set_does_the_functions_host_need_no_key_and_whom_it_passes_on_does() {
    for trigger in ["false", "TRUE", "1", "", "true"] {
        let hospital = behind_functions(trigger).await;
        let uploads = offered(&hospital, 1, 1).await;
        let message = envelope(created("Event Grid", url(&uploads[0])));
        let post = |headers: &[(&str, &[u8])]| {
            let mut request = hospital.anonymous().request(Method::POST, PATH).json(&message);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            Reply::of(request)
        };
        // What a client sends reaches the host of Functions through Azure's front end, and is passed on with what that added.
        for header in ["x-arr-log-id", "X-Forwarded-For", "forwarded"] {
            for value in [&b"10.0.0.1"[..], b"", b"\xff"] {
                post(&[(header, value)]).await.expect_refusal(401, "unauthenticated");
            }
            post(&[(header, b"1"), ("x-event-key", b"wrong")]).await.expect_refusal(401, "unauthenticated");
        }
        let invocation = [
            ("x-azure-functions-invocationid", &b"59f5fc6d-8a4f-4b2a-9d2d-3f1a3c9a2b7e"[..]),
            ("user-agent", b"Azure-Functions-Host/4.1047.0"),
        ];
        let reply = post(&invocation).await;
        if trigger == "true" {
            is_done(&reply);
        } else {
            reply.expect_refusal(401, "unauthenticated");
            let key = hospital.setting("event_key");
            is_done(&post(&[("x-event-key", key.as_bytes()), ("x-forwarded-for", b"10.0.0.1")]).await);
        }
        assert_eq!(ingest_of(&hospital, &uploads[0]).await["status"], "STORED", "{trigger}");
        // It opens no other path.
        for path in ["/events/blob", "/tasks/sweep"] {
            hospital.anonymous().post(path, json!([])).await.expect_refusal(401, "unauthenticated");
        }
    }
}

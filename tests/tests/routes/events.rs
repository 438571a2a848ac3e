use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Hospital, Reply,
    hospital::{id, instance_of},
};

const PATH: &str = "/events/blob";

/// A hospital whose host does not look by itself: only events lead to an image.
async fn without_sweep() -> Hospital {
    Hospital::open_with(|settings| settings.timers.clear()).await
}

fn created(schema: &str, url: &str) -> Value {
    let mut event = json!({
        "id": "1", "subject": "/blobServices/default/containers/c/blobs/b",
        "data": {"api": "PutBlob", "url": url.split('?').next().unwrap(), "blobType": "BlockBlob"},
    });
    if schema == "CloudEvents" {
        event["specversion"] = json!("1.0");
        event["type"] = json!("Microsoft.Storage.BlobCreated");
        event["source"] = json!("/subscriptions/s");
    } else {
        event["eventType"] = json!("Microsoft.Storage.BlobCreated");
        event["topic"] = json!("/subscriptions/s");
    }
    event
}

#[tokio::test]
async fn an_event_grid_subscription_is_validated_by_who_has_the_key() {
    let hospital = without_sweep().await;
    let validation = json!([{
        "id": "1", "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "data": {"validationCode": "512d38b6", "validationUrl": "https://example.org"},
    }]);
    let reply = hospital.machine().post(PATH, validation.clone()).await;
    reply.expect_status(200);
    assert_eq!(reply.body, json!({"validationResponse": "512d38b6"}));
    hospital.anonymous().post(PATH, validation).await.expect_refusal(401, "unauthenticated");
}

#[tokio::test]
async fn a_cloud_events_subscription_shakes_hands() {
    let hospital = without_sweep().await;
    let request = hospital
        .anonymous()
        .request(Method::OPTIONS, PATH)
        .header("webhook-request-origin", "eventgrid.azure.net");
    let reply = Reply::of(request.header("webhook-request-rate", "120")).await;
    reply.expect_status(200);
    assert_eq!(reply.header("webhook-allowed-origin"), "eventgrid.azure.net");
    assert_eq!(reply.header("webhook-allowed-rate"), "*");
    assert_eq!(reply.header("allow"), "OPTIONS, POST");
    assert_eq!(reply.header("content-length"), "0");
}

#[tokio::test]
async fn an_event_of_either_schema_files_its_image() {
    let hospital = without_sweep().await;
    let technologist = hospital.technologist();
    let study = hospital.registered_study().await;
    let offered = technologist.post("/api/uploads", json!({"count": 4})).await.expect(201);
    let uploads = offered["uploads"].as_array().unwrap();
    for (number, offer) in (1..).zip(uploads) {
        let file = instance_of(&study).series("1.2.3").sop(&format!("1.2.3.{number}")).number(1, number);
        hospital.send(&offer["upload"], file.write().unwrap()).await.expect_status(201);
    }
    let url = |at: usize| uploads[at]["upload"]["url"].as_str().unwrap();

    let batch = json!([created("Event Grid", url(0)), created("Event Grid", url(1))]);
    assert_eq!(hospital.machine().post(PATH, batch).await.expect(200), json!({"accepted": 2, "ignored": 0}));
    let one = created("CloudEvents", url(2));
    assert_eq!(hospital.machine().post(PATH, one.clone()).await.expect(200)["accepted"], 1);
    // Storage says it at least once. CloudEvents have a media type of their own.
    let again = hospital
        .machine()
        .request(Method::POST, PATH)
        .body(json!([one, created("CloudEvents", url(3))]).to_string());
    let again =
        Reply::of(again.header("content-type", "application/cloudevents-batch+json; charset=utf-8")).await;
    assert_eq!(again.expect(200), json!({"accepted": 2, "ignored": 0}));

    for offer in uploads {
        let ingest =
            technologist.get(&format!("/api/ingest/{}", id(offer))).await.expect(200)["ingest"].take();
        assert_eq!((&ingest["status"], &ingest["attempts"]), (&json!("STORED"), &json!(1)), "{ingest}");
    }
    let study = technologist.get(&format!("/api/studies/{}", id(&study))).await.expect(200)["study"].take();
    assert_eq!(study["numberOfInstances"], 4);
}

#[tokio::test]
async fn what_is_none_of_ours_is_ignored_and_never_announced_again() {
    let hospital = without_sweep().await;
    let container =
        format!("http://127.0.0.1/devstoreaccount1/{}", hospital.setting("azure_storage_container_name"));
    let mut deleted = created("Event Grid", "https://x.blob.core.windows.net/c/a.dcm");
    deleted["eventType"] = json!("Microsoft.Storage.BlobDeleted");
    for events in [
        json!([]),
        json!([deleted]),
        json!([{"eventType": "Microsoft.Storage.BlobCreated"}]),
        json!([{"eventType": 5, "data": {"url": 5}}, "text", null, 5]),
        json!([created(
            "Event Grid",
            "https://elsewhere.example/c/incoming/2026010203/019a3b1c-7e00-7abc-8def-0123456789ab.dcm"
        )]),
        json!([created("Event Grid", "incoming/2025103116/019a3b1c-7e00-7abc-8def-0123456789ab.dcm")]),
        json!([created("CloudEvents", &format!("{container}/notes.txt"))]),
    ] {
        let ignored = events.as_array().unwrap().len();
        let reply = hospital.machine().post(PATH, events).await.expect(200);
        assert_eq!(reply, json!({"accepted": 0, "ignored": ignored}));
    }
    assert_eq!(
        hospital.machine().post(PATH, json!("text")).await.expect_malformed(),
        "body must be an event, or a list of events\n"
    );
}

#[tokio::test]
async fn only_a_machine_with_a_valid_key_gets_in() {
    let hospital = Hospital::open_with(|settings| {
        settings.timers.clear();
        settings.variables.insert("event_key".to_owned(), "old-key, new-key".to_owned());
    })
    .await;
    for path in [PATH, "/tasks/sweep"] {
        let post = |key: &str| {
            let request = hospital.anonymous().request(Method::POST, path).header("x-event-key", key);
            Reply::of(request.json(&json!([])))
        };
        // Two are valid while one is exchanged for the other.
        post("old-key").await.expect_status(200);
        post("new-key").await.expect_status(200);
        for wrong in ["", "old-key, new-key", "old-ke", "old-key2", "OLD-KEY", ","] {
            let reply = post(wrong).await;
            reply.expect_refusal(401, "unauthenticated");
            assert!(reply.headers.contains_key("www-authenticate"));
        }
        hospital.anonymous().post(path, json!([])).await.expect_refusal(401, "unauthenticated");
        // A person's token opens no door of the machines, whatever the role.
        hospital.service().post(path, json!([])).await.expect_refusal(401, "unauthenticated");
    }
}

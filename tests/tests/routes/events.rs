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

/// Uploads that are offered, and for each of the first ones a file that was sent to it.
pub(crate) async fn offered(hospital: &Hospital, count: usize, sent: u32) -> Vec<Value> {
    let study = hospital.registered_study().await;
    let mut offered = hospital.technologist().post("/api/uploads", json!({"count": count})).await.expect(201);
    let Value::Array(uploads) = offered["uploads"].take() else { panic!("uploads") };
    for (number, offer) in (1..=sent).zip(&uploads) {
        let file = instance_of(&study).series("1.2.3").sop(&format!("1.2.3.{number}")).number(1, number);
        hospital.send(&offer["upload"], file.write().unwrap()).await.expect_status(201);
    }
    uploads
}

/// What became of an upload.
pub(crate) async fn ingest_of(hospital: &Hospital, offer: &Value) -> Value {
    hospital.technologist().get(&format!("/api/ingest/{}", id(offer))).await.expect(200)["ingest"].take()
}

/// Makes the row of an upload one that cannot be had at the moment.
pub(crate) async fn lock(hospital: &Hospital, offer: &Value) {
    let locked = format!(
        "create function imaging.is_locked() returns trigger language plpgsql as $$
         begin raise exception using errcode = 'lock_not_available'; end $$;
         create trigger locked before update on imaging.uploads for each row
         when (new.id = '{}') execute function imaging.is_locked()",
        id(offer)
    );
    hospital.execute(&locked).await;
}

pub(crate) async fn unlock(hospital: &Hospital) {
    hospital.execute("drop trigger locked on imaging.uploads").await;
}

pub(crate) fn url(offer: &Value) -> &str {
    offer["upload"]["url"].as_str().unwrap()
}

/// The storage account of a hospital, as Azure names it.
fn account_of(hospital: &Hospital) -> String {
    let connection = hospital.setting("azure_storage_connection_string");
    let account = connection.split(';').find_map(|part| part.strip_prefix("AccountName=")).unwrap();
    format!("/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/{account}")
}

pub(crate) fn created(schema: &str, url: &str) -> Value {
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
async fn an_event_grid_subscription_to_our_account_is_validated_for_who_has_the_key() {
    let hospital = without_sweep().await;
    let validation = |topic: &str| {
        json!([{
            "id": "1", "topic": topic, "subject": "", "dataVersion": "1", "metadataVersion": "1",
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "data": {"validationCode": "512d38b6", "validationUrl": "https://example.org"},
        }])
    };
    let account = account_of(&hospital);
    for topic in [account.clone(), account.to_uppercase()] {
        let reply = hospital.machine().post(PATH, validation(&topic)).await;
        reply.expect_status(200);
        assert_eq!(reply.body, json!({"validationResponse": "512d38b6"}));
    }
    hospital.anonymous().post(PATH, validation(&account)).await.expect_refusal(401, "unauthenticated");

    for topic in [
        "",
        "/subscriptions/s",
        &account.replace("storageAccounts/", "storageAccounts/x"),
        &format!("{account}x"),
        &account.replace("Microsoft.Storage/storageAccounts", "Microsoft.EventGrid/topics"),
        account.rsplit('/').next().unwrap(),
    ] {
        let reply = hospital.machine().post(PATH, validation(topic)).await;
        assert_eq!(reply.expect_invalid(), "topic must be the storage account of this service\n", "{topic}");
        assert!(!reply.text.contains("512d38b6"), "{reply}");
    }
    let mut without = validation(&account);
    without[0].as_object_mut().unwrap().remove("topic");
    assert!(hospital.machine().post(PATH, without).await.expect_invalid().starts_with("topic "));
    let mut empty = validation(&account);
    empty[0]["data"] = json!({});
    let reply = hospital.machine().post(PATH, empty).await;
    assert_eq!(reply.expect_invalid(), "data.validationCode is required\n");
}

#[tokio::test]
async fn a_cloud_events_subscription_from_an_expected_origin_shakes_hands() {
    let hospital = Hospital::open_with(|settings| {
        settings.timers.clear();
        settings
            .variables
            .insert("event_origins".to_owned(), "eventgrid.azure.net, Events.example".to_owned());
    })
    .await;
    let shake = |hospital: &Hospital, origin: &str| {
        let request = hospital.anonymous().request(Method::OPTIONS, PATH);
        Reply::of(request.header("webhook-request-origin", origin).header("webhook-request-rate", "120"))
    };
    for origin in ["eventgrid.azure.net", "events.example", "EVENTGRID.azure.net"] {
        let reply = shake(&hospital, origin).await;
        reply.expect_status(200);
        assert_eq!(reply.header("webhook-allowed-origin"), origin);
        assert_eq!(reply.header("webhook-allowed-rate"), "*");
        assert_eq!(reply.header("allow"), "OPTIONS, POST");
        assert_eq!(reply.header("content-length"), "0");
    }
    let refused = |reply: Reply| {
        reply.expect_refusal(403, "forbidden");
        let told = reply.headers.keys().filter(|name| name.as_str().starts_with("webhook-"));
        assert_eq!(told.count(), 0, "{:?}", reply.headers);
    };
    for origin in ["", "*", "azure.net", "x.eventgrid.azure.net", "eventgrid.azure.net, events.example"] {
        refused(shake(&hospital, origin).await);
    }
    refused(Reply::of(hospital.anonymous().request(Method::OPTIONS, PATH)).await);

    let usual = without_sweep().await;
    shake(&usual, "eventgrid.azure.net").await.expect_status(200);
    refused(shake(&usual, "events.example").await);
}

#[tokio::test]
async fn who_asks_to_be_called_back_is_not_called() {
    let hospital = without_sweep().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    for origin in ["eventgrid.azure.net", "elsewhere.example"] {
        let request = hospital.anonymous().request(Method::OPTIONS, PATH);
        let request = request.header("webhook-request-callback", format!("http://{address}/confirm"));
        Reply::of(request.header("webhook-request-origin", origin)).await;
    }
    // Whoever had connected by now would be waiting here.
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn an_event_of_either_schema_files_its_image() {
    let hospital = without_sweep().await;
    let uploads = offered(&hospital, 4, 4).await;
    let url = |at: usize| url(&uploads[at]);

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

    for offer in &uploads {
        let ingest = ingest_of(&hospital, offer).await;
        assert_eq!((&ingest["status"], &ingest["attempts"]), (&json!("STORED"), &json!(1)), "{ingest}");
    }
    let study = &hospital.technologist().get("/api/studies").await.expect(200)["studies"][0];
    assert_eq!(study["numberOfInstances"], 4);
}

#[tokio::test]
async fn what_a_batch_says_twice_is_taken_up_once_and_what_is_not_there_yet_is_waited_for() {
    let hospital = without_sweep().await;
    let uploads = offered(&hospital, 2, 1).await;
    let (arrived, awaited) = (url(&uploads[0]), url(&uploads[1]));
    let batch = json!([
        created("Event Grid", arrived),
        created("CloudEvents", arrived),
        created("Event Grid", awaited),
        created("Event Grid", &arrived.replace(id(&uploads[0]), "019a3b1c-7e00-7abc-8def-0123456789ab")),
        {"eventType": "Microsoft.Storage.BlobDeleted", "data": {"url": arrived}},
    ]);
    let reply = hospital.machine().post(PATH, batch.clone()).await;
    assert_eq!(reply.expect(200), json!({"accepted": 2, "ignored": 3}));
    let stored = ingest_of(&hospital, &uploads[0]).await;
    assert_eq!((&stored["status"], &stored["attempts"]), (&json!("STORED"), &json!(1)), "{stored}");
    let expected = ingest_of(&hospital, &uploads[1]).await;
    assert_eq!((&expected["status"], &expected["attempts"]), (&json!("EXPECTED"), &json!(0)), "{expected}");

    // Nor does it matter how often storage says so.
    hospital.machine().post(PATH, batch).await.expect_status(200);
    assert_eq!(ingest_of(&hospital, &uploads[0]).await, stored);
}

#[tokio::test]
async fn one_event_that_has_to_come_again_brings_its_batch_again_and_keeps_none_of_the_others() {
    let hospital = without_sweep().await;
    let uploads = offered(&hospital, 3, 3).await;
    let batch: Vec<Value> = uploads.iter().map(|offer| created("Event Grid", url(offer))).collect();
    lock(&hospital, &uploads[0]).await;
    hospital.machine().post(PATH, json!(batch)).await.expect_unavailable();
    for (offer, status) in uploads.iter().zip(["EXPECTED", "STORED", "STORED"]) {
        assert_eq!(ingest_of(&hospital, offer).await["status"], status);
    }

    unlock(&hospital).await;
    let again = hospital.machine().post(PATH, json!(batch)).await;
    assert_eq!(again.expect(200), json!({"accepted": 3, "ignored": 0}));
    for offer in &uploads {
        let ingest = ingest_of(&hospital, offer).await;
        assert_eq!((&ingest["status"], &ingest["attempts"]), (&json!("STORED"), &json!(1)), "{ingest}");
    }
}

#[tokio::test]
async fn of_a_batch_that_is_too_long_to_be_waited_for_the_sweep_does_the_rest() {
    let hospital = without_sweep().await;
    let mut uploads = offered(&hospital, 1000, 1).await;
    // The one that has arrived comes last.
    uploads.rotate_left(1);
    let once = uploads.iter().map(|offer| created("Event Grid", url(offer)));
    let batch: Vec<Value> = once.clone().chain(once).collect();
    let reply = hospital.machine().post(PATH, json!(batch)).await;
    assert_eq!(reply.expect(200), json!({"accepted": 200, "ignored": 1000, "left": 800}));
    let last = uploads.last().unwrap();
    assert_eq!(ingest_of(&hospital, last).await["status"], "EXPECTED");
    hospital.machine().post("/tasks/sweep", json!({})).await.expect_status(200);
    assert_eq!(ingest_of(&hospital, last).await["status"], "STORED");
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
}

#[tokio::test]
async fn who_sends_no_events_is_told_what_is_wrong_and_nobody_without_the_key_is() {
    let hospital = without_sweep().await;
    assert_eq!(
        hospital.machine().post(PATH, json!("text")).await.expect_malformed(),
        "body must be an event, or a list of events\n"
    );
    let send = |body: String, media_type: &str| {
        let request = hospital.machine().request(Method::POST, PATH);
        Reply::of(request.header("content-type", media_type).body(body))
    };
    send("[{".to_owned(), "application/json").await.expect_refusal(400, "malformed_request");
    send("[]".to_owned(), "text/plain").await.expect_refusal(415, "not_json");
    let long = format!("[{}]", " ".repeat(1024 * 1024));
    send(long, "application/json").await.expect_refusal(413, "body_too_large");
    for body in [json!("text"), json!([])] {
        hospital.anonymous().post(PATH, body).await.expect_refusal(401, "unauthenticated");
    }
}

#[tokio::test]
async fn only_a_machine_with_a_valid_key_gets_in() {
    let hospital = Hospital::open_with(|settings| {
        settings.timers.clear();
        settings.variables.insert("event_key".to_owned(), "old-key, new-key".to_owned());
    })
    .await;
    for path in [PATH, "/blob-created", "/tasks/sweep"] {
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

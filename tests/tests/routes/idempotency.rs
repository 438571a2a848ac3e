//! A POST that is sent again under its `Idempotency-Key`. That every endpoint holds to it, `every_endpoint` asks.

use futures::future::join_all;
use insta::assert_snapshot;
use reqwest::{
    Method,
    header::{HeaderName, HeaderValue},
};
use serde_json::{Value, json};
use tests::{
    Actor, Hospital, Reply,
    actor::study_of,
    hospital::{ct_chest, id, instance_of},
};

const ORDERS: &str = "/api/imaging-orders";

async fn posts(actor: &Actor, path: &str, key: &str, body: &Value) -> Reply {
    Reply::of(actor.request(Method::POST, path).header("idempotency-key", key).json(body)).await
}

/// Asks again under the key of another request, which is not done.
async fn is_another_request(actor: &Actor, path: &str, key: &str, body: &Value) {
    let refused = posts(actor, path, key, body).await;
    refused.expect_refusal(422, "idempotency_key_reused");
    assert_eq!(refused.faults(), "Idempotency-Key was used for another request\n", "{path} {body}");
}

async fn count(hospital: &Hospital, rows: &str) -> String {
    hospital.sql(&format!("select count(*)::text from imaging.{rows}")).await.unwrap()
}

fn instance(sop: &str) -> Value {
    json!({"seriesInstanceUID": "1.2.3", "sopInstanceUID": sop, "seriesNumber": 1, "instanceNumber": 1})
}

async fn hours_pass(hospital: &Hospital, hours: u32) {
    let shift = format!("insert into imaging.clock_shift values ('{hours} hours')");
    hospital.execute(&format!("delete from imaging.clock_shift; {shift}")).await;
}

#[tokio::test]
async fn a_request_that_is_sent_again_is_answered_as_it_was_at_first_and_not_done_again() {
    let hospital = Hospital::open().await;
    let provider = hospital.provider();
    let first = posts(&provider, ORDERS, "k-1", &ct_chest()).await;
    first.expect_status(201);
    // What has become of it since is another matter.
    provider.delete(first.header("location")).await.expect(200);

    let again = posts(&provider, ORDERS, "k-1", &ct_chest()).await;

    assert_eq!((again.status, &again.text), (201, &first.text));
    for header in ["location", "etag"] {
        assert_eq!(again.header(header), first.header(header), "{header}");
    }
    assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
    assert_eq!(count(&hospital, "orders").await, "1");
    assert_eq!(count(&hospital, "outbox where topic = 'order.placed'").await, "1");
    assert_eq!(count(&hospital, "audit_events where action = 'order.place'").await, "1");
    // Without the key, or under another, it is another order.
    provider.post(ORDERS, ct_chest()).await.expect(201);
    posts(&provider, ORDERS, "k-2", &ct_chest()).await.expect(201);
    assert_eq!(count(&hospital, "orders").await, "3");
}

#[tokio::test]
async fn who_is_answered_again_has_seen_the_patient_again() {
    let hospital = Hospital::open().await;
    let provider = hospital.provider();
    posts(&provider, ORDERS, "k-1", &ct_chest()).await.expect(201);
    let again = posts(&provider, ORDERS, "k-1", &ct_chest()).await;
    let event = "select concat_ws(' ', actor, outcome, resource_id, patient_ids, request_id) from imaging.audit_events
                  where action = 'request.replay'";
    let expected = format!("provider-1 SUCCESS {{MRN-1}} {}", again.header("x-request-id"));
    assert_eq!(hospital.sql(event).await, Some(expected));
}

#[tokio::test]
async fn a_key_belongs_to_one_request() {
    let hospital = Hospital::open().await;
    let service = hospital.service();
    let mut order = ct_chest();
    let placed = posts(&service, ORDERS, "k-1", &order).await.expect(201)["order"].take();
    order["bodyPart"] = json!("HEAD");
    let refused = posts(&service, ORDERS, "k-1", &order).await;
    refused.expect_refusal(422, "idempotency_key_reused");
    assert_snapshot!(refused.body["message"].as_str().unwrap(), @"This key was used for another request today. Use a new one.");

    let study = study_of(&placed);
    let registered = posts(&service, "/api/studies", "k-2", &study).await.expect(201)["study"].take();
    let mut other = study.clone();
    other["stationName"] = json!("CT-2");
    is_another_request(&service, "/api/studies", "k-2", &other).await;
    is_another_request(&service, "/api/studies", "k-1", &study).await;

    let images = format!("/api/studies/{}/images", id(&registered));
    posts(&service, &images, "k-3", &instance("1.2.3.4")).await.expect(201);
    is_another_request(&service, &images, "k-3", &instance("1.2.3.5")).await;
    let second = service.registers(&placed).await;
    let elsewhere = format!("/api/studies/{}/images", id(&second));
    is_another_request(&service, &elsewhere, "k-3", &instance("1.2.3.4")).await;

    posts(&service, "/api/uploads", "k-4", &json!({"count": 2})).await.expect(201);
    is_another_request(&service, "/api/uploads", "k-4", &json!({"count": 3})).await;
    is_another_request(&service, "/api/uploads", "k-4", &json!({})).await;
    is_another_request(&service, "/api/uploads?gateway=2", "k-4", &json!({"count": 2})).await;

    for (rows, number) in [("orders", "1"), ("studies", "2"), ("images", "1"), ("uploads", "3")] {
        assert_eq!(count(&hospital, rows).await, number, "{rows}");
    }
}

#[tokio::test]
async fn the_same_json_is_the_same_body_however_it_is_written() {
    let hospital = Hospital::open().await;
    let send = |body: &'static str| {
        let request = hospital.provider().request(Method::POST, ORDERS).header("idempotency-key", "k-1");
        Reply::of(request.header("content-type", "application/json; charset=utf-8").body(body))
    };
    let first = send(
        r#"{"patientId":"MRN-1","providerId":"provider-1","facilityId":"fac-1","modality":"CT","bodyPart":"CHEST","clinicalIndication":"Cough"}"#,
    )
    .await;
    first.expect_status(201);
    let again = send(
        "{\n  \"clinicalIndication\": \"C\\u006fugh\", \"bodyPart\": \"CHEST\", \"modality\": \"CT\",
            \"facilityId\": \"fac-1\", \"providerId\": \"provider-1\", \"patientId\": \"MRN-1\"\n}\n",
    )
    .await;
    assert_eq!((again.status, &again.text), (201, &first.text));
}

#[tokio::test]
async fn a_key_belongs_to_one_caller_of_one_organization() {
    let hospital = Hospital::open().await;
    let colleague = hospital.somebody_with("provider", |claims| claims.id = "provider-2".to_owned());
    let namesake = hospital.somebody_with("provider", |claims| claims.organization_id = "org-2".to_owned());
    let mut placed = Vec::new();
    for actor in [hospital.provider(), colleague, namesake] {
        let first = posts(&actor, ORDERS, "k-1", &ct_chest()).await.expect(201)["order"].take();
        let again = posts(&actor, ORDERS, "k-1", &ct_chest()).await.expect(201)["order"].take();
        assert_eq!(first, again);
        placed.push(id(&first).to_owned());
    }
    placed.sort();
    placed.dedup();
    assert_eq!(placed.len(), 3, "each has an order of its own");
    // And who may not do it any more is told nothing of what came of it.
    let dismissed = hospital.somebody_with("auditor", |claims| claims.id = "provider-1".to_owned());
    posts(&dismissed, ORDERS, "k-1", &ct_chest()).await.expect_refusal(403, "forbidden");
}

#[tokio::test]
async fn a_request_that_was_refused_has_used_no_key() {
    let hospital = Hospital::open().await;
    let service = hospital.service();
    let mut order = ct_chest();
    order["accessionNumber"] = json!("RIS 77");
    service.places(order.clone()).await;

    // Invalid, then in use, then as it should be.
    order["modality"] = json!("XX");
    posts(&service, ORDERS, "k-1", &order).await.expect_invalid();
    order["modality"] = json!("CT");
    posts(&service, ORDERS, "k-1", &order).await.expect_refusal(409, "duplicate");
    order["accessionNumber"] = json!("RIS 78");
    let placed = posts(&service, ORDERS, "k-1", &order).await.expect(201)["order"].take();
    assert_eq!(posts(&service, ORDERS, "k-1", &order).await.expect(201)["order"], placed);

    // What stood in the way may be out of it the next time, for the very same request.
    let study = study_of(&placed);
    let held =
        |status: &str| format!("update imaging.orders set status = '{status}' where id = '{}'", id(&placed));
    hospital.execute(&held("COMPLETED")).await;
    posts(&service, "/api/studies", "k-2", &study).await.expect_refusal(409, "order_not_open");
    hospital.execute(&held("IN_PROGRESS")).await;
    let registered = posts(&service, "/api/studies", "k-2", &study).await.expect(201)["study"].take();

    let images = format!("/api/studies/{}/images", id(&registered));
    let nowhere = "/api/studies/019a3b1c-7e00-7abc-8def-0123456789ab/images";
    posts(&service, nowhere, "k-3", &instance("1.2.3.4")).await.expect_refusal(404, "not_found");
    posts(&service, &images, "k-3", &instance("1.2.3.4")).await.expect(201);
    assert_eq!(count(&hospital, "idempotency_keys").await, "3");
}

#[tokio::test]
async fn of_twenty_at_once_under_one_key_one_is_done_and_all_are_answered_alike() {
    let hospital = Hospital::open().await;
    let provider = hospital.provider();
    let same = ct_chest();
    let replies = join_all((0..20).map(|_| posts(&provider, ORDERS, "k-1", &same))).await;
    for reply in &replies {
        assert_eq!((reply.status, &reply.text), (201, &replies[0].text));
    }
    assert_eq!(count(&hospital, "orders").await, "1");
    assert_eq!(count(&hospital, "outbox").await, "1");
    assert_eq!(count(&hospital, "audit_events where action = 'order.place'").await, "1");
    assert_eq!(count(&hospital, "audit_events where action = 'request.replay'").await, "19");

    // Of different ones, one is done; the others learn that it was another.
    let order = |number: usize| {
        let mut order = ct_chest();
        order["bodyPart"] = json!(format!("PART {number}"));
        order
    };
    let orders: Vec<Value> = (0..20).map(order).collect();
    let replies = join_all(orders.iter().map(|order| posts(&provider, ORDERS, "k-2", order))).await;
    let (done, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 201);
    assert_eq!((done.len(), refused.len()), (1, 19));
    refused.iter().for_each(|reply| reply.expect_refusal(422, "idempotency_key_reused"));
    assert_eq!(count(&hospital, "orders").await, "2");

    // When none can be done, each is refused for what it is.
    let mut taken = ct_chest();
    taken["accessionNumber"] = done[0].body["data"]["order"]["accessionNumber"].clone();
    for reply in join_all((0..20).map(|_| posts(&provider, ORDERS, "k-3", &taken))).await {
        reply.expect_refusal(409, "duplicate");
    }
    assert_eq!(count(&hospital, "idempotency_keys").await, "2");
}

#[tokio::test]
async fn a_key_is_kept_for_a_day_and_what_was_answered_no_longer() {
    let hospital = Hospital::open_with(|settings| settings.timers.clear()).await;
    let provider = hospital.provider();
    let place =
        async |key: &str| posts(&provider, ORDERS, key, &ct_chest()).await.expect(201)["order"].take();
    let first = place("k-1").await;
    for number in 0..30 {
        place(&format!("other-{number}")).await;
    }

    hours_pass(&hospital, 23).await;
    assert_eq!(place("k-1").await, first);

    hours_pass(&hospital, 25).await;
    let second = place("k-1").await;
    assert_ne!(id(&second), id(&first));
    assert_eq!(place("k-1").await, second);
    // A few of the old ones go with each new one.
    place("k-2").await;
    assert_eq!(count(&hospital, "idempotency_keys").await, "2");
}

#[tokio::test]
async fn what_was_answered_is_kept_sealed_and_without_the_right_to_upload() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let service = hospital.service();
    let images = format!("/api/studies/{}/images", id(&study));
    for _ in 0..2 {
        let placed = posts(&service, ORDERS, "k-1", &ct_chest()).await.expect(201);
        assert_eq!(placed["order"]["clinicalIndication"], ct_chest()["clinicalIndication"]);
        let order = &placed["order"];
        posts(&service, "/api/studies", "k-2", &study_of(order)).await.expect(201);
        posts(&service, &images, "k-3", &instance("1.2.3.4")).await.expect(201);
        posts(&service, "/api/uploads", "k-4", &json!({})).await.expect(201);
    }
    let kept = "select string_agg(k::text, '') from imaging.idempotency_keys k";
    let kept = hospital.sql(kept).await.unwrap().to_lowercase();
    assert!(kept.contains("mrn-1"), "{kept}");
    for word in ["persistent cough", "doe^jane", "1970-02-03", "&sig="] {
        assert!(!kept.contains(word), "{word}: {kept}");
    }
}

#[tokio::test]
async fn an_upload_that_is_offered_again_has_a_url_signed_afresh_for_the_same_blob() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let technologist = hospital.technologist();
    let images = format!("/api/studies/{}/images", id(&study));
    let announced = posts(&technologist, &images, "k-1", &instance("1.2.3.4")).await.expect(201);
    let offered = posts(&technologist, "/api/uploads", "k-2", &json!({"count": 2})).await.expect(201);

    let signed_later = async |path: &str, key: &str, body: &Value, first: &Value, upload: &str| {
        let expires = first.pointer(&format!("{upload}/expiresAt"));
        hospital
            .wait_for("a URL that is signed later", async || {
                let again = posts(&technologist, path, key, body).await.expect(201);
                (again.pointer(&format!("{upload}/expiresAt")) != expires).then_some(again)
            })
            .await
    };
    let again = signed_later(&images, "k-1", &instance("1.2.3.4"), &announced, "/upload").await;
    assert_eq!(again["image"], announced["image"]);
    let file = instance_of(&study).series("1.2.3").sop("1.2.3.4").number(1, 1).write().unwrap();
    hospital.send(&again["upload"], file).await.expect_status(201);
    hospital.stored(id(&again["image"])).await;

    let two = json!({"count": 2});
    let again = signed_later("/api/uploads", "k-2", &two, &offered, "/uploads/0/upload").await;
    let ids = |reply: &Value| -> Vec<String> {
        reply["uploads"].as_array().unwrap().iter().map(|offer| id(offer).to_owned()).collect()
    };
    assert_eq!(ids(&again), ids(&offered));
    let file = instance_of(&study).sop("1.2.3.5").write().unwrap();
    hospital.send(&again["uploads"][1]["upload"], file).await.expect_status(201);
    assert_eq!(hospital.settled(&ids(&offered)[1]).await["status"], "STORED");
    assert_eq!(count(&hospital, "uploads").await, "3");
}

#[tokio::test]
async fn a_key_is_one_word_of_visible_ascii() {
    let hospital = Hospital::open().await;
    let send = |keys: &[&[u8]]| {
        let mut request = hospital.provider().request(Method::POST, ORDERS);
        for key in keys {
            let name = HeaderName::from_static("idempotency-key");
            request = request.header(name, HeaderValue::from_bytes(key).unwrap());
        }
        Reply::of(request.json(&ct_chest()))
    };
    let (longest, longer) = ([b'x'; 255], [b'x'; 256]);
    for unfit in [&b""[..], b"two words", b"a\tb", "k-\u{e4}".as_bytes(), b"\xff", &longer] {
        assert_eq!(
            send(&[unfit]).await.expect_malformed(),
            "Idempotency-Key must be 1 to 255 visible ASCII characters\n"
        );
    }
    send(&[b"k-1", b"k-2"]).await.expect_malformed();
    assert_eq!(count(&hospital, "orders").await, "0");
    for fit in [&longest[..], b"7", b"\"019a3b1c-7e00-7abc-8def-0123456789ab\"", b"!~{}',;"] {
        let first = send(&[fit]).await.expect(201);
        assert_eq!(send(&[fit]).await.expect(201), first);
    }
}

#[tokio::test]
async fn what_is_not_a_post_takes_no_key() {
    let hospital = Hospital::open().await;
    let service = hospital.service();
    let path = format!("{ORDERS}/{}", id(&service.places(ct_chest()).await));
    for (method, body) in [
        (Method::GET, None),
        (Method::PATCH, Some(json!({"priority": "STAT"}))),
        (Method::PATCH, Some(json!({"priority": "URGENT"}))),
        (Method::DELETE, None),
    ] {
        for key in ["k-1", "not a key"] {
            let request = service.request(method.clone(), &path).header("idempotency-key", key);
            let request = match &body {
                Some(body) => request.json(body),
                None => request,
            };
            let reply = Reply::of(request).await;
            let expected = if method == Method::DELETE && key != "k-1" { 409 } else { 200 };
            assert_eq!(reply.status, expected, "{method} {key}: {reply}");
        }
    }
    // Nor does a machine, whose acts are done once anyhow.
    let sweep = hospital.machine().request(Method::POST, "/tasks/sweep").header("idempotency-key", "no key");
    Reply::of(sweep).await.expect_status(200);
    assert_eq!(count(&hospital, "idempotency_keys").await, "0");
}

use domain::fhir::Exchange;
use futures::future::join_all;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tests::{
    Hospital, Reply,
    fhir::must_be_as_defined,
    hospital::{ct_chest, id},
};

use super::{acts, ehr, other_ehr, request, resource, revoked, with};

const PATH: &str = "/fhir/ServiceRequest";

#[tokio::test]
async fn an_ehr_places_an_order_as_a_provider_does() {
    let hospital = Hospital::open().await;
    let sent = with(request("E-1"), "note", json!([{"text": "Please hurry"}]));
    let sent = with(sent, "occurrenceDateTime", json!("2026-12-24T08:00:00+01:00"));

    let reply = ehr(&hospital).post(PATH, sent).await;

    let location = reply.header("location").to_owned();
    let placed = resource(reply, 201);
    assert_eq!(location, format!("{PATH}/{}", id(&placed)));
    assert_eq!(placed["identifier"][0], json!({"system": "urn:ehr:orders", "value": "E-1"}));
    let order =
        hospital.provider().get(&format!("/api/imaging-orders/{}", id(&placed))).await.expect(200)["order"]
            .take();
    for (field, value) in [
        ("patientId", "MRN-1"),
        ("providerId", "provider-1"),
        ("facilityId", "fac-1"),
        ("priority", "URGENT"),
        ("modality", "CT"),
        ("bodyPart", "CHEST"),
        ("clinicalIndication", "Persistent cough for six weeks"),
        ("instructions", "Please hurry"),
        ("status", "PENDING"),
        ("scheduledAt", "2026-12-24T07:00:00.000Z"),
        ("requestedBy", "ehr"),
    ] {
        assert_eq!(order[field], value, "{field}");
    }
    assert_eq!(acts(&hospital, "order.place").await, ["ehr order.place SUCCESS {MRN-1}"]);
    let told = hospital.sql("select string_agg(topic, ' ') from imaging.outbox").await;
    assert_eq!(told.as_deref(), Some("order.placed"));
}

#[tokio::test]
async fn what_is_sent_again_is_the_same_order_as_it_is_by_now() {
    let hospital = Hospital::open().await;
    let first = resource(ehr(&hospital).post(PATH, request("E-1")).await, 201);
    let held = json!({"status": "ON_HOLD"});
    hospital.scheduler().patch(&format!("/api/imaging-orders/{}", id(&first)), held).await.expect_status(200);

    let again = resource(ehr(&hospital).post(PATH, request("E-1")).await, 200);
    assert_eq!((&again["id"], &again["status"]), (&first["id"], &json!("on-hold")));
    // What R4 lets it say otherwise makes no other order of it.
    let told_otherwise = with(request("E-1"), "authoredOn", json!("2026-01-02T03:04:05Z"));
    assert_eq!(resource(ehr(&hospital).post(PATH, told_otherwise).await, 200)["id"], first["id"]);

    for (element, value) in [
        ("bodySite", json!([{"text": "ABDOMEN"}])),
        ("subject", json!({"reference": "Patient/MRN-2"})),
        ("priority", json!("stat")),
        ("reasonCode", json!([{"text": "Please hurry"}])),
    ] {
        let reply = ehr(&hospital).post(PATH, with(request("E-1"), element, value)).await;
        assert!(reply.expect_outcome(409, "identifier_in_use").starts_with("duplicate "), "{reply}");
    }
    // Nor may another order have one of its further identifiers.
    let further = json!([
        {"system": "urn:ehr:orders", "value": "E-2"}, {"system": "urn:ehr:orders", "value": "E-1"},
    ]);
    ehr(&hospital)
        .post(PATH, with(request("E-2"), "identifier", further))
        .await
        .expect_outcome(409, "identifier_in_use");
    assert_eq!(hospital.sql("select count(*)::text from imaging.orders").await.as_deref(), Some("1"));
    // Another organization's EHR counts by itself.
    let other = resource(other_ehr(&hospital).post(PATH, request("E-1")).await, 201);
    assert_ne!(other["id"], first["id"]);
}

#[tokio::test]
async fn a_hundred_that_are_sent_at_once_are_one_order() {
    let hospital = Hospital::open().await;
    let ehr = ehr(&hospital);
    let replies = join_all((0..100).map(|_| ehr.post(PATH, request("E-1")))).await;
    let created = replies.iter().filter(|reply| reply.status == 201).count();
    let ids: std::collections::BTreeSet<&str> = replies
        .iter()
        .inspect(|reply| assert!([200, 201].contains(&reply.status), "{reply}"))
        .map(|reply| id(&reply.body))
        .collect();
    assert_eq!((created, ids.len()), (1, 1));
    assert_eq!(hospital.sql("select count(*)::text from imaging.orders").await.as_deref(), Some("1"));
    assert_eq!(hospital.sql("select count(*)::text from imaging.outbox").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_key_makes_a_post_one_as_elsewhere() {
    let hospital = Hospital::open().await;
    let send = async |body: Value| {
        let request = ehr(&hospital).request(reqwest::Method::POST, PATH).header("idempotency-key", "k-1");
        Reply::of(request.json(&body)).await
    };
    let first = resource(send(request("E-1")).await, 201);
    assert_eq!(resource(send(request("E-1")).await, 201), first);
    send(request("E-2")).await.expect_outcome(422, "idempotency_key_reused");
}

#[tokio::test]
async fn an_accession_number_that_is_given_is_the_orders() {
    let hospital = Hospital::open().await;
    let numbers = |number: &str| {
        json!([
            {"system": "urn:ehr:orders", "value": number},
            {"type": {"coding": [{"code": "ACSN"}]}, "system": "urn:ehr:accessions", "value": "A-7"},
        ])
    };
    let placed =
        resource(ehr(&hospital).post(PATH, with(request("E-1"), "identifier", numbers("E-1"))).await, 201);
    assert_eq!(placed["identifier"][2]["value"], "A-7");
    let second = ehr(&hospital).post(PATH, with(request("E-2"), "identifier", numbers("E-2"))).await;
    assert!(second.expect_outcome(409, "duplicate").starts_with("duplicate "), "{second}");
    // What was refused has left nothing behind: under its own number it can be placed.
    resource(ehr(&hospital).post(PATH, request("E-2")).await, 201);
}

#[tokio::test]
async fn every_fault_is_named_by_its_element() {
    let hospital = Hospital::open().await;
    let reply = ehr(&hospital)
        .post(PATH, json!({"resourceType": "ServiceRequest", "status": "active", "colour": "red"}))
        .await;
    assert_snapshot!(reply.expect_outcome(422, "invalid"), @r"
    value ServiceRequest.colour is not an element that it has
    required ServiceRequest.intent is required
    required ServiceRequest.identifier is required
    required ServiceRequest.subject is required
    required ServiceRequest.requester is required
    required ServiceRequest.locationReference is required
    required ServiceRequest.bodySite is required
    value ServiceRequest.code must hold a modality: a coding of http://dicom.nema.org/resources/ontology/DCM
    required ServiceRequest.reasonCode is required
    ");
    assert_eq!(reply.body["issue"][3]["expression"], json!(["ServiceRequest.subject"]));
    // Nothing that was sent is told back.
    let odd = with(request("E-1"), "subject", json!({"reference": "Group/MRN-77"}));
    let reply = ehr(&hospital).post(PATH, odd).await;
    reply.expect_outcome(422, "invalid");
    assert!(!reply.text.contains("MRN-77"), "{reply}");
}

#[tokio::test]
async fn what_is_revoked_is_cancelled_by_the_orders_own_machine() {
    let hospital = Hospital::open().await;
    let ehr = ehr(&hospital);
    ehr.post(PATH, revoked("E-1")).await.expect_outcome(404, "not_found");
    let placed = resource(ehr.post(PATH, request("E-1")).await, 201);
    let whose = with(revoked("E-1"), "subject", json!({"reference": "Patient/MRN-2"}));
    ehr.post(PATH, whose).await.expect_outcome(409, "other_patient");
    other_ehr(&hospital).post(PATH, revoked("E-1")).await.expect_outcome(404, "not_found");

    // Once the scan has begun it takes a reason.
    let path = format!("/api/imaging-orders/{}", id(&placed));
    hospital.technologist().patch(&path, json!({"status": "IN_PROGRESS"})).await.expect_status(200);
    let reply = ehr.post(PATH, with(revoked("E-1"), "reasonCode", Value::Null)).await;
    assert_eq!(reply.expect_outcome(422, "invalid"), "value ServiceRequest.note is required for this step\n");
    let reasoned = with(revoked("E-1"), "note", json!([{"text": "The patient left"}]));
    let cancelled = resource(ehr.post(PATH, reasoned).await, 200);
    assert_eq!((&cancelled["id"], &cancelled["status"]), (&placed["id"], &json!("revoked")));
    let order = hospital.provider().get(&path).await.expect(200)["order"].take();
    assert_eq!((&order["status"], &order["statusReason"]), (&json!("CANCELLED"), &json!("The patient left")));
    assert_eq!(acts(&hospital, "order.cancel").await.last().unwrap(), "ehr order.cancel SUCCESS {MRN-1}");

    // What is cancelled stays so, however often that is said.
    assert_eq!(resource(ehr.post(PATH, revoked("E-1")).await, 200)["meta"], cancelled["meta"]);
    // And what is completed is not cancelled.
    let placed = resource(ehr.post(PATH, request("E-2")).await, 201);
    hospital
        .execute(&format!("update imaging.orders set status = 'COMPLETED' where id = '{}'", id(&placed)))
        .await;
    let reply = ehr.post(PATH, revoked("E-2")).await;
    assert!(reply.expect_outcome(409, "order_not_cancellable").contains("COMPLETED"), "{reply}");
    // What was entered in error is not wanted either.
    let placed = resource(ehr.post(PATH, request("E-4")).await, 201);
    let mistaken = with(revoked("E-4"), "status", json!("entered-in-error"));
    let cancelled = resource(ehr.post(PATH, mistaken).await, 200);
    assert_eq!((&cancelled["id"], &cancelled["status"]), (&placed["id"], &json!("revoked")));
    // By our own number it is known as well.
    let third = resource(ehr.post(PATH, request("E-3")).await, 201);
    let by_number = with(revoked("E-3"), "identifier", json!([third["identifier"][1]]));
    // But not by the number of one order and the identifier of another.
    let mixed = json!([third["identifier"][1], {"system": "urn:ehr:orders", "value": "E-1"}]);
    ehr.post(PATH, with(revoked("E-3"), "identifier", mixed)).await.expect_outcome(409, "identifier_in_use");
    assert_eq!(resource(ehr.post(PATH, by_number).await, 200)["status"], "revoked");
}

#[tokio::test]
async fn an_identifier_that_is_an_oid_is_an_identifier_like_any_other() {
    let hospital = Hospital::open().await;
    let ehr = ehr(&hospital);
    let oid = json!([{"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.3"}]);
    let placed = resource(ehr.post(PATH, with(request(""), "identifier", oid.clone())).await, 201);
    for identifier in ["urn:ietf:rfc:3986|urn:oid:1.2.3", "urn:oid:1.2.3"] {
        let found =
            super::found(ehr.get(&format!("{PATH}?identifier={}", identifier.replace('|', "%7C"))).await);
        assert_eq!(found, [id(&placed)], "{identifier}");
    }
    let cancelled = resource(ehr.post(PATH, with(revoked(""), "identifier", oid)).await, 200);
    assert_eq!((&cancelled["id"], &cancelled["status"]), (&placed["id"], &json!("revoked")));
}

#[tokio::test]
async fn what_this_service_sends_of_an_order_places_no_other_when_it_comes_back() {
    let hospital = Hospital::open().await;
    let ehr = ehr(&hospital);
    let of_ehr = resource(ehr.post(PATH, request("E-1")).await, 201);
    let of_platform = hospital.provider().places(ct_chest()).await;
    let sent = async |of: &Value, identifiers: Value| {
        let path = format!("/api/imaging-orders/{}", id(of));
        let mut order = hospital.provider().get(&path).await.expect(200)["order"].take();
        order["identifiers"] = identifiers;
        Exchange::elsewhere(&hospital.organization).update_of_order(&order).unwrap().resource
    };
    let e_1 = json!([{"system": "urn:ehr:orders", "value": "E-1"}]);
    let (of_ehr_sent, of_platform_sent) = (sent(&of_ehr, e_1).await, sent(&of_platform, json!([])).await);
    must_be_as_defined(&of_ehr_sent);
    assert_eq!(
        (&of_ehr_sent["intent"], &of_platform_sent["intent"]),
        (&json!("filler-order"), &json!("order"))
    );

    let read = resource(ehr.get(&format!("{PATH}/{}", id(&of_ehr))).await, 200);
    for (echo, of) in [(&of_ehr_sent, &of_ehr), (&of_platform_sent, &of_platform), (&read, &of_ehr)] {
        let back = resource(ehr.post(PATH, echo.clone()).await, 200);
        assert_eq!(back["id"], of["id"]);
        let whose = with(echo.clone(), "subject", json!({"reference": "Patient/MRN-2"}));
        ehr.post(PATH, whose).await.expect_outcome(409, "identifier_in_use");
        // Copied into another request it is not that request.
        let mut copied = echo.clone();
        let identifiers = copied["identifier"].as_array_mut().unwrap();
        identifiers.push(json!({"system": "urn:ehr:orders", "value": "E-2"}));
        ehr.post(PATH, copied).await.expect_outcome(409, "identifier_in_use");
    }
    let mut unknown = of_ehr_sent;
    unknown["identifier"][0]["value"] = json!("IMG-0");
    assert_eq!(
        ehr.post(PATH, unknown.clone()).await.expect_outcome(422, "invalid"),
        "value ServiceRequest.identifier[0].value is the number of no order here\n"
    );
    // Nobody has a number of another organization's.
    let mut others = of_platform_sent;
    others["identifier"][0]["system"] = json!("urn:imaging:org-2:order-number");
    let reply = other_ehr(&hospital).post(PATH, others).await;
    assert_eq!(
        reply.expect_outcome(422, "invalid"),
        "value ServiceRequest.identifier[0].value is the number of no order here\n"
    );
    let kept = "select count(*)::text || ' ' || (select string_agg(system || '|' || value, ' ')
                  from imaging.order_identifiers) from imaging.orders";
    assert_eq!(hospital.sql(kept).await.as_deref(), Some("2 urn:ehr:orders|E-1"));
}

#[tokio::test]
async fn what_else_is_asked_for_is_there_for_whoever_scans() {
    let hospital = Hospital::open().await;
    let mut sent = with(request("E-1"), "note", json!([{"text": "Please hurry"}]));
    sent["code"]["text"] = json!("CT chest, low dose");
    sent["orderDetail"] =
        json!([{"coding": [{"system": "http://loinc.org", "code": "24627-2", "display": "CT Chest"}]}]);
    let placed = resource(ehr(&hospital).post(PATH, sent).await, 201);
    let path = format!("/api/imaging-orders/{}", id(&placed));
    assert_eq!(
        hospital.technologist().get(&path).await.expect(200)["order"]["instructions"],
        "Please hurry\nCT chest, low dose\nCT Chest (http://loinc.org|24627-2)"
    );
    let two = json!({"coding": [{"system": super::DCM, "code": "CT"}, {"system": super::DCM, "code": "MR"}]});
    assert_eq!(
        ehr(&hospital).post(PATH, with(request("E-2"), "code", two)).await.expect_outcome(422, "invalid"),
        "value ServiceRequest.code must hold one modality, or those of one machine: PT and CT\n"
    );
}

#[tokio::test]
async fn what_is_not_to_be_acted_on_yet_is_not_placed() {
    let hospital = Hospital::open().await;
    let draft = with(request("E-1"), "status", json!("draft"));
    assert_eq!(
        ehr(&hospital).post(PATH, draft).await.expect_outcome(422, "invalid"),
        "value ServiceRequest.status must not be draft: what is not to be acted on yet is sent once it is active\n"
    );
    resource(ehr(&hospital).post(PATH, request("E-1")).await, 201);
}

use insta::assert_snapshot;
use serde_json::json;
use tests::{
    Hospital,
    hospital::{ct_chest, id},
};

const PATH: &str = "/api/imaging-orders";

#[tokio::test]
async fn an_order_is_what_was_sent_and_what_was_issued() {
    let hospital = Hospital::open().await;
    let sent = json!({
        "patientId": "MRN-1",
        "providerId": "provider-7",
        "facilityId": "fac-1",
        "priority": "URGENT",
        "modality": "MR",
        "bodyPart": "  KNEE ",
        "clinicalIndication": "Verdacht auf Meniskusriß",
        "instructions": "Supine",
        "urgency": "before surgery",
        "transportRequired": true,
        "contrastAllergy": true,
        "contrastNotes": "Gadolinium, 2019",
        "scheduledAt": "2026-12-24T08:30:00+01:00",
        "status": "PENDING",
    });

    let reply = hospital.provider().post(PATH, sent.clone()).await;
    let (location, etag) = (reply.header("location").to_owned(), reply.header("etag").to_owned());
    let order = reply.expect(201)["order"].take();

    for name in [
        "patientId",
        "providerId",
        "facilityId",
        "priority",
        "modality",
        "clinicalIndication",
        "instructions",
        "urgency",
        "transportRequired",
        "contrastAllergy",
        "contrastNotes",
        "status",
    ] {
        assert_eq!(order[name], sent[name], "{name}");
    }
    assert_eq!(order["bodyPart"], "KNEE");
    assert_eq!(order["scheduledAt"], "2026-12-24T07:30:00.000Z");
    assert_eq!(order["requestedBy"], "provider-1");
    assert_eq!(order["requestedAt"], order["createdAt"]);
    assert!(order["orderNumber"].as_str().unwrap().starts_with("IMG-"), "{order}");
    let accession = order["accessionNumber"].as_str().unwrap();
    assert!(accession.starts_with("ACC-") && accession.len() <= 16, "{accession}");
    assert_eq!((order["version"].as_u64(), etag.as_str()), (Some(1), "\"1\""));
    assert_eq!(order["studies"], json!([]));
    assert_eq!(location, format!("{PATH}/{}", id(&order)));
    assert_eq!(hospital.provider().get(&location).await.expect(200)["order"], order);
}

#[tokio::test]
async fn what_is_left_out_has_the_value_of_the_contract() {
    let hospital = Hospital::open().await;
    let order = hospital.provider().places(ct_chest()).await;
    assert_eq!(order["priority"], "ROUTINE");
    assert_eq!((&order["transportRequired"], &order["contrastAllergy"]), (&json!(false), &json!(false)));
    for name in ["instructions", "urgency", "contrastNotes", "scheduledAt", "statusReason"] {
        assert!(order[name].is_null(), "{name} in {order}");
    }
}

#[tokio::test]
async fn every_fault_is_named_at_once() {
    let hospital = Hospital::open().await;
    let provider = hospital.provider();

    let missing = provider.post(PATH, json!({})).await;
    assert_snapshot!(missing.expect_invalid(), @r"
    patientId is required
    providerId is required
    facilityId is required
    modality is required
    bodyPart is required
    clinicalIndication is required
    ");

    let wrong = json!({
        "accessionNumber": "ACC\\1",
        "patientId": "p".repeat(65),
        "providerId": "\t",
        "facilityId": 7,
        "priority": "SOON",
        "modality": "ct",
        "bodyPart": "x".repeat(257),
        "clinicalIndication": "  ",
        "instructions": "\u{7}",
        "urgency": [],
        "transportRequired": "yes",
        "contrastAllergy": 1,
        "contrastNotes": {},
        "scheduledAt": "2026-12-24T08:30:00",
        "status": "COMPLETED",
        "orderNumber": "IMG-1",
        "colour": "red",
    });
    assert_snapshot!(provider.post(PATH, wrong).await.expect_invalid(), @r"
    accessionNumber must be 1 to 16 characters, without backslash or control characters
    patientId must be at most 64 characters
    providerId must not be empty
    facilityId must be a string
    priority must be one of STAT URGENT ROUTINE
    modality must be one of CR CT MR US XA DX MG NM PT PET_CT RF OT
    bodyPart must be at most 256 characters
    clinicalIndication must not be empty
    instructions must not contain control characters
    urgency must be a string
    transportRequired must be true or false
    contrastAllergy must be true or false
    contrastNotes must be a string
    scheduledAt must be a date (YYYY-MM-DD) or a time in ISO 8601 with its offset
    status must be PENDING, or left out
    colour is not a field that can be set here
    orderNumber is not a field that can be set here
    ");
    assert_eq!(hospital.sql("select count(*)::text from imaging.orders").await.as_deref(), Some("0"));
}

#[tokio::test]
async fn a_time_is_a_day_or_a_moment_between_1800_and_9999() {
    let hospital = Hospital::open().await;
    let provider = hospital.provider();
    for (text, meant) in [
        ("2026-12-24", Some("2026-12-24T00:00:00.000Z")),
        ("2026-12-24T23:59:59.9994Z", Some("2026-12-24T23:59:59.999Z")),
        ("2026-12-24T00:30:00-12:00", Some("2026-12-24T12:30:00.000Z")),
        ("9999-12-30", Some("9999-12-30T00:00:00.000Z")),
        ("1799-12-31", None),
        ("10000-01-01", None),
        ("2026-02-30", None),
        ("24.12.2026", None),
        ("", None),
    ] {
        let mut order = ct_chest();
        order["scheduledAt"] = json!(text);
        let reply = provider.post(PATH, order).await;
        match meant {
            Some(meant) => assert_eq!(reply.expect(201)["order"]["scheduledAt"], meant, "{text}"),
            None => assert!(reply.expect_invalid().starts_with("scheduledAt must"), "{text}: {reply}"),
        }
    }
}

#[tokio::test]
async fn an_accession_number_is_one_orders_only() {
    let hospital = Hospital::open().await;
    let mut order = ct_chest();
    order["accessionNumber"] = json!(" A/17 ö ");
    let placed = hospital.provider().places(order.clone()).await;
    assert_eq!(placed["accessionNumber"], "A/17 ö");

    hospital.provider().post(PATH, order.clone()).await.expect_refusal(409, "duplicate");

    // Nor one that a study of another order was given.
    let study = hospital.registered_study().await;
    let mut second = tests::actor::study_of(
        &json!({"id": study["orderId"], "modality": "CT", "bodyPart": "CHEST", "patientId": "MRN-1"}),
    );
    second["accessionNumber"] = json!("RIS 1");
    hospital.technologist().post("/api/studies", second).await.expect_status(201);
    let mut of_study = ct_chest();
    of_study["accessionNumber"] = json!("RIS 1");
    hospital.provider().post(PATH, of_study).await.expect_refusal(409, "duplicate");

    // Another organization numbers by itself.
    let elsewhere = hospital.somebody_with("provider", |claims| claims.organization_id = "org-2".to_owned());
    assert_eq!(elsewhere.places(order).await["accessionNumber"], "A/17 ö");
}

#[tokio::test]
async fn an_issued_number_is_never_one_that_was_given_by_hand() {
    let hospital = Hospital::open().await;
    let provider = hospital.provider();
    let first = provider.places(ct_chest()).await;
    let number: u64 = first["accessionNumber"].as_str().unwrap().trim_start_matches("ACC-").parse().unwrap();
    for ahead in 1..=8 {
        let mut by_hand = ct_chest();
        by_hand["accessionNumber"] = json!(format!("ACC-{:010}", number + ahead));
        provider.places(by_hand).await;
    }
    let mut numbers = Vec::new();
    for _ in 0..6 {
        numbers.push(provider.places(ct_chest()).await["accessionNumber"].as_str().unwrap().to_owned());
    }
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 6);
}

#[tokio::test]
async fn an_order_is_placed_at_a_facility_of_ones_own() {
    let hospital = Hospital::open().await;
    let mut order = ct_chest();
    order["facilityId"] = json!("fac-2");
    hospital.provider().post(PATH, order.clone()).await.expect_refusal(403, "forbidden");
    hospital
        .somebody_with("provider", |claims| claims.facility_ids.clear())
        .post(PATH, order.clone())
        .await
        .expect_refusal(403, "forbidden");
    hospital
        .somebody_with("provider", |claims| claims.facility_ids.push("fac-2".to_owned()))
        .places(order)
        .await;
}

#[tokio::test]
async fn a_nul_is_refused_wherever_it_stands() {
    let hospital = Hospital::open().await;
    let mut order = ct_chest();
    order["clinicalIndication"] = json!("a\0b");
    assert_snapshot!(hospital.provider().post(PATH, order).await.expect_invalid(), @"body must not contain the character U+0000");
}

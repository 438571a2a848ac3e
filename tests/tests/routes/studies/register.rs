use insta::assert_snapshot;
use serde_json::{Value, json};
use tests::{
    Hospital,
    actor::study_of,
    hospital::{ct_chest, id},
};

const PATH: &str = "/api/studies";

/// What is registered for an order, with one thing changed.
fn with(order: &Value, name: &str, value: Value) -> Value {
    let mut study = study_of(order);
    study[name] = value;
    study
}

#[tokio::test]
async fn a_study_is_what_was_sent_and_what_was_issued() {
    let hospital = Hospital::open().await;
    let mut order = ct_chest();
    order["priority"] = json!("STAT");
    let order = hospital.provider().places(order).await;
    let sent = json!({
        "orderId": id(&order),
        "studyDate": "2026-01-02",
        "studyTime": "07:08:09",
        "studyDescription": "Thorax nativ",
        "modality": "CT",
        "bodyPart": "CHEST",
        "patientId": "MRN-1",
        "patientName": "Müller^Anna=山田^花子",
        "patientDOB": "1970-02-03T23:00:00Z",
        "patientSex": "F",
        "performingPhysician": "Dr. Ray",
        "operatorName": "Ops",
        "institutionName": "General",
        "stationName": "CT-2",
        "status": "SCHEDULED",
    });

    let reply = hospital.technologist().post(PATH, sent.clone()).await;
    let (location, etag) = (reply.header("location").to_owned(), reply.header("etag").to_owned());
    let study = reply.expect(201)["study"].take();

    for name in [
        "orderId",
        "studyTime",
        "studyDescription",
        "modality",
        "bodyPart",
        "patientId",
        "patientName",
        "patientSex",
        "performingPhysician",
        "operatorName",
        "institutionName",
        "stationName",
        "status",
    ] {
        assert_eq!(study[name], sent[name], "{name}");
    }
    assert_eq!(study["studyDate"], "2026-01-02T00:00:00.000Z");
    assert_eq!(study["patientDOB"], "1970-02-03T00:00:00.000Z");
    assert_eq!(study["accessionNumber"], order["accessionNumber"]);
    assert!(study["studyInstanceUID"].as_str().unwrap().starts_with("2.25."), "{study}");
    assert_eq!((&study["numberOfSeries"], &study["numberOfInstances"]), (&json!(0), &json!(0)));
    // What the study does not say of itself is the order's.
    assert_eq!(study["priority"], "STAT");
    assert_eq!((study["version"].as_u64(), etag.as_str()), (Some(1), "\"1\""));
    assert_eq!(location, format!("{PATH}/{}", id(&study)));
    assert_eq!(hospital.technologist().get(&location).await.expect(200)["study"]["id"], study["id"]);
}

#[tokio::test]
async fn every_fault_is_named_at_once() {
    let hospital = Hospital::open().await;
    let technologist = hospital.technologist();
    assert_snapshot!(technologist.post(PATH, json!({})).await.expect_invalid(), @r"
    orderId is required
    studyDate is required
    modality is required
    bodyPart is required
    patientId is required
    patientName is required
    ");

    let wrong = json!({
        "orderId": "1",
        "accessionNumber": "12345678901234567",
        "studyInstanceUID": "1.02.3",
        "studyDate": "2026",
        "studyTime": 7,
        "studyDescription": "x".repeat(257),
        "modality": "SR",
        "bodyPart": "",
        "patientId": " ",
        "patientName": "x".repeat(65),
        "patientDOB": "03.02.1970",
        "patientSex": "x".repeat(17),
        "performingPhysician": [],
        "operatorName": {},
        "institutionName": true,
        "stationName": "\u{1b}",
        "priority": "LOW",
        "status": "FINAL",
        "numberOfInstances": 3,
    });
    assert_snapshot!(technologist.post(PATH, wrong).await.expect_invalid(), @r"
    orderId must be a UUID
    accessionNumber must be 1 to 16 characters, without backslash or control characters
    studyInstanceUID must be a DICOM UID: numbers with dots between them, at most 64 characters
    studyDate must be a date (YYYY-MM-DD) or a time in ISO 8601 with its offset
    studyTime must be a string
    studyDescription must be at most 256 characters
    modality must be one of CR CT MR US XA DX MG NM PT PET_CT RF OT
    bodyPart must not be empty
    patientId must not be empty
    patientName must be a person's name as DICOM writes it, at most 64 characters a spelling
    patientDOB must be a date (YYYY-MM-DD) or a time in ISO 8601 with its offset
    patientSex must be at most 16 characters
    performingPhysician must be a string
    operatorName must be a string
    institutionName must be a string
    stationName must not contain control characters
    priority must be one of STAT URGENT ROUTINE
    status must be SCHEDULED, or left out
    numberOfInstances is not a field that can be set here
    ");
}

#[tokio::test]
async fn a_study_belongs_to_an_open_order_of_its_patient_and_modality() {
    let hospital = Hospital::open().await;
    let technologist = hospital.technologist();
    let order = hospital.provider().places(ct_chest()).await;

    let of_another_patient = technologist.post(PATH, with(&order, "patientId", json!("MRN-2"))).await;
    assert_snapshot!(of_another_patient.expect_invalid(), @"patientId is not the patient of the order");
    let of_another_modality = technologist.post(PATH, with(&order, "modality", json!("MR"))).await;
    assert_snapshot!(of_another_modality.expect_invalid(), @"modality is not the modality of the order");
    let mut of_another = with(&order, "patientId", json!("MRN-2"));
    of_another["modality"] = json!("MR");
    assert_snapshot!(technologist.post(PATH, of_another).await.expect_invalid(), @r"
    modality is not the modality of the order
    patientId is not the patient of the order
    ");
    let of_no_order =
        technologist.post(PATH, with(&order, "orderId", json!("019a3b1c-7e00-7abc-8def-0123456789ab"))).await;
    assert_snapshot!(of_no_order.expect_invalid(), @"orderId is not an order of this organization");
    // Another organization's order is no order either.
    let stranger = hospital.stranger().post(PATH, study_of(&order)).await;
    assert_eq!(stranger.expect_invalid(), of_no_order.expect_invalid());

    for (status, open) in [
        ("PENDING", true),
        ("SCHEDULED", true),
        ("ON_HOLD", true),
        ("IN_PROGRESS", true),
        ("COMPLETED", false),
        ("CANCELLED", false),
    ] {
        hospital
            .execute(&format!("update imaging.orders set status = '{status}' where id = '{}'", id(&order)))
            .await;
        let reply = technologist.post(PATH, study_of(&order)).await;
        if open {
            reply.expect_status(201);
        } else {
            reply.expect_illegal_step("order_not_open", status, &[]);
        }
    }
}

#[tokio::test]
async fn a_registered_study_moves_its_order_to_scheduled_and_no_further_order() {
    let hospital = Hospital::open().await;
    let technologist = hospital.technologist();
    for (before, after) in [
        ("PENDING", "SCHEDULED"),
        ("ON_HOLD", "SCHEDULED"),
        ("SCHEDULED", "SCHEDULED"),
        ("IN_PROGRESS", "IN_PROGRESS"),
    ] {
        let order = hospital.provider().places(ct_chest()).await;
        hospital
            .execute(&format!("update imaging.orders set status = '{before}' where id = '{}'", id(&order)))
            .await;
        technologist.registers(&order).await;
        let order =
            technologist.get(&format!("/api/imaging-orders/{}", id(&order))).await.expect(200)["order"]
                .take();
        assert_eq!(order["status"], after, "from {before}");
    }
}

#[tokio::test]
async fn the_first_study_takes_the_orders_accession_number_and_a_further_one_gets_its_own() {
    let hospital = Hospital::open().await;
    let technologist = hospital.technologist();
    let order = hospital.provider().places(ct_chest()).await;
    let first = technologist.registers(&order).await;
    let second = technologist.registers(&order).await;
    assert_eq!(first["accessionNumber"], order["accessionNumber"]);
    assert_ne!(second["accessionNumber"], order["accessionNumber"]);
    assert!(second["accessionNumber"].as_str().unwrap().starts_with("ACC-"), "{second}");
    assert_ne!(first["studyInstanceUID"], second["studyInstanceUID"]);
}

#[tokio::test]
async fn an_identifier_is_taken_when_given_and_refused_when_in_use() {
    let hospital = Hospital::open().await;
    let technologist = hospital.technologist();
    let order = hospital.provider().places(ct_chest()).await;
    let other_order = hospital.provider().places(ct_chest()).await;

    let mut given = study_of(&order);
    (given["accessionNumber"], given["studyInstanceUID"]) = (json!("RIS 77"), json!("1.2.840.99.1"));
    let study = technologist.post(PATH, given).await.expect(201)["study"].take();
    assert_eq!(
        (&study["accessionNumber"], &study["studyInstanceUID"]),
        (&json!("RIS 77"), &json!("1.2.840.99.1"))
    );

    let in_use = |name: &str, value: Value| technologist.post(PATH, with(&order, name, value));
    let taken_uid = in_use("studyInstanceUID", json!("1.2.840.99.1")).await;
    taken_uid.expect_refusal(409, "duplicate");
    assert_snapshot!(taken_uid.body["message"].as_str().unwrap(), @"Another one has this studyInstanceUID already.");
    let taken_number = in_use("accessionNumber", json!("RIS 77")).await;
    taken_number.expect_refusal(409, "duplicate");
    assert_snapshot!(taken_number.body["message"].as_str().unwrap(), @"Another one has this accessionNumber already.");
    // Reserved by another order, whose own first study is to have it.
    in_use("accessionNumber", other_order["accessionNumber"].clone()).await.expect_refusal(409, "duplicate");
    // Its own order's number is free as long as no study has it.
    let own = in_use("accessionNumber", order["accessionNumber"].clone()).await.expect(201)["study"].take();
    assert_eq!(own["accessionNumber"], order["accessionNumber"]);
    in_use("accessionNumber", order["accessionNumber"].clone()).await.expect_refusal(409, "duplicate");

    // Another organization has numbers of its own.
    let elsewhere = hospital.somebody_with("service", |claims| claims.organization_id = "org-2".to_owned());
    let their_order = elsewhere.places(ct_chest()).await;
    let mut same = study_of(&their_order);
    (same["accessionNumber"], same["studyInstanceUID"]) = (json!("RIS 77"), json!("1.2.840.99.1"));
    elsewhere.post(PATH, same).await.expect_status(201);
}

#[tokio::test]
async fn an_issued_accession_number_is_never_one_that_is_in_use() {
    let hospital = Hospital::open().await;
    let technologist = hospital.technologist();
    let order = hospital.provider().places(ct_chest()).await;
    let first = technologist.registers(&order).await;
    let number: u64 = first["accessionNumber"].as_str().unwrap().trim_start_matches("ACC-").parse().unwrap();
    for ahead in 1..=6 {
        technologist
            .post(PATH, with(&order, "accessionNumber", json!(format!("ACC-{:010}", number + ahead))))
            .await
            .expect(201);
    }
    for _ in 0..4 {
        technologist.registers(&order).await;
    }
}

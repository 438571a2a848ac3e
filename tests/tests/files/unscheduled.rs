//! Images that nobody ordered, or not yet.

use futures::future::join_all;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tests::{
    Hospital,
    dicom::{Instance, instance, uid},
    hospital::{ct_chest, id},
};

const ACCESSION: &str = "ER-4711";

fn file(instance: Instance) -> Vec<u8> {
    instance.write().expect("a DICOM file")
}

/// A hospital that takes what comes without an order.
async fn open() -> Hospital {
    let hospital = Hospital::open().await;
    wants(&hospital, true, &[]).await;
    hospital
}

async fn wants(hospital: &Hospital, unscheduled: bool, issuers: &[&str]) {
    let settings = json!({"unscheduledStudies": unscheduled, "patientIdIssuers": issuers});
    hospital.somebody("admin").put("/api/settings/ingest", settings).await.expect_status(200);
}

async fn study(hospital: &Hospital, study: &Value) -> Value {
    let path = format!("/api/studies/{}", study.as_str().unwrap());
    hospital.technologist().get(&path).await.expect(200)["study"].take()
}

fn order(accession: &str, patient: &str) -> Value {
    let mut order = ct_chest();
    order["accessionNumber"] = json!(accession);
    order["patientId"] = json!(patient);
    order
}

#[tokio::test]
async fn images_without_an_order_make_a_study_at_the_uploaders_facility() {
    let hospital = open().await;
    let (scanner, series) = (uid(), uid());
    let of_scanner =
        |number| instance().accession(ACCESSION).study(&scanner).series(&series).number(1, number);

    let uploads = join_all((1..=4).map(|number| hospital.uploads(file(of_scanner(number))))).await;
    let settled = join_all(uploads.iter().map(|upload| hospital.settled(upload))).await;

    assert!(settled.iter().all(|ingest| ingest["status"] == "STORED"), "{settled:?}");
    let made = study(&hospital, &settled[0]["studyId"]).await;
    let shown: String = [
        "orderId",
        "order",
        "accessionNumber",
        "status",
        "modality",
        "bodyPart",
        "patientId",
        "patientName",
        "patientDOB",
        "patientSex",
        "priority",
        "numberOfSeries",
        "numberOfInstances",
    ]
    .into_iter()
    .map(|field| format!("{field} {}\n", made[field]))
    .collect();
    assert_snapshot!(shown, @r#"
    orderId null
    order null
    accessionNumber "ER-4711"
    status "IN_PROGRESS"
    modality "CT"
    bodyPart "UNSPECIFIED"
    patientId "MRN-1"
    patientName "Doe^Jane"
    patientDOB "1970-02-03T00:00:00.000Z"
    patientSex "F"
    priority null
    numberOfSeries 1
    numberOfInstances 4
    "#);
    assert_eq!(made["studyInstanceUID"], scanner);
    // It is seen where it was made, and by nobody elsewhere.
    let path = format!("/api/studies/{}", id(&made));
    let elsewhere =
        hospital.somebody_with("technologist", |claims| claims.facility_ids = vec!["fac-2".to_owned()]);
    elsewhere.get(&path).await.expect_refusal(404, "not_found");
    // Without a number it gets one.
    let unnumbered = hospital.receives(file(instance())).await;
    let other = study(&hospital, &unnumbered["studyId"]).await;
    assert!(other["accessionNumber"].as_str().unwrap().starts_with("ACC-"), "{other}");
    // It goes its way like any other.
    hospital.technologist().moves(&made, "COMPLETED").await.expect_status(200);
    hospital.reports(&made, "FINAL").await;
}

#[tokio::test]
async fn an_image_that_says_not_whose_it_is_makes_no_study() {
    let hospital = open().await;
    let held = hospital.receives(file(instance().patient("", "Doe^Jane"))).await;
    assert_eq!((&held["status"], &held["reason"]), (&json!("CONFLICT"), &json!("no_patient")));
    assert_eq!(held["differences"], json!(["patientId"]));
    assert_eq!(hospital.technologist().get("/api/studies").await.expect(200)["pagination"]["total"], 0);
}

#[tokio::test]
async fn a_late_order_takes_on_the_study_that_its_images_have_made() {
    let hospital = open().await;
    let ingest = hospital.receives(file(instance().accession(ACCESSION))).await;
    let path = ingest["studyId"].clone();
    let made = study(&hospital, &path).await;
    let other = hospital.receives(file(instance().accession("ER-4712"))).await;
    hospital.technologist().moves(&json!({"id": other["studyId"]}), "COMPLETED").await.expect_status(200);

    // Somebody else's order cannot have the number.
    let refused = hospital.provider().post("/api/imaging-orders", order(ACCESSION, "MRN-2")).await;
    refused.expect_refusal(409, "duplicate");
    let mut wanted = order(ACCESSION, "MRN-1");
    wanted["priority"] = json!("STAT");
    let placed = hospital.provider().places(wanted).await;
    let completed = hospital.provider().places(order("ER-4712", "MRN-1")).await;

    assert_eq!((&placed["status"], &placed["studies"][0]["id"]), (&json!("IN_PROGRESS"), &path));
    assert_eq!(completed["status"], "COMPLETED");
    let adopted = study(&hospital, &path).await;
    assert_eq!((&adopted["orderId"], &adopted["priority"]), (&placed["id"], &json!("STAT")));
    assert_eq!(adopted["version"].as_u64(), made["version"].as_u64().map(|version| version + 1));
    // Whose order it is may read it now, and further images find it.
    hospital.provider().get(&format!("/api/studies/{}", id(&adopted))).await.expect_status(200);
    let second = hospital
        .receives(file(instance().accession(ACCESSION).study(made["studyInstanceUID"].as_str().unwrap())))
        .await;
    assert_eq!((&second["status"], &second["studyId"]), (&json!("STORED"), &path));
    hospital.technologist().moves(&adopted, "COMPLETED").await.expect_status(200);
    let order_path = format!("/api/imaging-orders/{}", id(&placed));
    assert_eq!(hospital.provider().get(&order_path).await.expect(200)["order"]["status"], "COMPLETED");
}

#[tokio::test]
async fn images_that_wait_for_an_order_are_filed_once_it_is_placed() {
    let hospital = Hospital::open().await;
    let scanner = uid();
    let sent = |accession: &str| file(instance().accession(accession).study(&scanner));
    let held = [hospital.receives(sent(ACCESSION)).await, hospital.receives(sent(ACCESSION)).await];
    let other = hospital.receives(file(instance().accession("ER-4712"))).await;
    assert!(held.iter().all(|held| held["reason"] == "no_order"), "{held:?}");

    let placed = hospital.provider().places(order(ACCESSION, "MRN-1")).await;

    for held in &held {
        assert_eq!(hospital.settled(id(held)).await["status"], "STORED");
    }
    assert_eq!(hospital.settled(id(&other)).await["reason"], "no_order");
    let path = format!("/api/imaging-orders/{}", id(&placed));
    let order = hospital.provider().get(&path).await.expect(200)["order"].take();
    assert_eq!((order["studies"].as_array().unwrap().len(), &order["status"]), (1, &json!("IN_PROGRESS")));
}

#[tokio::test]
async fn images_that_wait_are_filed_once_their_study_is_registered() {
    let hospital = Hospital::open().await;
    let scanner = uid();
    let held = hospital.receives(file(instance().study(&scanner))).await;
    assert_eq!(held["reason"], "no_order", "{held}");
    let placed = hospital.provider().places(ct_chest()).await;
    let mut study = tests::actor::study_of(&placed);
    study["studyInstanceUID"] = json!(scanner);

    let registered = hospital.technologist().post("/api/studies", study).await.expect(201)["study"].take();

    let stored = hospital.settled(id(&held)).await;
    assert_eq!((&stored["status"], &stored["studyId"]), (&json!("STORED"), &registered["id"]));
}

#[tokio::test]
async fn orders_and_images_of_one_number_that_come_at_once_find_each_other() {
    let hospital = open().await;
    for round in 0..8 {
        let accession = format!("AT-ONCE-{round}");
        let scanner = uid();
        let upload = async |hospital: &Hospital| {
            hospital.uploads(file(instance().accession(&accession).study(&scanner))).await
        };
        let provider = hospital.provider();
        let (first, placed, second) =
            tokio::join!(upload(&hospital), provider.places(order(&accession, "MRN-1")), upload(&hospital));
        for upload in [&first, &second] {
            let ingest = hospital.settled(upload).await;
            assert_eq!(ingest["status"], "STORED", "{ingest}");
            assert_eq!(study(&hospital, &ingest["studyId"]).await["orderId"], placed["id"], "{accession}");
        }
    }
    let studies = hospital.technologist().get("/api/studies").await.expect(200);
    assert_eq!(studies["pagination"]["total"], 8);
}

#[tokio::test]
async fn a_patient_id_of_another_issuer_is_another_patients() {
    let hospital = Hospital::open().await;
    let study_of = async || {
        let placed = hospital.provider().places(ct_chest()).await;
        hospital.technologist().registers(&placed).await
    };
    let issued = |study: &Value, issuer: &str| {
        file(tests::hospital::instance_of(study).text((0x0010, 0x0021), "LO", issuer).sop(&uid()))
    };

    // Whoever issued the first, a second of another issuer is of somebody else; one that does not say is not.
    let first = study_of().await;
    assert_eq!(hospital.receives(issued(&first, "CLINIC")).await["status"], "STORED");
    assert_eq!(hospital.receives(issued(&first, "")).await["status"], "STORED");
    let held = hospital.receives(issued(&first, "PRACTICE")).await;
    assert_eq!(
        (&held["reason"], &held["differences"]),
        (&json!("another_patient"), &json!(["issuerOfPatientID"]))
    );

    // An organization that says whose ids its own are takes no others, be there a study or only an order.
    wants(&hospital, true, &["HOSPITAL"]).await;
    let second = study_of().await;
    assert_eq!(hospital.receives(issued(&second, "CLINIC")).await["reason"], "another_patient");
    assert_eq!(hospital.receives(issued(&second, "HOSPITAL")).await["status"], "STORED");
    let placed = hospital.provider().places(ct_chest()).await;
    let of_order = |issuer: &str| {
        let accession = placed["accessionNumber"].as_str().unwrap();
        file(instance().accession(accession).text((0x0010, 0x0021), "LO", issuer))
    };
    assert_eq!(hospital.receives(of_order("CLINIC")).await["reason"], "another_patient");
    assert_eq!(hospital.receives(of_order("HOSPITAL")).await["status"], "STORED");
    let nobodys = file(instance().text((0x0010, 0x0021), "LO", "CLINIC"));
    assert_eq!(hospital.receives(nobodys).await["reason"], "another_patient");
}

#[tokio::test]
async fn one_decision_about_images_of_a_study_is_enough() {
    let hospital = Hospital::open().await;
    let scanner = uid();
    let sent = || file(instance().accession(ACCESSION).study(&scanner));
    let held =
        [hospital.receives(sent()).await, hospital.receives(sent()).await, hospital.receives(sent()).await];
    let path = format!("/api/ingest/{}/resolve", id(&held[0]));

    hospital.technologist().post(&path, json!({"action": "ACCEPT"})).await.expect_status(200);

    for held in &held {
        assert_eq!(hospital.settled(id(held)).await["status"], "STORED");
    }
}

#[tokio::test]
async fn what_waits_is_filed_once_the_organization_wants_it() {
    let hospital = Hospital::open().await;
    let held = hospital.receives(file(instance())).await;
    assert_eq!(held["reason"], "no_order", "{held}");
    wants(&hospital, true, &[]).await;
    assert_eq!(hospital.settled(id(&held)).await["status"], "STORED");
}

#[tokio::test]
async fn images_that_are_sent_for_no_facility_wait_for_somebody_who_has_one() {
    let hospital = open().await;
    let gateway = hospital.somebody_with("service", |claims| claims.facility_ids.clear());
    let offered = gateway.post("/api/uploads", json!({"count": 1})).await.expect(201);
    let offer = &offered["uploads"][0];
    hospital.send(&offer["upload"], file(instance())).await.expect_status(201);
    let held = hospital.settled(id(offer)).await;
    assert_eq!((&held["status"], &held["reason"]), (&json!("CONFLICT"), &json!("no_facility")));

    let path = format!("/api/ingest/{}/resolve", id(&held));
    hospital.technologist().post(&path, json!({"action": "ACCEPT"})).await.expect_status(200);

    let stored = hospital.settled(id(&held)).await;
    assert_eq!(stored["status"], "STORED", "{stored}");
    study(&hospital, &stored["studyId"]).await;
}

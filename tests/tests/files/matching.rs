//! Whose image a file is: which study it goes under, and what is held for a person to decide.

use insta::assert_snapshot;
use serde_json::{Value, json};
use tests::{
    Hospital,
    dicom::{Instance, instance, uid},
    hospital::{ct_chest, id, instance_of},
};

#[tokio::test]
async fn a_file_goes_under_the_study_that_has_its_study_instance_uid() {
    let hospital = Hospital::open().await;
    let study = study_with_uid(&hospital).await;
    let other = hospital.registered_study().await;

    // Even where its accession number is another study's: a UID is never typed in by hand.
    let ingest =
        hospital.receives(file(instance_of(&study).accession(text(&other, "accessionNumber")))).await;

    assert_eq!(ingest["status"], "STORED", "{ingest}");
    assert_eq!(ingest["studyId"], study["id"]);
    let read = read_study(&hospital, &study).await;
    assert_eq!(read["images"][0]["id"], ingest["imageId"]);
    assert_eq!(read["studyInstanceUID"], study["studyInstanceUID"]);
    assert_eq!(read_study(&hospital, &other).await["numberOfInstances"], 0);
}

#[tokio::test]
async fn the_first_file_of_an_accession_number_brings_the_study_its_uid() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let scanner = uid();
    let of_scanner = || instance_of(&study).study(&scanner);

    let first = hospital.receives(file(of_scanner())).await;
    // Once it has the UID, files without an accession number find it too.
    let second = hospital.receives(file(of_scanner().accession(""))).await;

    assert_eq!((&first["status"], &second["status"]), (&json!("STORED"), &json!("STORED")));
    assert_eq!((&first["studyId"], &second["studyId"]), (&study["id"], &study["id"]));
    let read = read_study(&hospital, &study).await;
    assert_eq!(read["studyInstanceUID"], scanner);
    assert_eq!(read["numberOfInstances"], 2);
    assert_eq!(read["accessionNumber"], study["accessionNumber"]);
}

#[tokio::test]
async fn a_study_that_has_images_takes_none_of_another_uid() {
    let hospital = Hospital::open().await;
    let study = hospital.scanned_study().await;

    let held = hospital.receives(file(instance_of(&study).study(&uid()))).await;

    assert_snapshot!(verdict(&held), @"CONFLICT another_study studyInstanceUID");
    assert_eq!(held["studyId"], study["id"]);
    let after = read_study(&hospital, &study).await;
    assert_eq!(
        (&after["studyInstanceUID"], &after["numberOfInstances"]),
        (&study["studyInstanceUID"], &json!(1))
    );
}

#[tokio::test]
async fn a_uid_that_a_worklist_assigned_is_not_given_up_for_a_files() {
    let hospital = Hospital::open().await;
    let study = study_with_uid(&hospital).await;

    let held = hospital.receives(file(instance_of(&study).study(&uid()))).await;

    assert_snapshot!(verdict(&held), @"CONFLICT another_study studyInstanceUID");
    assert_eq!(read_study(&hospital, &study).await["studyInstanceUID"], study["studyInstanceUID"]);
}

#[tokio::test]
async fn an_order_without_a_study_gets_one_from_the_file() {
    let hospital = Hospital::open().await;
    let order = hospital.provider().places(ct_chest()).await;
    let scanner = uid();
    let scanned = of_order(&order)
        .study(&scanner)
        .text((0x0008, 0x1030), "LO", "CT Thorax")
        .text((0x0008, 0x0080), "LO", "St. Elsewhere")
        .text((0x0018, 0x0015), "CS", "THORAX");

    let ingest = hospital.receives(file(scanned)).await;

    assert_eq!(ingest["status"], "STORED", "{ingest}");
    let path = format!("/api/studies/{}", text(&ingest, "studyId"));
    let study = hospital.provider().get(&path).await.expect(200)["study"].take();
    let shown = [
        "status",
        "modality",
        "bodyPart",
        "patientId",
        "patientName",
        "patientDOB",
        "patientSex",
        "studyDate",
    ]
    .into_iter()
    .chain([
        "studyTime",
        "studyDescription",
        "institutionName",
        "priority",
        "numberOfSeries",
        "numberOfInstances",
    ])
    .map(|field| format!("{field} {}\n", study[field]))
    .collect::<String>();
    assert_snapshot!(shown, @r#"
    status "IN_PROGRESS"
    modality "CT"
    bodyPart "THORAX"
    patientId "MRN-1"
    patientName "Doe^Jane"
    patientDOB "1970-02-03T00:00:00.000Z"
    patientSex "F"
    studyDate "2026-01-02T00:00:00.000Z"
    studyTime "09:30:15.250000"
    studyDescription "CT Thorax"
    institutionName "St. Elsewhere"
    priority "ROUTINE"
    numberOfSeries 1
    numberOfInstances 1
    "#);
    assert_eq!(study["studyInstanceUID"], scanner);
    assert_eq!(study["accessionNumber"], order["accessionNumber"]);
    assert_eq!(study["order"]["id"], order["id"]);
    assert_eq!(study["order"]["status"], "IN_PROGRESS");
}

#[tokio::test]
async fn files_of_one_order_that_come_at_once_make_one_study() {
    let hospital = Hospital::open().await;
    let order = hospital.provider().places(ct_chest()).await;
    let (scanner, series) = (uid(), [uid(), uid()]);
    let files = (0..8).map(|number| {
        file(
            of_order(&order)
                .study(&scanner)
                .series(&series[number % 2])
                .number(1 + number as u32 % 2, number as u32),
        )
    });

    let uploads = futures::future::join_all(files.map(|file| hospital.uploads(file))).await;
    let settled = futures::future::join_all(uploads.iter().map(|upload| hospital.settled(upload))).await;

    assert!(settled.iter().all(|ingest| ingest["status"] == "STORED"), "{settled:?}");
    let order = hospital.provider().get(&format!("/api/imaging-orders/{}", id(&order))).await.expect(200);
    assert_eq!(order["order"]["studies"].as_array().unwrap().len(), 1);
    let study = read_study(&hospital, &order["order"]["studies"][0]).await;
    assert_eq!((&study["numberOfSeries"], &study["numberOfInstances"]), (&json!(2), &json!(8)));
}

#[tokio::test]
async fn a_file_that_names_no_order_is_held_and_kept() {
    let hospital = Hospital::open().await;

    for accession in ["", "ACC-UNKNOWN", "an accession number of more than sixteen"] {
        let sent = file(instance().accession(accession));
        let held = hospital.receives(sent.clone()).await;

        assert_eq!(verdict(&held), "CONFLICT no_order");
        assert!(hospital.blob(text(&held, "blob")).await == Some(sent), "{accession}");
    }
    let studies = hospital.technologist().get("/api/studies").await.expect(200);
    assert_eq!(studies["pagination"]["total"], 0);
}

#[tokio::test]
async fn a_file_of_an_order_that_is_not_open_is_held() {
    let hospital = Hospital::open().await;
    let order = hospital.provider().places(ct_chest()).await;
    hospital.provider().delete(&format!("/api/imaging-orders/{}", id(&order))).await.expect(200);

    let held = hospital.receives(file(of_order(&order))).await;

    assert_snapshot!(verdict(&held), @"CONFLICT order_not_open");
}

#[tokio::test]
async fn another_patients_file_is_held_however_it_was_found() {
    let hospital = Hospital::open().await;
    let by_uid = study_with_uid(&hospital).await;
    let by_accession = hospital.registered_study().await;
    let by_order = hospital.provider().places(ct_chest()).await;

    for sent in
        [instance_of(&by_uid).accession(""), instance_of(&by_accession).study(&uid()), of_order(&by_order)]
    {
        for patient in ["MRN-2", "mrn-1", ""] {
            let held = hospital.receives(file(sent.clone().sop(&uid()).patient(patient, "Doe^Jane"))).await;
            assert_eq!(verdict(&held), "CONFLICT another_patient patientId");
        }
    }
    let studies = hospital.technologist().get("/api/studies").await.expect(200)["studies"].take();
    assert_eq!(studies.as_array().unwrap().len(), 2);
    assert!(studies.as_array().unwrap().iter().all(|study| study["numberOfInstances"] == 0), "{studies}");
}

#[tokio::test]
async fn another_name_with_another_birth_date_is_another_patient_and_one_of_both_is_not() {
    let hospital = Hospital::open().await;
    let study = study_with_uid(&hospital).await;

    for (name, born, wanted) in [
        ("Doe^Jane", "19700203", "STORED"),
        ("Roe^Richard", "19700203", "STORED"),
        ("Doe^Jane", "19991231", "STORED"),
        ("DOÉ^JANE^^Dr.", "19991231", "STORED"),
        ("Roe^Richard", "", "STORED"),
        ("Roe^Richard", "19991231", "CONFLICT"),
    ] {
        let sent = instance_of(&study).sop(&uid()).patient("MRN-1", name).born(born);
        let ingest = hospital.receives(file(sent)).await;
        assert_eq!(ingest["status"], wanted, "{name} {born}: {ingest}");
        if wanted == "CONFLICT" {
            assert_eq!(verdict(&ingest), "CONFLICT another_patient patientName patientDOB");
        }
    }
    // The study is still whose it was.
    let after = read_study(&hospital, &study).await;
    assert_eq!((&after["patientName"], &after["patientDOB"]), (&json!("Doe^Jane"), &study["patientDOB"]));
}

#[tokio::test]
async fn files_of_a_cancelled_study_are_held() {
    let hospital = Hospital::open().await;
    let study = study_with_uid(&hospital).await;
    hospital.technologist().moves(&study, "CANCELLED").await.expect(200);

    let held = hospital.receives(file(instance_of(&study))).await;

    assert_snapshot!(verdict(&held), @"CONFLICT study_cancelled");
    let after = read_study(&hospital, &study).await;
    assert_eq!((&after["status"], &after["numberOfInstances"]), (&json!("CANCELLED"), &json!(0)));
}

#[tokio::test]
async fn another_instance_than_was_announced_is_held() {
    let hospital = Hospital::open().await;
    let study = study_with_uid(&hospital).await;
    let announced = announce(&hospital, &study, &uid(), &uid()).await;

    hospital.send(&announced["upload"], file(instance_of(&study).sop(&uid()))).await.expect_status(201);
    let upload = upload_of(&hospital, &announced["image"]).await;
    let held = hospital.settled(&upload).await;

    assert_snapshot!(verdict(&held), @"CONFLICT another_instance sopInstanceUID");
    let image = read_image(&hospital, id(&announced["image"])).await;
    assert_eq!(image["status"], "EXPECTED");
    assert_eq!(read_study(&hospital, &study).await["status"], "SCHEDULED");
}

#[tokio::test]
async fn an_announced_image_may_come_by_an_upload_that_nobody_announced() {
    let hospital = Hospital::open().await;
    let study = study_with_uid(&hospital).await;
    let (series, sop) = (uid(), uid());
    let announced = announce(&hospital, &study, &series, &sop).await;
    let sent = file(instance_of(&study).series(&series).sop(&sop));

    let ingest = hospital.receives(sent.clone()).await;

    assert_eq!(ingest["status"], "STORED", "{ingest}");
    assert_eq!(ingest["imageId"], announced["image"]["id"]);
    let image = hospital.stored(id(&announced["image"])).await;
    assert_eq!((&image["rows"], &image["study"]["patientName"]), (&json!(16), &json!("Doe^Jane")));
    assert_eq!(image["metadata"]["0020000D"]["Value"], json!([study["studyInstanceUID"]]));
    assert!(bytes_of(&hospital, &image).await == sent);
    assert_eq!(read_study(&hospital, &study).await["numberOfInstances"], 1);
}

#[tokio::test]
async fn late_files_are_attached_and_leave_the_status_as_it_is() {
    let hospital = Hospital::open().await;
    let study = hospital.scanned_study().await;
    hospital.technologist().moves(&study, "COMPLETED").await.expect(200);

    let late = hospital.receives(file(instance_of(&study))).await;

    assert_eq!(late["status"], "STORED", "{late}");
    let completed = read_study(&hospital, &study).await;
    assert_eq!((&completed["status"], &completed["numberOfInstances"]), (&json!("COMPLETED"), &json!(2)));
    assert_eq!(completed["order"]["status"], "COMPLETED");

    // The status that a report gives it, as the database is told: how reports are written is for other tests.
    for (status, instances) in [("PRELIMINARY", 3), ("FINAL", 4)] {
        hospital
            .execute(&format!(
                "update imaging.studies set status = '{status}', images_after_report_at = null"
            ))
            .await;
        let late = hospital.receives(file(instance_of(&study))).await;
        assert_eq!(late["status"], "STORED", "{late}");
        let reported = read_study(&hospital, &study).await;
        assert_eq!(
            (&reported["status"], &reported["numberOfInstances"]),
            (&json!(status), &json!(instances))
        );
        let flagged = hospital.sql("select images_after_report_at::text from imaging.studies").await;
        assert!(flagged.is_some(), "{status}");
    }
    let told = hospital
        .sql("select count(*)::text from imaging.outbox where topic = 'study.images_after_report'")
        .await;
    assert_eq!(told.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_study_counts_its_series_and_their_instances() {
    let hospital = Hospital::open().await;
    let study = study_with_uid(&hospital).await;
    let (first, second) = (uid(), uid());
    announce(&hospital, &study, &uid(), &uid()).await;

    for (series, number, instance) in [(&first, 1, 2), (&first, 1, 1), (&second, 2, 1)] {
        let ingest =
            hospital.receives(file(instance_of(&study).series(series).number(number, instance))).await;
        assert_eq!(ingest["status"], "STORED", "{ingest}");
    }

    // The one that is only announced is listed, and not counted.
    let read = read_study(&hospital, &study).await;
    assert_eq!((&read["numberOfSeries"], &read["numberOfInstances"]), (&json!(2), &json!(3)));
    assert_eq!(read["images"].as_array().unwrap().len(), 4);
    let path = format!("/api/studies/{}/series/{first}/images", id(&study));
    let of_series = hospital.radiologist().get(&path).await.expect(200)["images"].take();
    let numbers: Vec<_> =
        of_series.as_array().unwrap().iter().map(|image| image["instanceNumber"].as_u64()).collect();
    assert_eq!(numbers, [Some(1), Some(2)]);
}

#[tokio::test]
async fn the_study_takes_from_the_file_what_nobody_told_it_and_nothing_else() {
    let hospital = Hospital::open().await;
    let order = hospital.provider().places(ct_chest()).await;
    let study = hospital
        .technologist()
        .post(
            "/api/studies",
            json!({
                "orderId": id(&order),
                "studyDate": "2026-01-02",
                "modality": "CT",
                "bodyPart": "CHEST",
                "patientId": "MRN-1",
                "patientName": "Doe^Jane",
                "stationName": "CT-7",
            }),
        )
        .await
        .expect(201)["study"]
        .take();
    let sent = instance_of(&study)
        .patient("MRN-1", "Doe^Jane^Mary")
        .born("19700203")
        .sex("F")
        .text((0x0008, 0x1010), "SH", "ANOTHER")
        .text((0x0008, 0x1070), "PN", "Operator^Olga");

    let ingest = hospital.receives(file(sent)).await;

    assert_eq!(ingest["status"], "STORED", "{ingest}");
    // What is sealed is put in after the image was filed.
    let read = hospital
        .wait_for("the birth date from the file", async || {
            Some(read_study(&hospital, &study).await).filter(|study| !study["patientDOB"].is_null())
        })
        .await;
    let shown: String = ["patientName", "patientDOB", "patientSex", "stationName", "operatorName"]
        .into_iter()
        .map(|field| format!("{field} {}\n", read[field]))
        .collect();
    assert_snapshot!(shown, @r#"
    patientName "Doe^Jane"
    patientDOB "1970-02-03T00:00:00.000Z"
    patientSex "F"
    stationName "CT-7"
    operatorName "Operator^Olga"
    "#);
}

#[tokio::test]
async fn a_file_never_finds_what_is_another_organizations() {
    let hospital = Hospital::open().await;
    let study = study_with_uid(&hospital).await;
    let order = hospital.provider().places(ct_chest()).await;
    let theirs = hospital.somebody_with("technologist", |claims| claims.organization_id = "org-2".to_owned());

    for sent in [instance_of(&study), of_order(&order)] {
        let offered = theirs.post("/api/uploads", json!({"count": 1})).await.expect(201);
        let offer = &offered["uploads"][0];
        hospital.send(&offer["upload"], file(sent)).await.expect_status(201);
        let path = format!("/api/ingest/{}", id(offer));
        let held = hospital
            .wait_for("their upload to settle", async || {
                let ingest = theirs.get(&path).await.expect(200)["ingest"].take();
                Some(ingest).filter(|ingest| ingest["status"] != "EXPECTED" && ingest["status"] != "RECEIVED")
            })
            .await;

        assert_eq!(verdict(&held), "CONFLICT no_order");
        assert_eq!(held["studyId"], Value::Null);
        hospital.technologist().get(&path).await.expect_refusal(404, "not_found");
    }
    assert_eq!(read_study(&hospital, &study).await["numberOfInstances"], 0);
    let order = hospital.provider().get(&format!("/api/imaging-orders/{}", id(&order))).await.expect(200);
    assert_eq!(order["order"]["status"], "PENDING");
}

fn file(instance: Instance) -> Vec<u8> {
    instance.write().expect("a DICOM file")
}

/// As a modality makes it that has only the order's worklist entry.
fn of_order(order: &Value) -> Instance {
    instance().accession(text(order, "accessionNumber"))
}

/// A study whose UID a worklist assigned.
async fn study_with_uid(hospital: &Hospital) -> Value {
    let order = hospital.provider().places(ct_chest()).await;
    let mut study = tests::actor::study_of(&order);
    study["studyInstanceUID"] = json!(uid());
    hospital.technologist().post("/api/studies", study).await.expect(201)["study"].take()
}

async fn announce(hospital: &Hospital, study: &Value, series: &str, sop: &str) -> Value {
    let image =
        json!({"seriesInstanceUID": series, "sopInstanceUID": sop, "seriesNumber": 1, "instanceNumber": 1});
    hospital.technologist().post(&format!("/api/studies/{}/images", id(study)), image).await.expect(201)
}

/// The upload that an announced image is awaited by.
async fn upload_of(hospital: &Hospital, image: &Value) -> String {
    let path = format!("/api/ingest?imageId={}", id(image));
    let found = hospital.technologist().get(&path).await.expect(200);
    id(&found["ingests"][0]).to_owned()
}

async fn read_study(hospital: &Hospital, study: &Value) -> Value {
    hospital.radiologist().get(&format!("/api/studies/{}", id(study))).await.expect(200)["study"].take()
}

async fn read_image(hospital: &Hospital, image: &str) -> Value {
    hospital.radiologist().get(&format!("/api/images/{image}")).await.expect(200)["image"].take()
}

async fn bytes_of(hospital: &Hospital, image: &Value) -> Vec<u8> {
    let url =
        hospital.radiologist().get(&format!("/api/images/{}/url", id(image))).await.expect(200)["url"].take();
    hospital.fetch(url.as_str().expect("a URL")).await
}

/// What became of an upload, why, and what differs.
fn verdict(ingest: &Value) -> String {
    let differences = ingest["differences"].as_array().into_iter().flatten();
    ["status", "reason"]
        .into_iter()
        .map(|name| text(ingest, name))
        .chain(differences.filter_map(Value::as_str))
        .collect::<Vec<_>>()
        .join(" ")
}

fn text<'a>(resource: &'a Value, name: &str) -> &'a str {
    resource[name].as_str().unwrap_or_default()
}

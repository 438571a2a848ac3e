use insta::assert_snapshot;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Hospital, Reply,
    actor::study_of,
    hospital::{ct_chest, id, instance_of},
};

fn instance(sop: &str) -> Value {
    json!({"seriesInstanceUID": "1.2.3", "sopInstanceUID": sop, "seriesNumber": 1, "instanceNumber": 1})
}

fn images_of(study: &Value) -> String {
    format!("/api/studies/{}/images", id(study))
}

#[tokio::test]
async fn an_image_is_what_was_announced_until_its_bytes_arrive() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let mut sent = instance("1.2.3.4");
    let more = json!({
        "studyId": id(&study), "status": "EXPECTED", "seriesDescription": "Lung", "imageType": "ORIGINAL\\PRIMARY",
        "photometricInterpretation": "MONOCHROME2", "rows": 512, "columns": 0, "bitsAllocated": 16, "bitsStored": 12,
        "pixelSpacing": "0.7\\0.7", "sliceThickness": 1.25, "sliceLocation": -33.5, "imagePosition": "1\\2\\3",
        "imageOrientation": "1\\0\\0\\0\\1\\0", "acquisitionDate": "20260102", "acquisitionTime": "070809",
        "contentDate": "20260102", "contentTime": "070809", "windowCenter": 40.0, "windowWidth": 400.5,
        "thumbnailUrl": "https://example.org/t.png", "fileSize": 5_000_000_000_u64, "transferSyntaxUID": "1.2.840.10008.1.2.1",
        "metadata": {"note": "Motion"},
    });
    sent.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());

    let reply = hospital.technologist().post(&images_of(&study), sent.clone()).await;
    let (location, etag) = (reply.header("location").to_owned(), reply.header("etag").to_owned());
    let registered = reply.expect(201);
    let image = &registered["image"];
    for (name, value) in sent.as_object().unwrap().iter().filter(|(name, _)| *name != "metadata") {
        assert_eq!(&image[name], value, "{name}");
    }
    assert_eq!((location, etag.as_str()), (format!("/api/images/{}", id(image)), "\"1\""));
    let read =
        hospital.technologist().get(&format!("/api/images/{}", id(image))).await.expect(200)["image"].take();
    assert_eq!(read["metadata"], json!({"note": "Motion"}));

    let upload = &registered["upload"];
    assert_eq!(upload["method"], "PUT");
    assert_eq!(upload["headers"]["x-ms-blob-type"], "BlockBlob");
    // What is announced is not counted.
    let study =
        hospital.technologist().get(&format!("/api/studies/{}", id(&study))).await.expect(200)["study"]
            .take();
    assert_eq!(
        (&study["numberOfInstances"], &study["numberOfSeries"], &study["status"]),
        (&json!(0), &json!(0), &json!("SCHEDULED"))
    );
}

#[tokio::test]
async fn every_fault_is_named_at_once() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let technologist = hospital.technologist();
    assert_snapshot!(technologist.post(&images_of(&study), json!({})).await.expect_invalid(), @r"
    seriesInstanceUID is required
    sopInstanceUID is required
    instanceNumber is required
    seriesNumber is required
    ");

    let wrong = json!({
        "studyId": "019a3b1c-7e00-7abc-8def-0123456789ab", "status": "STORED", "seriesInstanceUID": "1..2",
        "sopInstanceUID": "1".repeat(65), "seriesNumber": 1.5, "instanceNumber": 2_147_483_648_u64, "seriesDescription": "",
        "imageType": 1, "photometricInterpretation": [], "rows": -1, "columns": 65_536, "bitsAllocated": 1.5,
        "bitsStored": true, "pixelSpacing": {}, "sliceThickness": "1", "sliceLocation": [], "imagePosition": 1,
        "imageOrientation": 1, "acquisitionDate": 1, "acquisitionTime": 1, "contentDate": 1, "contentTime": 1,
        "windowCenter": "40", "windowWidth": {}, "thumbnailUrl": 1, "fileSize": -1, "transferSyntaxUID": "x",
        "storageUrl": "https://elsewhere.example/medical-images/a.dcm", "metadata": [], "sopClassUID": "1.2",
    });
    let faults = technologist.post(&images_of(&study), wrong).await.expect_invalid();
    assert_snapshot!(faults.replace(id(&study), "<the study>"), @r"
    studyId must be <the study>, or left out
    status must be EXPECTED, or left out
    seriesInstanceUID must be a DICOM UID: numbers with dots between them, at most 64 characters
    sopInstanceUID must be a DICOM UID: numbers with dots between them, at most 64 characters
    instanceNumber must be a whole number
    seriesNumber must be a whole number
    transferSyntaxUID must be a DICOM UID: numbers with dots between them, at most 64 characters
    thumbnailUrl must be a string
    metadata must be an object
    imageType must be a string
    photometricInterpretation must be a string
    pixelSpacing must be a string
    imagePosition must be a string
    imageOrientation must be a string
    acquisitionDate must be a string
    acquisitionTime must be a string
    contentDate must be a string
    contentTime must be a string
    seriesDescription must not be empty
    rows must be a whole number from 0 to 65535
    columns must be a whole number from 0 to 65535
    bitsAllocated must be a whole number from 0 to 65535
    bitsStored must be a whole number from 0 to 65535
    sliceThickness must be a number
    sliceLocation must be a number
    windowCenter must be a number
    windowWidth must be a number
    fileSize must be a number of bytes
    storageUrl is not an upload of this organization that still waits
    sopClassUID is not a field that can be set here
    ");
}

#[tokio::test]
async fn the_same_image_again_is_the_same_row_with_a_fresh_url() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let technologist = hospital.technologist();
    let first = technologist.post(&images_of(&study), instance("1.2.3.4")).await.expect(201);
    let again = technologist.post(&images_of(&study), instance("1.2.3.4")).await.expect(201);
    assert_eq!(id(&first["image"]), id(&again["image"]));
    assert_eq!(first["image"]["storageUrl"], again["image"]["storageUrl"]);
    assert!(first["upload"]["expiresAt"].as_str() <= again["upload"]["expiresAt"].as_str());
    assert_eq!(hospital.sql("select count(*)::text from imaging.uploads").await.as_deref(), Some("1"));

    // The fresh URL is good for the bytes; once they are there, there is nothing left to announce.
    let file = instance_of(&study).series("1.2.3").sop("1.2.3.4").number(1, 1).write().unwrap();
    hospital.send(&again["upload"], file).await.expect_status(201);
    hospital.stored(id(&again["image"])).await;
    technologist.post(&images_of(&study), instance("1.2.3.4")).await.expect_refusal(409, "duplicate");
}

#[tokio::test]
async fn an_instance_belongs_to_one_series_of_one_study() {
    let hospital = Hospital::open().await;
    let technologist = hospital.technologist();
    let (study, other) = (hospital.registered_study().await, hospital.registered_study().await);
    technologist.post(&images_of(&study), instance("1.2.3.4")).await.expect(201);
    technologist.post(&images_of(&other), instance("1.2.3.4")).await.expect_refusal(409, "duplicate");
    let mut elsewhere = instance("1.2.3.4");
    elsewhere["seriesInstanceUID"] = json!("1.2.4");
    technologist.post(&images_of(&study), elsewhere).await.expect_refusal(409, "duplicate");
}

#[tokio::test]
async fn a_cancelled_study_takes_no_images_and_every_other_does() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    for (number, status) in
        (1..).zip(["SCHEDULED", "ARRIVED", "IN_PROGRESS", "COMPLETED", "PRELIMINARY", "FINAL", "CANCELLED"])
    {
        hospital
            .execute(&format!("update imaging.studies set status = '{status}' where id = '{}'", id(&study)))
            .await;
        let reply =
            hospital.technologist().post(&images_of(&study), instance(&format!("1.2.3.{number}"))).await;
        if status == "CANCELLED" {
            reply.expect_illegal_step("study_cancelled", "CANCELLED", &[]);
        } else {
            reply.expect_status(201);
        }
    }
}

#[tokio::test]
async fn a_storage_url_names_a_blob_that_this_organization_uploaded() {
    let hospital = Hospital::open().await;
    let technologist = hospital.technologist();
    let study = hospital.registered_study().await;

    // Bytes that came before anybody had registered the study: held, and then claimed by name.
    let unknown =
        instance_of(&json!({"studyInstanceUID": "1.9.9", "patientId": "MRN-1", "patientName": "Doe^Jane"}));
    let file = unknown.series("1.2.3").sop("1.2.3.4").number(1, 1);
    let held = hospital.receives(file.write().unwrap()).await;
    assert_eq!(held["status"], "CONFLICT", "{held}");
    let mut claim = instance("1.2.3.4");
    claim["storageUrl"] = held["blob"].clone();

    // Nobody of another organization may name it, neither by its name nor by its URL.
    let theirs = hospital.somebody_with("service", |claims| claims.organization_id = "org-2".to_owned());
    let their_study = theirs.registers(&theirs.places(ct_chest()).await).await;
    let refused = theirs.post(&images_of(&their_study), claim.clone()).await;
    assert_snapshot!(refused.expect_invalid(), @"storageUrl is not an upload of this organization that still waits");
    let url = hospital.technologist().post("/api/uploads", json!({})).await.expect(201)["uploads"][0]["upload"]["url"].take();
    let mut by_url = instance("1.2.3.5");
    by_url["storageUrl"] = url;
    theirs.post(&images_of(&their_study), by_url).await.expect_invalid();
    for name in ["incoming/2026010203/019a3b1c-7e00-7abc-8def-0123456789ab.dcm", "../other/a.dcm", "a"] {
        let mut unknown = instance("1.2.3.6");
        unknown["storageUrl"] = json!(name);
        assert_eq!(
            technologist.post(&images_of(&study), unknown).await.expect_invalid(),
            refused.faults(),
            "{name}"
        );
    }
    assert_eq!(hospital.sql("select count(*)::text from imaging.images").await.as_deref(), Some("0"));

    // Whose it is may: and what is there already is not sent again.
    let registered = technologist.post(&images_of(&study), claim.clone()).await.expect(201);
    assert_eq!(registered["upload"], Value::Null);
    assert_eq!(registered["image"]["storageUrl"], held["blob"]);
    let image = hospital.stored(id(&registered["image"])).await;
    assert_eq!(image["study"]["id"], study["id"]);
    technologist.post(&images_of(&study), claim).await.expect_refusal(409, "duplicate");
}

#[tokio::test]
async fn a_blob_that_an_image_has_claimed_is_claimed_again_by_it_and_by_no_other() {
    let hospital = Hospital::open_with(|settings| settings.timers.clear()).await;
    let technologist = hospital.technologist();
    let study = hospital.registered_study().await;
    let offered = technologist.post("/api/uploads", json!({"count": 2})).await.expect(201);
    let file = instance_of(&study).series("1.2.3").sop("1.2.3.4").number(1, 1).write().unwrap();
    hospital.send(&offered["uploads"][0]["upload"], file).await.expect_status(201);
    let claiming = |sop: &str, upload: usize| {
        let mut claim = instance(sop);
        claim["storageUrl"] = offered["uploads"][upload]["upload"]["url"].clone();
        claim
    };

    let first = technologist.post(&images_of(&study), claiming("1.2.3.4", 0)).await.expect(201);
    let again = technologist.post(&images_of(&study), claiming("1.2.3.4", 0)).await.expect(201);
    assert_eq!(again, first);
    assert_eq!(again["upload"], Value::Null);
    let other_blob = technologist.post(&images_of(&study), claiming("1.2.3.4", 1)).await;
    other_blob.expect_refusal(409, "duplicate");
    let other_image = technologist.post(&images_of(&study), claiming("1.2.3.5", 0)).await;
    assert_snapshot!(other_image.expect_invalid(), @"storageUrl is not an upload of this organization that still waits");

    hospital.machine().post("/tasks/sweep", json!({})).await.expect(200);
    assert_eq!(hospital.stored(id(&first["image"])).await["study"]["id"], study["id"]);
}

#[tokio::test]
async fn an_upload_url_creates_its_one_blob_once_and_does_nothing_else() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let registered = hospital.technologist().post(&images_of(&study), instance("1.2.3.4")).await.expect(201);
    let upload = &registered["upload"];
    let url = upload["url"].as_str().unwrap().to_owned();
    let put = |url: &str, body: &'static str| {
        Reply::of(hospital.to_storage(Method::PUT, url).header("x-ms-blob-type", "BlockBlob").body(body))
    };

    // Nothing can be learnt with it, before the bytes are there and after.
    let file = instance_of(&study).series("1.2.3").sop("1.2.3.4").number(1, 1).write().unwrap();
    hospital.send(upload, file.clone()).await.expect_status(201);
    for method in [Method::GET, Method::HEAD, Method::DELETE] {
        Reply::of(hospital.to_storage(method, &url)).await.expect_status(403);
    }
    let (blob, query) = url.split_once('?').unwrap();
    let container = blob.split("/incoming/").next().unwrap();
    Reply::of(hospital.to_storage(Method::GET, &format!("{container}?restype=container&comp=list&{query}")))
        .await
        .expect_status(403);
    Reply::of(hospital.to_storage(Method::GET, &format!("{blob}?comp=metadata&{query}")))
        .await
        .expect_status(403);

    // It cannot overwrite, nor write elsewhere, nor do so with more rights or later than was signed.
    let again = put(&url, "other bytes").await;
    again.expect_status(403);
    // Azure's name for it, and Azurite's.
    let refusals = ["<Code>UnauthorizedBlobOverwrite</Code>", "<Code>AuthorizationPermissionMismatch</Code>"];
    assert!(refusals.iter().any(|refusal| again.text.contains(refusal)), "{again}");
    let fresh = hospital.technologist().post("/api/uploads", json!({})).await.expect(201);
    let other = fresh["uploads"][0]["upload"]["url"].as_str().unwrap().split('?').next().unwrap().to_owned();
    put(&format!("{other}?{query}"), "other bytes").await.expect_status(403);
    put(&url.replace("sp=c", "sp=cw"), "other bytes").await.expect_status(403);
    let later = format!("se=2099{}", url.split_once("se=2").unwrap().1.split_at(3).1);
    put(&format!("{}{later}", url.split_once("se=").unwrap().0), "other bytes").await.expect_status(403);

    assert_eq!(hospital.blob(registered["image"]["storageUrl"].as_str().unwrap()).await, Some(file));
}

#[tokio::test]
async fn a_study_is_registered_with_room_for_its_images_only_by_who_can_read_it() {
    let hospital = Hospital::open().await;
    let mut order = ct_chest();
    order["facilityId"] = json!("fac-2");
    let order = hospital.service().places(order).await;
    let study = hospital.service().post("/api/studies", study_of(&order)).await.expect(201)["study"].take();
    hospital
        .technologist()
        .post(&images_of(&study), instance("1.2.3.4"))
        .await
        .expect_refusal(404, "not_found");
    hospital.service().post(&images_of(&study), instance("1.2.3.4")).await.expect(201);
}

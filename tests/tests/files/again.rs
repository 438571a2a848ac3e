//! What is sent once more, the same or not.

use serde_json::{Value, json};
use tests::{
    Hospital,
    dicom::uid,
    hospital::{id, instance_of},
};

#[tokio::test]
async fn a_file_that_is_sent_again_is_a_duplicate_and_counted_once() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let file = instance_of(&study).write().unwrap();

    let first = hospital.receives(file.clone()).await;
    let again = hospital.receives(file.clone()).await;

    assert_eq!(first["status"], "STORED", "{first}");
    assert_eq!((&again["status"], &again["reason"]), (&json!("DUPLICATE"), &Value::Null));
    assert_eq!((&again["imageId"], &again["studyId"]), (&first["imageId"], &first["studyId"]));
    let read =
        hospital.radiologist().get(&format!("/api/studies/{}", id(&study))).await.expect(200)["study"].take();
    assert_eq!((&read["numberOfSeries"], &read["numberOfInstances"]), (&json!(1), &json!(1)));
    assert_eq!(read["images"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn another_content_under_the_same_uid_is_a_conflict_and_the_first_stays() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let made = instance_of(&study);
    let (file, other) =
        (made.write().unwrap(), made.clone().text((0x0008, 0x103e), "LO", "retouched").write().unwrap());

    let first = hospital.receives(file.clone()).await;
    let second = hospital.receives(other.clone()).await;

    assert_eq!(first["status"], "STORED", "{first}");
    assert_eq!((&second["status"], &second["reason"]), (&json!("CONFLICT"), &json!("instance_exists")));
    assert_eq!(second["differences"], json!(["content"]));
    assert_eq!(second["imageId"], first["imageId"]);
    let radiologist = hospital.radiologist();
    let path = format!("/api/images/{}", first["imageId"].as_str().unwrap());
    let image = radiologist.get(&path).await.expect(200)["image"].take();
    assert_eq!((&image["seriesDescription"], &image["version"]), (&Value::Null, &json!(1)));
    let url = radiologist.get(&format!("{path}/url")).await.expect(200)["url"].take();
    assert!(hospital.fetch(url.as_str().unwrap()).await == file);
    // The other is not lost: a person decides.
    assert!(hospital.blob(second["blob"].as_str().unwrap()).await == Some(other));
    let read = radiologist.get(&format!("/api/studies/{}", id(&study))).await.expect(200)["study"].take();
    assert_eq!(read["numberOfInstances"], 1);
}

#[tokio::test]
async fn where_storage_knows_no_hash_the_bytes_themselves_are_compared() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    // Larger than what is compared at a time, and different in nothing but the last pixel.
    let made = instance_of(&study).size(1100, 1100);
    let file = made.write().unwrap();
    let mut other = file.clone();
    *other.last_mut().unwrap() ^= 1;
    let first = hospital.receives(file.clone()).await;
    assert_eq!(first["status"], "STORED", "{first}");

    for (bytes, wanted) in [(&file, "DUPLICATE"), (&other, "CONFLICT")] {
        let offered = hospital.technologist().post("/api/uploads", json!({"count": 1})).await.expect(201);
        let upload = id(&offered["uploads"][0]).to_owned();
        hospital.puts_in_blocks(&upload, bytes).await;
        let again = hospital.settled(&upload).await;
        assert_eq!(again["status"], wanted, "{again}");
        assert_eq!(again["imageId"], first["imageId"]);
        let known = format!("select content_md5 from imaging.uploads where id = '{upload}'");
        assert_eq!(hospital.sql(&known).await, None);
    }
    let url = format!("/api/images/{}/url", first["imageId"].as_str().unwrap());
    let url = hospital.radiologist().get(&url).await.expect(200)["url"].take();
    assert!(hospital.fetch(url.as_str().unwrap()).await == file);
}

#[tokio::test]
async fn the_same_file_many_times_at_once_is_one_image() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let file = instance_of(&study).write().unwrap();

    let uploads = futures::future::join_all((0..16).map(|_| hospital.uploads(file.clone()))).await;
    let settled = futures::future::join_all(uploads.iter().map(|upload| hospital.settled(upload))).await;

    let count = |status: &str| settled.iter().filter(|ingest| ingest["status"] == status).count();
    assert_eq!((count("STORED"), count("DUPLICATE")), (1, 15), "{settled:?}");
    assert!(settled.iter().all(|ingest| ingest["imageId"] == settled[0]["imageId"]), "{settled:?}");
    let path = format!("/api/studies/{}", id(&study));
    let read = hospital.radiologist().get(&path).await.expect(200)["study"].take();
    assert_eq!((&read["numberOfSeries"], &read["numberOfInstances"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn an_instance_cannot_be_in_two_places() {
    let hospital = Hospital::open().await;
    let (study, other) = (hospital.registered_study().await, hospital.registered_study().await);
    let sop = uid();
    let first = hospital.receives(instance_of(&study).sop(&sop).write().unwrap()).await;
    assert_eq!(first["status"], "STORED", "{first}");
    let first_image = hospital.stored(first["imageId"].as_str().unwrap()).await;

    let in_study = hospital.receives(instance_of(&other).sop(&sop).write().unwrap()).await;
    let study =
        hospital.radiologist().get(&format!("/api/studies/{}", id(&study))).await.expect(200)["study"].take();
    let in_series = hospital.receives(instance_of(&study).sop(&sop).series(&uid()).write().unwrap()).await;

    assert_eq!(
        (&in_study["status"], &in_study["differences"]),
        (&json!("CONFLICT"), &json!(["studyInstanceUID"]))
    );
    assert_eq!(
        (&in_series["status"], &in_series["differences"]),
        (&json!("CONFLICT"), &json!(["seriesInstanceUID"]))
    );
    assert_eq!(hospital.stored(id(&first_image)).await, first_image);
    let other =
        hospital.radiologist().get(&format!("/api/studies/{}", id(&other))).await.expect(200)["study"].take();
    assert_eq!((&other["status"], &other["numberOfInstances"]), (&json!("SCHEDULED"), &json!(0)));
}

#[tokio::test]
async fn an_upload_url_takes_one_file_and_never_another() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let (file, other) = (instance_of(&study).write().unwrap(), instance_of(&study).write().unwrap());
    let offered = hospital.technologist().post("/api/uploads", json!({"count": 1})).await.expect(201);
    let offer = &offered["uploads"][0];

    hospital.send(&offer["upload"], file.clone()).await.expect_status(201);
    let refused = hospital.send(&offer["upload"], other).await;

    // Whose answer was lost learns from this that the file has arrived. (Azure says UnauthorizedBlobOverwrite.)
    refused.expect_status(403);
    let ingest = hospital.settled(id(offer)).await;
    assert!(hospital.blob(ingest["blob"].as_str().unwrap()).await == Some(file));
}

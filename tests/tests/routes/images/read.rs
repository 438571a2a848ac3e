use serde_json::json;
use tests::{
    Hospital,
    hospital::{id, instance_of},
};

#[tokio::test]
async fn an_image_comes_with_its_metadata_and_its_study() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let image = hospital.scans(&study).await;
    let study =
        hospital.technologist().get(&format!("/api/studies/{}", id(&study))).await.expect(200)["study"]
            .take();

    let reply = hospital.radiologist().get(&format!("/api/images/{}", id(&image))).await;
    assert_eq!(reply.header("etag"), format!("\"{}\"", image["version"]));
    let read = reply.expect(200)["image"].take();
    assert_eq!(
        read["study"],
        json!({
            "id": study["id"], "accessionNumber": study["accessionNumber"], "patientName": "Doe^Jane", "modality": "CT",
        })
    );
    assert!(read["metadata"].as_object().is_some_and(|metadata| !metadata.is_empty()), "{read}");
    assert_eq!(read["studyId"], study["id"]);
    assert!(read.get("dicom").is_none() && read.get("sealed").is_none(), "{read}");
}

#[tokio::test]
async fn what_the_announcement_alone_said_stays_and_what_the_file_says_is_right() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let announced = json!({
        "seriesInstanceUID": "1.2.3", "sopInstanceUID": "1.2.3.4", "seriesNumber": 7, "instanceNumber": 8, "rows": 1,
        "sliceLocation": 12.5, "metadata": {"note": "Motion"},
    });
    let path = format!("/api/studies/{}/images", id(&study));
    let registered = hospital.technologist().post(&path, announced).await.expect(201);
    let file = instance_of(&study).series("1.2.3").sop("1.2.3.4").number(1, 2).write().unwrap();
    hospital.send(&registered["upload"], file.clone()).await.expect_status(201);
    let image = hospital.stored(id(&registered["image"])).await;

    assert_eq!(image["id"], registered["image"]["id"]);
    assert_eq!((&image["seriesNumber"], &image["instanceNumber"]), (&json!(1), &json!(2)));
    assert_eq!((&image["rows"], &image["sliceLocation"]), (&json!(16), &json!(12.5)));
    assert_eq!((&image["metadata"]["note"], &image["fileSize"]), (&json!("Motion"), &json!(file.len())));
}

//! The walk that the README shows: from the order to the images that anyone allowed can read.

use serde_json::json;
use tests::{
    Hospital,
    hospital::{ct_chest, id, instance_of},
};

#[tokio::test]
async fn an_order_is_placed_its_images_arrive_and_anyone_allowed_reads_them() {
    let hospital = Hospital::open().await;
    let (provider, technologist, radiologist) =
        (hospital.provider(), hospital.technologist(), hospital.radiologist());

    // A provider places an order, a technologist registers its study.
    let order = provider.places(ct_chest()).await;
    assert_eq!(order["status"], "PENDING");
    let study = technologist.registers(&order).await;
    assert_eq!(study["accessionNumber"], order["accessionNumber"]);
    let study_path = format!("/api/studies/{}", id(&study));

    // One image at a time: the client announces it and gets the URL to send it to.
    let announced = instance_of(&study).series("1.2.826.1").sop("1.2.826.1.1").number(1, 1);
    let registered = technologist
        .post(
            &format!("{study_path}/images"),
            json!({"seriesInstanceUID": "1.2.826.1", "sopInstanceUID": "1.2.826.1.1", "seriesNumber": 1, "instanceNumber": 1}),
        )
        .await
        .expect(201);
    assert_eq!(registered["image"]["status"], "EXPECTED");
    let bytes = announced.write().unwrap();
    hospital.send(&registered["upload"], bytes.clone()).await.expect_status(201);

    // In bulk, without knowing a study: the files say themselves where they belong.
    let offered = technologist.post("/api/uploads", json!({"count": 2})).await.expect(201);
    for (number, offer) in (1..).zip(offered["uploads"].as_array().unwrap()) {
        let file =
            instance_of(&study).series("1.2.826.2").sop(&format!("1.2.826.2.{number}")).number(2, number);
        hospital.send(&offer["upload"], file.write().unwrap()).await.expect_status(201);
    }

    // With no further call by the client, the images are filed.
    let image = hospital.stored(id(&registered["image"])).await;
    assert_eq!((image["rows"].as_u64(), image["columns"].as_u64()), (Some(16), Some(16)));
    assert_eq!(image["study"]["patientName"], "Doe^Jane");
    for offer in offered["uploads"].as_array().unwrap() {
        assert_eq!(hospital.settled(id(offer)).await["status"], "STORED");
    }

    // The study has taken the file's UID, counts its images and is in progress, and its order with it.
    let read = radiologist.get(&study_path).await.expect(200)["study"].take();
    assert_eq!(read["status"], "IN_PROGRESS");
    assert_eq!((read["numberOfSeries"].as_u64(), read["numberOfInstances"].as_u64()), (Some(2), Some(3)));
    assert_eq!(read["order"]["status"], "IN_PROGRESS");
    assert_eq!(read["images"].as_array().unwrap().len(), 3);
    let series = radiologist.get(&format!("{study_path}/series/1.2.826.2/images")).await.expect(200);
    let numbers: Vec<_> =
        series["images"].as_array().unwrap().iter().map(|image| image["instanceNumber"].as_u64()).collect();
    assert_eq!(numbers, [Some(1), Some(2)]);

    // The bytes behind the URL are the bytes that were sent.
    let url = radiologist.get(&format!("/api/images/{}/url", id(&image))).await.expect(200);
    assert_eq!(hospital.fetch(url["url"].as_str().unwrap()).await, bytes);

    // The study is completed, and the order with it.
    technologist.moves(&study, "COMPLETED").await.expect(200);
    let order =
        provider.get(&format!("/api/imaging-orders/{}", id(&order))).await.expect(200)["order"].take();
    assert_eq!(order["status"], "COMPLETED");
    assert_eq!(order["studies"][0]["status"], "COMPLETED");
}

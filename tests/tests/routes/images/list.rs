use insta::assert_snapshot;
use serde_json::{Value, json};
use tests::{Hospital, hospital::id};

#[tokio::test]
async fn images_come_by_series_number_then_instance_number() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let path = format!("/api/studies/{}/images", id(&study));
    for (series, series_number, instance) in [
        ("1.2.30", 10, 2),
        ("1.2.20", 2, 10),
        ("1.2.20", 2, 9),
        ("1.2.30", 10, 1),
        ("1.2.20", 2, -1),
        ("1.2.10", 2, 5),
    ] {
        let image = json!({
            "seriesInstanceUID": series, "sopInstanceUID": format!("{series}.{}", instance + 100),
            "seriesNumber": series_number, "instanceNumber": instance,
        });
        hospital.technologist().post(&path, image).await.expect(201);
    }
    let numbers = |list: &Value| -> Vec<(i64, i64)> {
        let of = |image: &Value, name: &str| image[name].as_i64().unwrap();
        list["images"]
            .as_array()
            .unwrap()
            .iter()
            .map(|image| (of(image, "seriesNumber"), of(image, "instanceNumber")))
            .collect()
    };

    let all = hospital.technologist().get(&path).await.expect(200);
    // Two series of the same number stay apart.
    assert_eq!(numbers(&all), [(2, 5), (2, -1), (2, 9), (2, 10), (10, 1), (10, 2)]);
    assert_eq!(all["pagination"], json!({"page": 1, "limit": 1000, "total": 6, "totalPages": 1}));
    assert!(all["images"].as_array().unwrap().iter().all(|image| image.get("metadata").is_none()));

    let second = hospital.technologist().get(&format!("{path}?limit=4&page=2")).await.expect(200);
    assert_eq!(numbers(&second), [(10, 1), (10, 2)]);
    assert_eq!(second["pagination"], json!({"page": 2, "limit": 4, "total": 6, "totalPages": 2}));

    let series = format!("/api/studies/{}/series/1.2.20/images", id(&study));
    let of_series = hospital.technologist().get(&series).await.expect(200);
    assert_eq!(numbers(&of_series), [(2, -1), (2, 9), (2, 10)]);
    let none = hospital
        .technologist()
        .get(&format!("/api/studies/{}/series/1.2.40/images", id(&study)))
        .await
        .expect(200);
    assert_eq!(none["images"], json!([]));
}

#[tokio::test]
async fn what_cannot_be_read_is_named() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let images = format!("/api/studies/{}/images?page=0&limit=1001&status=STORED", id(&study));
    assert_snapshot!(hospital.technologist().get(&images).await.expect_malformed(), @r"
    page must be a whole number from 1 to 1000000
    limit must be a whole number from 1 to 1000
    status is not a parameter here
    ");
    let series = format!("/api/studies/{}/series/1.a/images", id(&study));
    assert_snapshot!(hospital.technologist().get(&series).await.expect_malformed(), @"seriesUID is not a DICOM UID");
}

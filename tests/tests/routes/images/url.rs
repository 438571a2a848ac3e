use insta::assert_snapshot;
use reqwest::Method;
use serde_json::json;
use tests::{
    Hospital, Reply,
    hospital::{id, instance_of},
};

#[tokio::test]
async fn a_url_gives_the_bytes_of_its_image_for_a_while_and_nothing_else() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let image = hospital.scans(&study).await;
    let path = format!("/api/images/{}/url", id(&image));

    for (query, minutes) in [("", 15), ("?expires=1", 1), ("?expires=60", 60)] {
        let before = hospital.sql("select extract(epoch from now())::bigint::text").await.unwrap();
        let granted = hospital.radiologist().get(&format!("{path}{query}")).await.expect(200);
        let expires = granted["expiresAt"].as_str().unwrap();
        let valid = hospital
            .sql(&format!("select (extract(epoch from '{expires}'::timestamptz)::bigint - {before})::text"))
            .await;
        let valid: i64 = valid.unwrap().parse().unwrap();
        assert!(
            (minutes * 60 - 2..=minutes * 60 + 2).contains(&valid),
            "{query} is valid for {valid} seconds"
        );
        let bytes = hospital.fetch(granted["url"].as_str().unwrap()).await;
        assert_eq!(bytes.len().to_string(), image["fileSize"].to_string());
    }

    let granted = hospital.radiologist().get(&path).await.expect(200);
    let url = granted["url"].as_str().unwrap();
    for method in [Method::PUT, Method::DELETE] {
        let request = hospital.to_storage(method, url).header("x-ms-blob-type", "BlockBlob").body("x");
        Reply::of(request).await.expect_status(403);
    }
    let other = hospital.scans(&study).await;
    let query = url.split_once('?').unwrap().1;
    let blob =
        format!("{}/{}", url.split("/incoming/").next().unwrap(), other["storageUrl"].as_str().unwrap());
    Reply::of(hospital.to_storage(Method::GET, &format!("{blob}?{query}"))).await.expect_status(403);
}

#[tokio::test]
async fn expires_is_one_to_sixty_minutes() {
    let hospital = Hospital::open().await;
    let image = hospital.scans(&hospital.registered_study().await).await;
    let path = format!("/api/images/{}/url", id(&image));
    for expires in ["0", "61", "-1", "1.5", "x", "", "99999999999"] {
        let reply = hospital.radiologist().get(&format!("{path}?expires={expires}")).await;
        assert_eq!(reply.expect_malformed(), "expires must be a whole number from 1 to 60\n", "{expires}");
    }
    assert_snapshot!(hospital.radiologist().get(&format!("{path}?minutes=5")).await.expect_malformed(), @"minutes is not a parameter here");
}

#[tokio::test]
async fn an_image_whose_bytes_have_not_come_has_no_url() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let announced = json!({"seriesInstanceUID": "1.2.3", "sopInstanceUID": "1.2.3.4", "seriesNumber": 1, "instanceNumber": 1});
    let path = format!("/api/studies/{}/images", id(&study));
    let registered = hospital.technologist().post(&path, announced).await.expect(201);
    let url = format!("/api/images/{}/url", id(&registered["image"]));
    hospital.radiologist().get(&url).await.expect_refusal(409, "image_not_stored");
    let file = instance_of(&study).series("1.2.3").sop("1.2.3.4").write().unwrap();
    hospital.send(&registered["upload"], file).await.expect_status(201);
    hospital.stored(id(&registered["image"])).await;
    hospital.radiologist().get(&url).await.expect_status(200);
}

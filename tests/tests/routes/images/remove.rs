use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Hospital, Reply,
    hospital::{id, instance_of},
};

async fn study_now(hospital: &Hospital, study: &Value) -> Value {
    hospital.technologist().get(&format!("/api/studies/{}", id(study))).await.expect(200)["study"].take()
}

#[tokio::test]
async fn a_deleted_image_leaves_its_study_and_its_blob_waits_for_the_retention_time() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let (image, kept) = (hospital.scans(&study).await, hospital.scans(&study).await);
    let before = study_now(&hospital, &study).await;
    assert_eq!((&before["numberOfInstances"], &before["images"].as_array().unwrap().len()), (&json!(2), &2));

    let path = format!("/api/images/{}", id(&image));
    let reply = hospital.technologist().delete(&path).await;
    reply.expect_status(204);
    assert_eq!((reply.text.as_str(), reply.headers.contains_key("content-type")), ("", false));

    hospital.technologist().get(&path).await.expect_refusal(404, "not_found");
    hospital.technologist().get(&format!("{path}/url")).await.expect_refusal(404, "not_found");
    hospital.technologist().delete(&path).await.expect_refusal(404, "not_found");
    let after = study_now(&hospital, &study).await;
    assert_eq!(after["numberOfInstances"], 1);
    assert_eq!(after["images"][0]["id"], kept["id"]);
    assert_eq!(after["version"], before["version"]);

    let blob = image["storageUrl"].as_str().unwrap();
    let removal = hospital
        .sql(
            "select json_build_object('organization', organization, 'blob', blob, 'image', image_id, 'by', removed_by,
                 'days', extract(day from due_at - created_at))::text from imaging.removals",
        )
        .await;
    let removal: Value = serde_json::from_str(&removal.unwrap()).unwrap();
    assert_eq!(
        removal,
        json!({"organization": "org-1", "blob": blob, "image": image["id"], "by": "technologist-1", "days": 30})
    );
    assert!(hospital.blob(blob).await.is_some(), "the bytes are kept");
}

#[tokio::test]
async fn the_same_instance_may_come_again_after_it_was_deleted() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let file = || instance_of(&study).series("1.2.3").sop("1.2.3.4").number(1, 1).write().unwrap();
    let first = hospital.receives(file()).await;
    hospital
        .technologist()
        .delete(&format!("/api/images/{}", first["imageId"].as_str().unwrap()))
        .await
        .expect_status(204);
    assert_eq!(study_now(&hospital, &study).await["numberOfSeries"], 0);
    let again = hospital.receives(file()).await;
    assert_eq!(again["status"], "STORED", "{again}");
    assert_ne!(again["imageId"], first["imageId"]);
    let study = study_now(&hospital, &study).await;
    assert_eq!((&study["numberOfInstances"], &study["numberOfSeries"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn what_was_announced_and_then_deleted_is_not_expected_any_more() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let announced = json!({"seriesInstanceUID": "1.2.3", "sopInstanceUID": "1.2.3.4", "seriesNumber": 1, "instanceNumber": 1});
    let path = format!("/api/studies/{}/images", id(&study));
    let registered = hospital.technologist().post(&path, announced).await.expect(201);
    hospital
        .technologist()
        .delete(&format!("/api/images/{}", id(&registered["image"])))
        .await
        .expect_status(204);
    let ingests = hospital.technologist().get("/api/ingest").await.expect(200);
    assert_eq!(
        (&ingests["ingests"][0]["status"], &ingests["ingests"][0]["reason"]),
        (&json!("EXPIRED"), &json!("image_deleted"))
    );
}

#[tokio::test]
async fn once_there_is_a_report_only_a_radiologist_deletes() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let image = hospital.scans(&study).await;
    let path = format!("/api/images/{}", id(&image));
    hospital.technologist().moves(&study, "COMPLETED").await.expect(200);
    hospital.reports(&study, "PRELIMINARY").await;
    hospital.technologist().delete(&path).await.expect_refusal(409, "study_has_report");
    hospital.radiologist().delete(&path).await.expect_status(204);
}

#[tokio::test]
async fn only_the_version_that_was_read_is_deleted() {
    let hospital = Hospital::open().await;
    let image = hospital.scans(&hospital.registered_study().await).await;
    let path = format!("/api/images/{}", id(&image));
    hospital
        .technologist()
        .patch(&format!("{path}/metadata"), json!({"metadata": {"note": "x"}}))
        .await
        .expect(200);
    let delete = |etag: String| {
        Reply::of(hospital.technologist().request(Method::DELETE, &path).header("if-match", etag))
    };
    let stale = delete(format!("\"{}\"", image["version"])).await;
    stale.expect_refusal(412, "stale_version");
    delete(stale.header("etag").to_owned()).await.expect_status(204);
}

use serde_json::{Value, json};
use tests::{Hospital, hospital::id};

#[tokio::test]
async fn an_upload_tells_what_became_of_it_and_while_it_waits_where_to_send_it() {
    let hospital = Hospital::open().await;
    let technologist = hospital.technologist();
    let study = hospital.registered_study().await;
    let offer = technologist.post("/api/uploads", json!({})).await.expect(201)["uploads"][0].take();
    let path = format!("/api/ingest/{}", id(&offer));

    let waiting = technologist.get(&path).await.expect(200)["ingest"].take();
    assert_eq!((&waiting["id"], &waiting["status"]), (&offer["id"], &json!("EXPECTED")));
    assert_eq!(
        (&waiting["imageId"], &waiting["receivedAt"], &waiting["attempts"]),
        (&Value::Null, &Value::Null, &json!(0))
    );
    assert_eq!(waiting["differences"], json!([]));

    let file = tests::hospital::instance_of(&study).write().unwrap();
    hospital.send(&waiting["upload"], file).await.expect_status(201);
    let stored = hospital.settled(id(&offer)).await;
    assert_eq!(
        (&stored["status"], &stored["reason"], &stored["studyId"]),
        (&json!("STORED"), &Value::Null, &study["id"])
    );
    assert!(stored["imageId"].is_string() && stored["receivedAt"].is_string(), "{stored}");
    assert!(stored.get("upload").is_none(), "{stored}");
    assert_eq!(stored["blob"], waiting["blob"]);
}

#[tokio::test]
async fn what_differs_is_named_and_never_shown() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let mut other = study.clone();
    other["patientId"] = json!("MRN-77");
    let held = hospital.receives(tests::hospital::instance_of(&other).write().unwrap()).await;
    assert_eq!(
        (&held["status"], &held["reason"], &held["differences"]),
        (&json!("CONFLICT"), &json!("another_patient"), &json!(["patientId"]))
    );
    assert!(!held.to_string().contains("MRN-77"), "{held}");
}

#[tokio::test]
async fn what_was_not_offered_here_is_not_there() {
    let hospital = Hospital::open().await;
    let offer =
        hospital.technologist().post("/api/uploads", json!({})).await.expect(201)["uploads"][0].take();
    hospital.stranger().get(&format!("/api/ingest/{}", id(&offer))).await.expect_refusal(404, "not_found");
    hospital
        .technologist()
        .get("/api/ingest/019a3b1c-7e00-7abc-8def-0123456789ab")
        .await
        .expect_refusal(404, "not_found");
}

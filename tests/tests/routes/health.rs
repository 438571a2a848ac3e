use serde_json::json;
use tests::Hospital;

#[tokio::test]
async fn a_hospital_that_has_everything_within_reach_is_healthy() {
    let hospital = Hospital::open().await;
    let reply = hospital.anonymous().get("/health").await;
    reply.expect_status(200);
    assert_eq!(
        (&reply.body["status"], &reply.body["service"]),
        (&json!("healthy"), &json!("imaging-service"))
    );
    assert_eq!(
        (&reply.body["checks"]["database"]["status"], &reply.body["checks"]["storage"]["status"]),
        (&json!("up"), &json!("up"))
    );
    assert!(reply.body["version"].is_string() && reply.body["timestamp"].is_string(), "{reply}");
    hospital.anonymous().get("/health/live").await.expect_status(200);
}

#[tokio::test]
async fn health_names_what_is_out_of_reach_and_no_secret() {
    let hospital = Hospital::open_with(|settings| {
        // Port 1 answers nobody.
        let storage = settings.variables.get_mut("azure_storage_connection_string").unwrap();
        let endpoint =
            storage.split(';').find_map(|part| part.strip_prefix("BlobEndpoint=")).unwrap().to_owned();
        let path = endpoint.splitn(4, '/').nth(3).unwrap_or_default();
        *storage = storage.replace(&endpoint, &format!("http://127.0.0.1:1/{path}"));
        settings.variables.insert("storage_host".to_owned(), "127.0.0.1:1".to_owned());
        settings.variables.insert("phi_keys".to_owned(), "k1:tooshort".to_owned());
    })
    .await;
    let reply = hospital.anonymous().get("/health").await;
    reply.expect_status(503);
    assert_eq!(reply.body["status"], "unhealthy");
    assert_eq!(reply.body["checks"]["database"], json!({"status": "up"}));
    assert_eq!(reply.body["checks"]["storage"]["status"], "down");
    assert_eq!(reply.body["checks"]["settings"]["status"], "down");
    for secret in ["tooshort", &hospital.setting("jwt_secret"), &hospital.setting("event_key")] {
        assert!(!reply.text.contains(secret), "{reply}");
    }
    hospital.anonymous().get("/health/live").await.expect_status(200);
}

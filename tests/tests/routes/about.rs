use serde_json::json;
use tests::Hospital;

#[tokio::test]
async fn anybody_is_told_what_this_is() {
    let hospital = Hospital::open().await;
    let about = hospital.anonymous().get("/").await.expect(200);
    assert_eq!(about["service"], "imaging-service");
    // Where it sends people, there is something.
    for (name, path) in about["resources"].as_object().unwrap() {
        let path = path.as_str().unwrap().replace("{id}", "019a3b1c-7e00-7abc-8def-0123456789ab");
        let reply = hospital.service().get(&path).await;
        assert!([200, 403, 404, 405].contains(&reply.status), "{name}: {reply}");
        let known = hospital.anonymous().get(&path).await;
        assert_ne!(known.status, 404, "{name} is at no route: {known}");
    }
    assert_eq!(
        (&about["resources"]["openapi"], &about["resources"]["documentation"]),
        (&json!("/openapi.json"), &json!("/docs"))
    );
}

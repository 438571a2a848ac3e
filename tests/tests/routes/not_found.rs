use reqwest::Method;
use tests::{Hospital, Reply};

#[tokio::test]
async fn a_path_that_is_not_there_is_answered_as_json_whoever_asks() {
    let hospital = Hospital::open().await;
    for path in [
        "/nowhere",
        "/api",
        "/api/reports-of-old",
        "/health/deep",
        "/api/imaging-orders/a/b/c",
        "/api/studies/a/b",
        "/api/images",
        "/api/images/a/b",
        "/api/uploads/a",
        "/api/ingest/a/b",
        "/api/studies/a/series",
        "/events",
        "/tasks/other",
        "/%00",
        "/api/imaging-orders/%ff/x",
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let reply = Reply::of(hospital.anonymous().request(method.clone(), path)).await;
            reply.expect_refusal(404, "not_found");
            assert_eq!(reply.header("content-type"), "application/json", "{method} {path}");
        }
    }
}

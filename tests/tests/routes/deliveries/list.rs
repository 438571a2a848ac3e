use insta::assert_snapshot;
use serde_json::json;
use tests::Hospital;

#[tokio::test]
async fn administrators_see_how_deliveries_stand_and_nothing_of_what_they_say() {
    let hospital = Hospital::open().await;
    let finding = hospital.finds(&hospital.registered_study().await, "HIGH").await;
    let first = hospital.gives_up_telling(&finding).await;
    let second = hospital.gives_up_telling(&finding).await;
    let admin = hospital.somebody("admin");

    let listed = admin.get("/api/deliveries").await.expect(200);
    let ids: Vec<_> =
        listed["deliveries"].as_array().unwrap().iter().map(|delivery| &delivery["id"]).collect();
    assert_eq!(ids, [&json!(second), &json!(first)], "newest first");
    let members: Vec<&String> = listed["deliveries"][0].as_object().unwrap().keys().collect();
    assert_snapshot!(
        json!(members),
        @r#"["attempts","channel","createdAt","deliveredAt","dueAt","id","lastCode","recipient","resource","resourceId","state","topic"]"#
    );

    let number = async |query: &str| {
        let page = admin.get(&format!("/api/deliveries?{query}")).await.expect(200);
        page["pagination"]["total"].as_u64().unwrap()
    };
    for (query, found) in [
        ("state=dead", 2),
        ("state=DEAD", 2),
        ("state=PENDING", 0),
        ("topic=finding.raised", 2),
        ("topic=report.amended", 0),
        (&*format!("resourceId={}", tests::hospital::id(&finding)), 2),
        (&*format!("resourceId={first}"), 0),
        ("limit=1", 2),
    ] {
        assert_eq!(number(query).await, found, "{query}");
    }
    admin.get("/api/deliveries?state=gone").await.expect_refusal(400, "malformed_request");
    admin.get("/api/deliveries?resourceId=5").await.expect_refusal(400, "malformed_request");
    let page = admin.get("/api/deliveries?cursor=&limit=1").await;
    let next = page.header("link").trim_start_matches('<').split('>').next().unwrap().to_owned();
    assert_eq!(admin.get(&next).await.expect(200)["deliveries"][0]["id"], json!(first));
    // Another organization has its own.
    let other = hospital.somebody_with("admin", |claims| claims.organization_id = "org-2".to_owned());
    assert_eq!(other.get("/api/deliveries").await.expect(200)["deliveries"], json!([]));
}

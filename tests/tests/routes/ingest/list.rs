use insta::assert_snapshot;
use serde_json::{Value, json};
use tests::{Hospital, hospital::id};

const PATH: &str = "/api/ingest";

fn ids(list: &Value) -> Vec<String> {
    list["ingests"].as_array().unwrap().iter().map(|ingest| id(ingest).to_owned()).collect()
}

#[tokio::test]
async fn what_became_of_uploads_is_listed_newest_first_by_page_and_by_key() {
    let hospital = Hospital::open().await;
    let technologist = hospital.technologist();
    let offered = technologist.post("/api/uploads", json!({"count": 5})).await.expect(201);
    let mut uploads: Vec<String> =
        offered["uploads"].as_array().unwrap().iter().map(|offer| id(offer).to_owned()).collect();
    uploads.sort();
    uploads.reverse();

    let second = technologist.get(&format!("{PATH}?page=2&limit=2")).await.expect(200);
    assert_eq!(ids(&second), uploads[2..4]);
    assert_eq!(second["pagination"], json!({"page": 2, "limit": 2, "total": 5, "totalPages": 3}));

    let mut seen = Vec::new();
    let mut next = Some(format!("{PATH}?limit=2&cursor="));
    while let Some(path) = next {
        let reply = technologist.get(&path).await;
        let link = reply.header("link").to_owned();
        seen.extend(ids(&reply.expect(200)));
        next =
            link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).map(str::to_owned);
    }
    assert_eq!(seen, uploads);
    assert_eq!(hospital.stranger().get(PATH).await.expect(200)["pagination"]["total"], 0);
}

#[tokio::test]
async fn each_filter_narrows_the_list() {
    let hospital = Hospital::open().await;
    let technologist = hospital.technologist();
    let study = hospital.registered_study().await;
    let image = hospital.scans(&study).await;
    let stored = technologist.get(PATH).await.expect(200)["ingests"][0].take();
    let expected = technologist.post("/api/uploads", json!({})).await.expect(201)["uploads"][0].take();
    let quarantined =
        hospital.receives(b"not a DICOM file, but a text that is long enough to look at".repeat(4)).await;
    assert_eq!(quarantined["status"], "QUARANTINED", "{quarantined}");

    for (query, matching) in [
        (String::new(), vec![&quarantined, &expected, &stored]),
        ("status=STORED".to_owned(), vec![&stored]),
        ("status=EXPECTED".to_owned(), vec![&expected]),
        ("status=QUARANTINED".to_owned(), vec![&quarantined]),
        ("status=CONFLICT".to_owned(), vec![]),
        (format!("studyId={}", id(&study)), vec![&stored]),
        (format!("imageId={}", id(&image)), vec![&stored]),
        (format!("imageId={}&status=EXPECTED", id(&image)), vec![]),
    ] {
        let list = technologist.get(&format!("{PATH}?{query}")).await.expect(200);
        assert_eq!(ids(&list), matching.iter().map(|ingest| id(ingest)).collect::<Vec<_>>(), "{query}");
        assert_eq!(list["pagination"]["total"], matching.len(), "{query}");
    }
}

#[tokio::test]
async fn a_parameter_that_cannot_be_read_is_named() {
    let hospital = Hospital::open().await;
    let reply = hospital
        .technologist()
        .get(&format!("{PATH}?status=LOST&studyId=1&imageId=2&page=a&limit=b&cursor=c&reason=x"))
        .await;
    assert_snapshot!(reply.expect_malformed(), @r"
    status must be one of EXPECTED RECEIVED STORED DUPLICATE CONFLICT QUARANTINED EXPIRED
    studyId must be a UUID
    imageId must be a UUID
    page must be a whole number from 1 to 1000000
    limit must be a whole number from 1 to 100
    cursor must be a cursor that this service gave, or empty for the first page
    reason is not a parameter here
    ");
}

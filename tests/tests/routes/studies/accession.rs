use insta::assert_snapshot;
use serde_json::json;
use tests::{
    Hospital,
    actor::study_of,
    hospital::{ct_chest, id},
};

#[tokio::test]
async fn a_study_is_found_by_its_accession_number_whatever_stands_in_it() {
    let hospital = Hospital::open().await;
    let technologist = hospital.technologist();
    let order = hospital.provider().places(ct_chest()).await;
    let mut study = study_of(&order);
    study["accessionNumber"] = json!("A/1 ü?%");
    let study = technologist.post("/api/studies", study).await.expect(201)["study"].take();

    let path = "/api/studies/accession/A%2F1%20%C3%BC%3F%25";
    let reply = technologist.get(path).await;
    assert_eq!(reply.header("etag"), "\"1\"");
    let found = reply.expect(200)["study"].take();
    assert_eq!(found, technologist.get(&format!("/api/studies/{}", id(&study))).await.expect(200)["study"]);

    hospital.stranger().get(path).await.expect_refusal(404, "not_found");
    hospital.patient("MRN-2").get(path).await.expect_refusal(404, "not_found");
    technologist.get("/api/studies/accession/A%2F2").await.expect_refusal(404, "not_found");
    // The order's number is not yet a study's.
    let of_order = format!("/api/studies/accession/{}", order["accessionNumber"].as_str().unwrap());
    technologist.get(&of_order).await.expect_refusal(404, "not_found");
}

#[tokio::test]
async fn what_cannot_be_an_accession_number_is_malformed() {
    let hospital = Hospital::open().await;
    let reply = hospital.technologist().get("/api/studies/accession/12345678901234567").await;
    assert_snapshot!(reply.expect_malformed(), @"accessionNumber is not an accession number");
}

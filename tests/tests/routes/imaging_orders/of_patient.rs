use futures::{StreamExt, stream};
use insta::assert_snapshot;
use serde_json::json;
use tests::{
    Hospital,
    hospital::{ct_chest, id},
};

#[tokio::test]
async fn every_order_of_one_patient_newest_first_as_far_as_one_may_read_them() {
    let hospital = Hospital::open().await;
    let service = hospital.service();
    let mut placed = Vec::new();
    for (patient, provider, facility) in [
        ("MRN/1 ä", "provider-1", "fac-1"),
        ("MRN/1 ä", "provider-9", "fac-2"),
        ("MRN-2", "provider-1", "fac-1"),
    ] {
        let mut order = ct_chest();
        (order["patientId"], order["providerId"], order["facilityId"]) =
            (json!(patient), json!(provider), json!(facility));
        placed.push(id(&service.places(order).await).to_owned());
    }
    let path = "/api/imaging-orders/patient/MRN%2F1%20%C3%A4";
    for (who, actor, sees) in [
        ("service", service, vec![1, 0]),
        ("provider", hospital.provider(), vec![0]),
        ("the patient", hospital.patient("MRN/1 ä"), vec![1, 0]),
        ("another patient", hospital.patient("MRN-2"), vec![]),
        ("stranger", hospital.stranger(), vec![]),
    ] {
        let list = actor.get(path).await.expect(200);
        let listed: Vec<&str> = list["orders"].as_array().unwrap().iter().map(id).collect();
        assert_eq!(listed, sees.iter().map(|at: &usize| placed[*at].as_str()).collect::<Vec<_>>(), "{who}");
    }
}

#[tokio::test]
async fn of_more_than_a_thousand_the_newest_thousand_are_answered_and_it_is_said() {
    let hospital = Hospital::open().await;
    let provider = hospital.provider();
    let first = provider.places(ct_chest()).await;
    let more = async |many: usize| {
        stream::iter(0..many).map(|_| provider.places(ct_chest())).buffer_unordered(16).count().await
    };
    let orders = async || {
        let answered = provider.get("/api/imaging-orders/patient/MRN-1").await.expect(200);
        let listed = answered["orders"].as_array().unwrap();
        let has_first = listed.iter().any(|order| id(order) == id(&first));
        (listed.len(), has_first, answered.get("ordersTruncated").cloned())
    };
    more(999).await;
    assert_eq!(orders().await, (1000, true, None));
    more(1).await;
    assert_eq!(orders().await, (1000, false, Some(json!(true))));
}

#[tokio::test]
async fn a_patient_id_is_at_most_64_characters() {
    let hospital = Hospital::open().await;
    let reply = hospital.provider().get(&format!("/api/imaging-orders/patient/{}", "p".repeat(65))).await;
    assert_snapshot!(reply.expect_malformed(), @"patientId must be at most 64 characters");
}

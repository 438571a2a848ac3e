use insta::assert_snapshot;
use serde_json::{Value, json};
use tests::{
    Hospital,
    actor::study_of,
    hospital::{ct_chest, id},
};

const PATH: &str = "/api/studies";

fn ids(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|study| id(study).to_owned()).collect()
}

#[tokio::test]
async fn a_page_is_a_part_of_the_list_newest_first() {
    let hospital = Hospital::open().await;
    let technologist = hospital.technologist();
    let order = hospital.provider().places(ct_chest()).await;
    let mut registered = Vec::new();
    for _ in 0..5 {
        registered.insert(0, id(&technologist.registers(&order).await).to_owned());
    }

    let second = technologist.get(&format!("{PATH}?page=2&limit=2")).await.expect(200);
    assert_eq!(second["pagination"], json!({"page": 2, "limit": 2, "total": 5, "totalPages": 3}));
    assert_eq!(ids(&second["studies"]), registered[2..4]);

    let mut seen = Vec::new();
    let mut next = Some(format!("{PATH}?cursor=&limit=2"));
    while let Some(path) = next {
        let reply = technologist.get(&path).await;
        let link = reply.header("link").to_owned();
        let page = reply.expect(200);
        assert_eq!(page["pagination"], json!({"limit": 2}));
        seen.extend(ids(&page["studies"]));
        technologist.registers(&order).await;
        next =
            link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).map(str::to_owned);
    }
    assert_eq!(seen, registered);
}

#[tokio::test]
async fn each_filter_narrows_the_list() {
    let hospital = Hospital::open().await;
    let service = hospital.service();
    let mut studies = Vec::new();
    for (patient, modality, date, status) in [
        ("MRN-1", "CT", "2026-03-01", "SCHEDULED"),
        ("MRN-1", "MR", "2026-03-01T18:00:00Z", "ARRIVED"),
        ("MRN-2", "CT", "2026-03-02", "IN_PROGRESS"),
    ] {
        let mut order = ct_chest();
        (order["patientId"], order["modality"]) = (json!(patient), json!(modality));
        let mut study = study_of(&service.places(order).await);
        study["studyDate"] = json!(date);
        let study = service.post(PATH, study).await.expect(201)["study"].take();
        if status != "SCHEDULED" {
            service.moves(&study, status).await.expect(200);
        }
        studies.push(study);
    }
    let of_order = format!("orderId={}", studies[1]["orderId"].as_str().unwrap());
    for (query, matching) in [
        ("", vec![2, 1, 0]),
        ("patientId=MRN-1", vec![1, 0]),
        (of_order.as_str(), vec![1]),
        ("modality=CT", vec![2, 0]),
        ("status=ARRIVED", vec![1]),
        ("startDate=2026-03-02", vec![2]),
        ("endDate=2026-03-01", vec![1, 0]),
        ("startDate=2026-03-01T12:00:00Z&endDate=2026-03-02T00:00:00Z", vec![2, 1]),
        ("patientId=MRN-1&modality=CT&status=SCHEDULED", vec![0]),
        ("patientId=MRN-2&modality=MR", vec![]),
    ] {
        let list = service.get(&format!("{PATH}?{query}")).await.expect(200);
        let expected: Vec<&str> = matching.iter().map(|at: &usize| id(&studies[*at])).collect();
        assert_eq!(ids(&list["studies"]), expected, "{query}");
        assert_eq!(list["pagination"]["total"], expected.len(), "{query}");
    }
}

#[tokio::test]
async fn a_parameter_that_cannot_be_read_is_named() {
    let hospital = Hospital::open().await;
    let query = "patientId=&orderId=7&modality=SR&status=DONE&startDate=1&endDate=2&page=x&limit=0&cursor=1&facilityId=fac-1";
    let reply = hospital.technologist().get(&format!("{PATH}?{query}")).await;
    assert_snapshot!(reply.expect_malformed(), @r"
    patientId must not be empty
    orderId must be a UUID
    modality must be one of CR CT MR US XA DX MG NM PT PET_CT RF OT
    status must be one of SCHEDULED ARRIVED IN_PROGRESS COMPLETED PRELIMINARY FINAL CANCELLED
    startDate must be a date (YYYY-MM-DD) or a time in ISO 8601 with its offset
    endDate must be a date (YYYY-MM-DD) or a time in ISO 8601 with its offset
    page must be a whole number from 1 to 1000000
    limit must be a whole number from 1 to 100
    cursor must be a cursor that this service gave, or empty for the first page
    facilityId is not a parameter here
    ");
}

#[tokio::test]
async fn each_study_names_its_order_and_reports_but_shows_no_more_of_them() {
    let hospital = Hospital::open().await;
    let study = hospital.completed_study().await;
    hospital.reports(&study, "FINAL").await;
    let listed = hospital.radiologist().get(PATH).await.expect(200)["studies"][0].take();
    let order =
        hospital.provider().get(&format!("/api/imaging-orders/{}", study["orderId"].as_str().unwrap())).await;
    let order = order.expect(200)["order"].take();
    assert_eq!(listed["order"], json!({"orderNumber": order["orderNumber"], "priority": "ROUTINE"}));
    assert_eq!(listed["reports"][0]["status"], "FINAL");
    assert_eq!(listed["reports"][0].as_object().unwrap().len(), 2);
    assert_eq!(listed["patientName"], "Doe^Jane");
}

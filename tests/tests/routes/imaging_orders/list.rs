use insta::assert_snapshot;
use serde_json::{Value, json};
use tests::{
    Actor, Hospital, Reply,
    hospital::{ct_chest, id},
};

const PATH: &str = "/api/imaging-orders";

fn ids(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|order| id(order).to_owned()).collect()
}

async fn places(provider: &Actor, many: usize) -> Vec<String> {
    let mut placed = Vec::new();
    for _ in 0..many {
        placed.push(id(&provider.places(ct_chest()).await).to_owned());
    }
    placed.reverse();
    placed
}

#[tokio::test]
async fn a_page_is_a_part_of_the_list_newest_first() {
    let hospital = Hospital::open().await;
    let provider = hospital.provider();
    let empty = provider.get(PATH).await.expect(200);
    assert_eq!(
        empty,
        json!({"orders": [], "pagination": {"page": 1, "limit": 10, "total": 0, "totalPages": 0}})
    );

    let placed = places(&provider, 12).await;

    let first = provider.get(PATH).await.expect(200);
    assert_eq!(first["pagination"], json!({"page": 1, "limit": 10, "total": 12, "totalPages": 2}));
    assert_eq!(ids(&first["orders"]), placed[..10]);
    let third = provider.get(&format!("{PATH}?page=3&limit=5")).await.expect(200);
    assert_eq!(third["pagination"], json!({"page": 3, "limit": 5, "total": 12, "totalPages": 3}));
    assert_eq!(ids(&third["orders"]), placed[10..]);
    let beyond = provider.get(&format!("{PATH}?page=4&limit=5")).await.expect(200);
    assert_eq!((&beyond["orders"], &beyond["pagination"]["total"]), (&json!([]), &json!(12)));
}

#[tokio::test]
async fn a_cursor_does_not_drift_while_orders_are_placed() {
    let hospital = Hospital::open().await;
    let provider = hospital.provider();
    let placed = places(&provider, 7).await;

    let mut seen = Vec::new();
    let mut next = Some(format!("{PATH}?limit=3&modality=CT&cursor="));
    while let Some(path) = next {
        let reply = provider.get(&path).await;
        let link = reply.header("link").to_owned();
        let page = reply.expect(200);
        assert_eq!(page["pagination"], json!({"limit": 3}));
        seen.extend(ids(&page["orders"]));
        provider.places(ct_chest()).await;
        next =
            link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).map(str::to_owned);
    }
    assert_eq!(seen, placed);
}

/// Where the reply says that the next page is.
fn next(reply: &Reply) -> Option<String> {
    let link = reply.header("link").strip_prefix('<')?;
    link.strip_suffix(">; rel=\"next\"").map(str::to_owned)
}

#[tokio::test]
async fn the_last_page_by_key_leads_nowhere_also_when_it_is_full() {
    let hospital = Hospital::open().await;
    let provider = hospital.provider();
    assert_eq!(next(&provider.get(&format!("{PATH}?cursor=")).await), None);
    let placed = places(&provider, 6).await;

    let first = provider.get(&format!("{PATH}?limit=3&cursor=")).await;
    let second = provider.get(&next(&first).unwrap()).await;
    assert_eq!(ids(&first.expect(200)["orders"]), placed[..3]);
    assert_eq!(next(&second), None);
    assert_eq!(ids(&second.expect(200)["orders"]), placed[3..]);
    let whole = provider.get(&format!("{PATH}?limit=6&cursor=")).await;
    assert_eq!(next(&whole), None);
    // By number no page leads anywhere: how many there are is said.
    let by_number = provider.get(&format!("{PATH}?limit=3")).await;
    assert_eq!(next(&by_number), None);
    assert_eq!(by_number.expect(200)["pagination"]["total"], 6);
}

#[tokio::test]
async fn a_cursor_is_replaced_however_it_was_written() {
    let hospital = Hospital::open().await;
    let service = hospital.service();
    for _ in 0..5 {
        let mut order = ct_chest();
        order["patientId"] = json!("MRN 1&cursor=");
        service.places(order).await;
    }
    let mut path = format!("{PATH}?%63ursor=&patientId=MRN+1%26cursor%3D&limit=2");
    let mut seen = 0;
    loop {
        let page = service.get(&path).await;
        let link = next(&page);
        seen += page.expect(200)["orders"].as_array().unwrap().len();
        match link {
            Some(next) => path = next,
            None => break,
        }
    }
    assert_eq!(seen, 5);
    assert_eq!(path.matches("cursor=").count(), 1, "{path}");
}

#[tokio::test]
async fn each_filter_narrows_the_list() {
    let hospital = Hospital::open().await;
    let service = hospital.service();
    let mut orders = Vec::new();
    for (patient, provider, facility, modality, priority, requested_at) in [
        ("MRN-1", "provider-1", "fac-1", "CT", "STAT", "2026-03-01T00:00:00Z"),
        ("MRN-1", "provider-2", "fac-2", "PET_CT", "ROUTINE", "2026-03-01T23:59:59.5Z"),
        ("MRN 2/ä", "provider-2", "fac-1", "CT", "URGENT", "2026-03-02T12:00:00Z"),
    ] {
        let mut order = ct_chest();
        for (name, value) in [
            ("patientId", patient),
            ("providerId", provider),
            ("facilityId", facility),
            ("modality", modality),
            ("priority", priority),
        ] {
            order[name] = json!(value);
        }
        let order = service.places(order).await;
        hospital
            .execute(&format!(
                "update imaging.orders set requested_at = '{requested_at}' where id = '{}'",
                id(&order)
            ))
            .await;
        orders.push(order);
    }
    service.delete(&format!("{PATH}/{}", id(&orders[2]))).await.expect(200);

    for (query, matching) in [
        ("", vec![2, 1, 0]),
        ("patientId=MRN-1", vec![1, 0]),
        ("patientId=MRN+2%2F%C3%A4", vec![2]),
        ("patientId=MRN", vec![]),
        ("providerId=provider-2", vec![2, 1]),
        ("facilityId=fac-1", vec![2, 0]),
        ("status=CANCELLED", vec![2]),
        ("status=PENDING", vec![1, 0]),
        ("modality=PET_CT", vec![1]),
        ("priority=STAT", vec![0]),
        ("startDate=2026-03-02", vec![2]),
        // A day ends a range with all of it.
        ("endDate=2026-03-01", vec![1, 0]),
        ("startDate=2026-03-01T12:00:00Z&endDate=2026-03-02T12:00:00Z", vec![2, 1]),
        ("startDate=2026-03-01T13:00:00%2B01:00&endDate=2026-03-02T11:59:59Z", vec![1]),
        (
            "modality=CT&priority=STAT&patientId=MRN-1&facilityId=fac-1&providerId=provider-1&status=PENDING",
            vec![0],
        ),
        ("modality=CT&priority=ROUTINE", vec![]),
    ] {
        let list = service.get(&format!("{PATH}?{query}")).await.expect(200);
        let expected: Vec<&str> = matching.iter().map(|at: &usize| id(&orders[*at])).collect();
        assert_eq!(ids(&list["orders"]), expected, "{query}");
        assert_eq!(list["pagination"]["total"], expected.len(), "{query}");
        let by_key = service.get(&format!("{PATH}?{query}&cursor=")).await.expect(200);
        assert_eq!(ids(&by_key["orders"]), expected, "{query} by key");
    }
}

#[tokio::test]
async fn a_parameter_that_cannot_be_read_is_named() {
    let hospital = Hospital::open().await;
    let query = "patientId=&providerId=%00&facilityId=%ff&status=OPEN&modality=XX&priority=1&startDate=yesterday\
        &endDate=2026-13-01&page=0&limit=101&cursor=abc&sort=asc&page=2";
    let reply = hospital.provider().get(&format!("{PATH}?{query}")).await;
    assert_snapshot!(reply.expect_malformed(), @r"
    providerId is not UTF-8 text
    facilityId is not UTF-8 text
    page must be given once only
    patientId must not be empty
    status must be one of PENDING SCHEDULED IN_PROGRESS COMPLETED CANCELLED ON_HOLD
    modality must be one of CR CT MR US XA DX MG NM PT PET_CT RF OT
    priority must be one of STAT URGENT ROUTINE
    startDate must be a date (YYYY-MM-DD) or a time in ISO 8601 with its offset
    endDate must be a date (YYYY-MM-DD) or a time in ISO 8601 with its offset
    page must be a whole number from 1 to 1000000
    limit must be a whole number from 1 to 100
    cursor must be a cursor that this service gave, or empty for the first page
    sort is not a parameter here
    ");
}

#[tokio::test]
async fn each_order_names_its_studies() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let second = hospital
        .technologist()
        .registers(&json!({
            "id": study["orderId"], "modality": "CT", "bodyPart": "CHEST", "patientId": "MRN-1",
        }))
        .await;
    let list = hospital.provider().get(PATH).await.expect(200);
    assert_eq!(
        list["orders"][0]["studies"],
        json!([
            {"id": id(&second), "accessionNumber": second["accessionNumber"], "status": "SCHEDULED"},
            {"id": id(&study), "accessionNumber": study["accessionNumber"], "status": "SCHEDULED"},
        ])
    );
    assert_eq!(list["orders"][0]["clinicalIndication"], "Persistent cough for six weeks");
}

#[tokio::test]
async fn everybody_sees_the_orders_of_their_own_reach() {
    let hospital = Hospital::open().await;
    let service = hospital.service();
    let mut placed = Vec::new();
    for (patient, provider, facility) in [
        ("MRN-1", "provider-1", "fac-1"),
        ("MRN-1", "provider-1", "fac-2"),
        ("MRN-2", "provider-2", "fac-2"),
        ("MRN-2", "provider-2", "fac-1"),
    ] {
        let mut order = ct_chest();
        (order["patientId"], order["providerId"], order["facilityId"]) =
            (json!(patient), json!(provider), json!(facility));
        placed.push(id(&service.places(order).await).to_owned());
    }
    for (who, actor, sees) in [
        ("provider", hospital.provider(), vec![3, 1, 0]),
        ("scheduler", hospital.scheduler(), vec![3, 0]),
        ("technologist", hospital.technologist(), vec![3, 0]),
        ("radiologist", hospital.radiologist(), vec![3, 0]),
        ("service", hospital.service(), vec![3, 2, 1, 0]),
        ("patient", hospital.patient("MRN-2"), vec![3, 2]),
        ("stranger", hospital.stranger(), vec![]),
    ] {
        let list = actor.get(PATH).await.expect(200);
        let expected: Vec<&String> = sees.iter().map(|at: &usize| &placed[*at]).collect();
        assert_eq!(ids(&list["orders"]).iter().collect::<Vec<_>>(), expected, "{who}");
        assert_eq!(list["pagination"]["total"], expected.len(), "{who}");
    }
}

use serde_json::{Value, json};
use tests::{
    Hospital,
    hospital::{ct_chest, id},
};

#[tokio::test]
async fn an_order_comes_with_its_studies_newest_first_and_their_reports_and_findings() {
    let hospital = Hospital::open().await;
    let first = hospital.registered_study().await;
    let order = json!({"id": first["orderId"], "modality": "CT", "bodyPart": "CHEST", "patientId": "MRN-1"});
    let second = hospital.technologist().registers(&order).await;
    hospital.completes(&first).await;
    hospital.reports(&first, "FINAL").await;
    hospital.finds(&first, "CRITICAL").await;

    let reply = hospital.provider().get(&format!("/api/imaging-orders/{}", id(&order))).await;
    assert_eq!(reply.header("etag"), format!("\"{}\"", reply.body["data"]["order"]["version"]));
    let read = reply.expect(200)["order"].take();
    let studies = read["studies"].as_array().unwrap();
    assert_eq!(studies.iter().map(id).collect::<Vec<_>>(), [id(&second), id(&first)]);
    assert_eq!(studies[1]["patientName"], "Doe^Jane");
    assert_eq!(studies[1]["reports"][0]["status"], "FINAL");
    assert_eq!(studies[1]["criticalFindings"][0]["severity"], "CRITICAL");
    assert_eq!((&studies[0]["reports"], &studies[0]["criticalFindings"]), (&json!([]), &json!([])));
}

#[tokio::test]
async fn a_report_is_shown_to_whom_it_may_concern_and_not_before_its_time() {
    let hospital = Hospital::open().await;
    let service = hospital.service();
    let provider = hospital.provider();
    for (priority, status, provider_sees, patient_sees) in [
        ("ROUTINE", "PRELIMINARY", false, false),
        ("URGENT", "PRELIMINARY", true, false),
        ("STAT", "PRELIMINARY", true, false),
        ("ROUTINE", "FINAL", true, true),
        ("ROUTINE", "AMENDED", true, true),
    ] {
        let mut order = ct_chest();
        order["priority"] = json!(priority);
        let order = service.places(order).await;
        let study = service.registers(&order).await;
        hospital.completes(&study).await;
        hospital.reports(&study, status).await;
        let path = format!("/api/imaging-orders/{}", id(&order));
        for (who, actor, sees) in [
            ("radiologist", hospital.radiologist(), true),
            ("service", hospital.service(), true),
            ("provider", provider.clone(), provider_sees),
            ("patient", hospital.patient("MRN-1"), patient_sees),
            ("technologist", hospital.technologist(), false),
            ("scheduler", hospital.scheduler(), false),
            // Of the same facility, but the order is a colleague's.
            (
                "colleague",
                hospital.somebody_with("provider", |claims| claims.id = "provider-9".to_owned()),
                false,
            ),
        ] {
            let order = actor.get(&path).await.expect(200)["order"].take();
            let reports = order["studies"][0]["reports"].as_array().unwrap();
            assert_eq!(reports.len(), usize::from(sees), "{who}, {priority} {status}");
        }
    }
}

#[tokio::test]
async fn a_finding_is_shown_to_who_reads_findings() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    hospital.finds(&study, "HIGH").await;
    let path = format!("/api/imaging-orders/{}", study["orderId"].as_str().unwrap());
    for (who, actor, sees) in [
        ("provider", hospital.provider(), 1),
        ("technologist", hospital.technologist(), 1),
        ("radiologist", hospital.radiologist(), 1),
        ("scheduler", hospital.scheduler(), 0),
        ("patient", hospital.patient("MRN-1"), 0),
    ] {
        let order: Value = actor.get(&path).await.expect(200)["order"].take();
        assert_eq!(order["studies"][0]["criticalFindings"].as_array().unwrap().len(), sees, "{who}");
    }
}

#[tokio::test]
async fn what_one_may_not_read_is_not_there() {
    let hospital = Hospital::open().await;
    let order = hospital.provider().places(ct_chest()).await;
    let path = format!("/api/imaging-orders/{}", id(&order));
    hospital.stranger().get(&path).await.expect_refusal(404, "not_found");
    hospital.patient("MRN-2").get(&path).await.expect_refusal(404, "not_found");
    hospital
        .somebody_with("patient", |claims| claims.patient_id = None)
        .get(&path)
        .await
        .expect_refusal(403, "forbidden");
    let elsewhere =
        hospital.somebody_with("radiologist", |claims| claims.facility_ids = vec!["fac-2".to_owned()]);
    elsewhere.get(&path).await.expect_refusal(404, "not_found");
    hospital
        .provider()
        .get("/api/imaging-orders/019a3b1c-7e00-7abc-8def-0123456789ab")
        .await
        .expect_refusal(404, "not_found");
}

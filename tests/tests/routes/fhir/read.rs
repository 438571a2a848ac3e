use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tests::{Hospital, hospital::id};

use super::{acts, ehr, resource};

#[tokio::test]
async fn an_order_is_read_as_it_is() {
    let hospital = Hospital::open().await;
    let mut order = tests::hospital::ct_chest();
    order["instructions"] = json!("Please hurry");
    let order = hospital.provider().places(order).await;

    let reply = ehr(&hospital).get(&format!("/fhir/ServiceRequest/{}", id(&order))).await;

    assert_eq!(reply.header("etag"), "W/\"1\"");
    let read = resource(reply, 200);
    assert_eq!((&read["status"], &read["priority"]), (&json!("active"), &json!("routine")));
    assert_eq!(read["subject"]["reference"], "Patient/MRN-1");
    assert_eq!(read["requester"]["reference"], "Practitioner/provider-1");
    assert_eq!(read["reasonCode"][0]["text"], "Persistent cough for six weeks");
    assert_eq!(read["note"][0]["text"], "Please hurry");
    assert_eq!(read["identifier"][0]["system"], "urn:imaging:org-1:order-number");
    assert_eq!(read["identifier"][0]["value"], order["orderNumber"]);
    assert_eq!(read["identifier"][1]["value"], order["accessionNumber"]);
    assert_eq!(acts(&hospital, "order.read").await, ["ehr order.read SUCCESS {MRN-1}"]);

    hospital
        .scheduler()
        .patch(&format!("/api/imaging-orders/{}", id(&order)), json!({"status": "ON_HOLD"}))
        .await
        .expect_status(200);
    let held = resource(ehr(&hospital).get(&format!("/fhir/ServiceRequest/{}", id(&order))).await, 200);
    assert_eq!((&held["status"], &held["meta"]["versionId"]), (&json!("on-hold"), &json!("2")));
}

#[tokio::test]
async fn a_study_is_available_once_it_has_an_image() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let path = format!("/fhir/ImagingStudy/{}", id(&study));

    let reply = ehr(&hospital).get(&path).await;
    // It counts no versions: images come and go without one.
    assert!(!reply.headers.contains_key("etag"));
    let registered = resource(reply, 200);
    assert_eq!(registered["meta"], Value::Null);
    assert_eq!((&registered["status"], &registered["numberOfInstances"]), (&json!("registered"), &json!(0)));

    let image = hospital.scans(&study).await;
    let read = resource(ehr(&hospital).get(&path).await, 200);
    assert_eq!((&read["status"], &read["numberOfSeries"]), (&json!("available"), &json!(1)));
    assert_eq!(
        read["identifier"][0]["value"],
        format!("urn:oid:{}", study["studyInstanceUID"].as_str().unwrap())
    );
    assert_eq!(read["identifier"][1]["value"], study["accessionNumber"]);
    assert_eq!(
        read["basedOn"][0]["reference"],
        format!("ServiceRequest/{}", study["orderId"].as_str().unwrap())
    );
    let series = &read["series"][0];
    assert_eq!(series["uid"], image["seriesInstanceUID"]);
    assert_eq!((&series["modality"]["code"], &series["numberOfInstances"]), (&json!("CT"), &json!(1)));
    assert_eq!(series["instance"][0]["uid"], image["sopInstanceUID"]);
    assert_eq!(acts(&hospital, "study.read").await.first().unwrap(), "ehr study.read SUCCESS {MRN-1}");
}

#[tokio::test]
async fn a_day_is_read_as_a_day() {
    let hospital = Hospital::open().await;
    let study = hospital.completed_study().await;
    assert_eq!(study["studyDate"], "2026-01-02T00:00:00.000Z");
    let report = hospital.reports(&study, "PRELIMINARY").await;
    let read = resource(ehr(&hospital).get(&format!("/fhir/ImagingStudy/{}", id(&study))).await, 200);
    assert_eq!(read["started"], "2026-01-02");

    let path = format!("/fhir/DiagnosticReport/{}", id(&report));
    let written = resource(ehr(&hospital).get(&path).await, 200);
    assert_eq!(
        (&written["effectiveDateTime"], &written["issued"]),
        (&json!("2026-01-02"), &report["updatedAt"])
    );
    // Edited, it is issued anew.
    let edited = json!({"impression": "Community acquired pneumonia on the right"});
    let edited =
        hospital.radiologist().patch(&format!("/api/reports/{}", id(&report)), edited).await.expect(200);
    assert_eq!(resource(ehr(&hospital).get(&path).await, 200)["issued"], edited["report"]["updatedAt"]);
}

#[tokio::test]
async fn a_report_is_read_in_each_of_its_statuses() {
    let hospital = Hospital::open().await;
    for (status, word) in [
        ("PRELIMINARY", "preliminary"),
        ("FINAL", "final"),
        ("AMENDED", "amended"),
        ("CORRECTED", "corrected"),
    ] {
        let study = hospital.completed_study().await;
        let report = hospital.reports(&study, status).await;
        let read =
            resource(ehr(&hospital).get(&format!("/fhir/DiagnosticReport/{}", id(&report))).await, 200);
        assert_eq!(read["status"], word);
        assert_eq!(read["conclusion"], "Community acquired pneumonia");
        assert_eq!(read["resultsInterpreter"][0]["display"], "Dr. Ray");
        assert_eq!(read["imagingStudy"][0]["reference"], format!("ImagingStudy/{}", id(&study)));
        assert_eq!(read["identifier"][0]["value"], report["reportNumber"]);
        let whole = STANDARD.decode(read["presentedForm"][0]["data"].as_str().unwrap()).unwrap();
        let whole = String::from_utf8(whole).unwrap();
        assert!(whole.contains("FINDINGS\nDense consolidation in the right lower lobe"), "{whole}");
        assert_eq!(
            whole.contains("The side was wrong"),
            status == "AMENDED" || status == "CORRECTED",
            "{whole}"
        );
        assert_eq!(whole.contains("nobody has signed it"), status == "PRELIMINARY", "{whole}");
    }
}

#[tokio::test]
async fn a_report_that_was_changed_past_the_service_is_not_shown() {
    let hospital = Hospital::open().await;
    let report = hospital.reports(&hospital.completed_study().await, "PRELIMINARY").await;
    hospital.execute("update imaging.reports set content_hash = 'k1.AAAA'").await;
    let reply = ehr(&hospital).get(&format!("/fhir/DiagnosticReport/{}", id(&report))).await;
    reply.expect_outcome(500, "internal_error");
    assert!(!reply.text.contains("pneumonia"), "{reply}");
}

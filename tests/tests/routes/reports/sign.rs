use insta::assert_snapshot;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Hospital, Reply, hospital::id};

use super::{acts, colleague, hash_of, now, path_of, told};

#[tokio::test]
async fn a_signature_binds_what_was_said_its_signer_and_the_time() {
    let hospital = Hospital::open().await;
    let study = hospital.completed_study().await;
    let written = hospital.reports(&study, "PRELIMINARY").await;
    let order = format!("/api/imaging-orders/{}", study["orderId"].as_str().unwrap());
    let before = hospital.provider().get(&order).await.expect(200);

    let reply = hospital.radiologist().signs(&written).await;

    assert_eq!(reply.header("etag"), "\"2\"");
    let signed = reply.expect(200)["report"].take();
    let mut expected = written.clone();
    for (name, value) in [
        ("status", json!("FINAL")),
        ("signedBy", json!("Dr. Ray")),
        ("signedAt", signed["updatedAt"].clone()),
        ("finalizedDate", signed["updatedAt"].clone()),
        ("updatedAt", signed["updatedAt"].clone()),
        ("contentVersion", json!(2)),
        ("version", json!(2)),
    ] {
        expected[name] = value;
    }
    assert!(signed["signedAt"].is_string());
    // Not a word is another: the hash is that of what was written.
    assert_eq!(signed, expected);
    assert_eq!(signed["contentHash"], hash_of(&hospital, &signed));

    let read = hospital.radiologist().get(&path_of(&signed)).await.expect(200)["report"].take();
    assert_eq!(
        read["versions"][1],
        json!({
            "contentVersion": 2, "status": "FINAL", "at": signed["signedAt"], "by": "radiologist-1",
            "contentHash": signed["contentHash"],
        })
    );
    let event = format!(
        "select concat_ws(' ', actor, imaging.iso(at), detail->>'contentVersion', detail->>'contentHash', patient_ids)
           from imaging.audit_events where action = 'report.sign' and resource_id = '{}'",
        id(&signed)
    );
    let bound = format!(
        "radiologist-1 {} 2 {} {{MRN-1}}",
        signed["signedAt"].as_str().unwrap(),
        signed["contentHash"].as_str().unwrap()
    );
    assert_eq!(hospital.sql(&event).await, Some(bound));
    assert_eq!(told(&hospital, &signed).await, ["report.written 1", "report.signed 2"]);
    let after = now(&hospital, &study).await;
    assert_eq!((&after["status"], &after["reports"].as_array().unwrap().len()), (&json!("FINAL"), &1));
    assert_eq!(
        hospital.provider().get(&order).await.expect(200)["order"]["version"],
        before["order"]["version"]
    );
}

#[tokio::test]
async fn only_the_radiologist_whom_it_names_signs_it() {
    let hospital = Hospital::open().await;
    let report = hospital.reports(&hospital.completed_study().await, "PRELIMINARY").await;
    colleague(&hospital).signs(&report).await.expect_refusal(403, "forbidden");
    hospital.stranger().signs(&report).await.expect_refusal(404, "not_found");
    for role in ["provider", "technologist", "service", "admin"] {
        hospital.somebody(role).signs(&report).await.expect_refusal(403, "forbidden");
    }
    // Nobody signs in an emergency.
    let broken = hospital.radiologist().request(Method::POST, &format!("{}/sign", path_of(&report)));
    let broken = broken.header("x-break-glass", "Unconscious in the emergency room");
    Reply::of(broken).await.expect_refusal(403, "forbidden");

    assert_eq!(acts(&hospital, &report).await.len(), 1);
    let refused = format!(
        "select count(*)::text from imaging.audit_events
          where action = 'report.sign' and outcome = 'REFUSED' and resource_id = '{}'",
        id(&report)
    );
    assert_eq!(hospital.sql(&refused).await.as_deref(), Some("7"));
    hospital.radiologist().signs(&report).await.expect(200);
}

#[tokio::test]
async fn what_is_signed_is_not_signed_again() {
    let hospital = Hospital::open().await;
    for status in ["FINAL", "AMENDED", "CORRECTED"] {
        let report = hospital.reports(&hospital.completed_study().await, status).await;
        let reply = hospital.radiologist().signs(&report).await;
        reply.expect_illegal_step("report_already_signed", status, &["AMENDED", "CORRECTED"]);
    }
}

#[tokio::test]
async fn only_the_version_that_was_read_is_signed() {
    let hospital = Hospital::open().await;
    let report = hospital.reports(&hospital.completed_study().await, "PRELIMINARY").await;
    hospital.radiologist().patch(&path_of(&report), json!({"technique": "Helical"})).await.expect(200);
    let sign = async |etag: &str| {
        let request = hospital.radiologist().request(Method::POST, &format!("{}/sign", path_of(&report)));
        Reply::of(request.header("if-match", etag)).await
    };
    let stale = sign("\"1\"").await;
    stale.expect_refusal(412, "stale_version");
    assert_eq!(stale.header("etag"), "\"2\"");
    sign("\"2\"").await.expect(200);
}

#[tokio::test]
async fn a_name_to_show_may_be_sent_along() {
    let hospital = Hospital::open().await;
    let report = hospital.reports(&hospital.completed_study().await, "PRELIMINARY").await;
    let path = format!("{}/sign", path_of(&report));
    let unfit = json!({"signedBy": "", "status": "PRELIMINARY", "findings": "x"});
    assert_snapshot!(hospital.radiologist().post(&path, unfit).await.expect_invalid(), @r"
    signedBy must not be empty
    status must be FINAL, or left out
    findings is not a field that can be set here
    ");
    let named = json!({"signedBy": "Ray, MD", "status": "FINAL"});
    let signed = hospital.radiologist().post(&path, named).await.expect(200)["report"].take();
    assert_eq!((&signed["signedBy"], &signed["radiologistName"]), (&json!("Ray, MD"), &json!("Dr. Ray")));
}

#[tokio::test]
async fn a_patient_reads_it_once_it_is_signed() {
    let hospital = Hospital::open().await;
    let study = hospital.completed_study().await;
    let report = hospital.reports(&study, "PRELIMINARY").await;
    let patient = hospital.patient("MRN-1");
    patient.get(&path_of(&report)).await.expect_refusal(404, "not_found");
    hospital.radiologist().signs(&report).await.expect(200);
    let read: Value = patient.get(&path_of(&report)).await.expect(200)["report"].take();
    assert_eq!(read["impression"], "Community acquired pneumonia");
}

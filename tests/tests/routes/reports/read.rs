use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Hospital, Reply,
    actor::report_of,
    hospital::{ct_chest, id},
};

use super::path_of;

#[tokio::test]
async fn a_report_comes_with_what_it_is_of_and_with_its_versions() {
    let hospital = Hospital::open().await;
    let radiologist = hospital.radiologist();
    let study = hospital.completed_study().await;
    let written = hospital.reports(&study, "PRELIMINARY").await;
    let path = path_of(&written);
    let edited = radiologist.patch(&path, json!({"technique": "Helical"})).await.expect(200)["report"].take();
    let signed = radiologist.signs(&written).await.expect(200)["report"].take();

    let reply = radiologist.get(&path).await;
    assert_eq!(reply.header("etag"), "\"3\"");
    let mut read = reply.expect(200)["report"].take();

    let of_study = read["study"].take();
    assert_eq!(
        of_study,
        json!({
            "id": id(&study),
            "accessionNumber": study["accessionNumber"],
            "studyInstanceUID": study["studyInstanceUID"],
            "studyDate": "2026-01-02T00:00:00.000Z",
            "modality": "CT",
            "bodyPart": "CHEST",
            "patientId": "MRN-1",
            "patientName": "Doe^Jane",
            "patientDOB": "1970-02-03T00:00:00.000Z",
            "patientSex": "F",
            "status": "FINAL",
        })
    );
    let version = |report: &Value| {
        json!({
            "contentVersion": report["contentVersion"], "status": report["status"], "at": report["updatedAt"],
            "by": "radiologist-1", "contentHash": report["contentHash"],
        })
    };
    let versions = read["versions"].take();
    assert_eq!(versions, json!([version(&written), version(&edited), version(&signed)]));
    for nested in ["study", "versions"] {
        read.as_object_mut().unwrap().remove(nested);
    }
    assert_eq!(read, signed);
}

#[tokio::test]
async fn a_report_is_shown_to_whom_it_may_concern_and_not_before_its_time() {
    let hospital = Hospital::open().await;
    let service = hospital.service();
    for (priority, status, provider_reads, patient_reads) in [
        ("ROUTINE", "PRELIMINARY", false, false),
        ("URGENT", "PRELIMINARY", true, false),
        ("STAT", "PRELIMINARY", true, false),
        ("ROUTINE", "FINAL", true, true),
        ("ROUTINE", "CORRECTED", true, true),
    ] {
        let mut order = ct_chest();
        order["priority"] = json!(priority);
        // At another facility: reports are read by the whole department.
        order["facilityId"] = json!("fac-2");
        let study = service.registers(&service.places(order).await).await;
        hospital.completes(&study).await;
        let report = hospital.reports(&study, status).await;
        let other_provider = hospital.somebody_with("provider", |claims| {
            claims.id = "provider-9".to_owned();
            claims.facility_ids = vec!["fac-2".to_owned()];
        });
        for (who, actor, expected) in [
            ("radiologist", hospital.radiologist(), 200),
            ("service", hospital.service(), 200),
            ("provider", hospital.provider(), if provider_reads { 200 } else { 404 }),
            ("another provider of the facility", other_provider, 404),
            ("patient", hospital.patient("MRN-1"), if patient_reads { 200 } else { 404 }),
            ("another patient", hospital.patient("MRN-2"), 404),
            ("technologist", hospital.technologist(), 403),
            ("scheduler", hospital.scheduler(), 403),
            ("stranger", hospital.stranger(), 404),
        ] {
            let reply = actor.get(&path_of(&report)).await;
            assert_eq!(reply.status, expected, "{who}, {priority} {status}: {reply}");
            if expected == 404 {
                assert!(!reply.text.contains("MRN-1"), "{reply}");
            }
        }
    }
}

#[tokio::test]
async fn in_an_emergency_a_provider_reads_anybodys_signed_report_and_that_is_known() {
    let hospital = Hospital::open().await;
    let report = hospital.reports(&hospital.completed_study().await, "FINAL").await;
    let stranger = hospital.somebody_with("provider", |claims| claims.id = "provider-9".to_owned());
    stranger.get(&path_of(&report)).await.expect_refusal(404, "not_found");
    let request = stranger.request(Method::GET, &path_of(&report));
    let read = Reply::of(request.header("x-break-glass", "Unconscious in the emergency room")).await;
    assert_eq!(read.expect(200)["report"]["impression"], "Community acquired pneumonia");
    let emergencies = format!(
        "select count(*)::text from imaging.audit_events where action = 'report.read' and emergency and resource_id = '{}'",
        id(&report)
    );
    assert_eq!(hospital.sql(&emergencies).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn who_was_told_of_a_finding_reads_the_report_that_it_is_in() {
    let hospital = Hospital::open().await;
    let radiologist = hospital.radiologist();
    let study = hospital.completed_study().await;
    let draft = hospital.reports(&study, "PRELIMINARY").await;
    let signed = hospital.reports(&study, "FINAL").await;
    let told = |who: &str| hospital.somebody_with("provider", |claims| claims.id = who.to_owned());
    let raise = async |report: Option<&Value>, who: &str| {
        let mut finding = json!({
            "studyId": id(&study), "severity": "CRITICAL", "category": "PNEUMOTHORAX", "notifiedTo": [who],
            "finding": "Large pneumothorax on the left",
        });
        if let Some(report) = report {
            finding["reportId"] = json!(id(report));
        }
        radiologist.post("/api/critical-findings", finding).await.expect(201);
    };
    raise(Some(&draft), "told-of-the-draft").await;
    raise(None, "told-of-the-study").await;

    for (who, reads_draft, reads_signed) in
        [("told-of-the-draft", 200, 404), ("told-of-the-study", 404, 200), ("told-of-nothing", 404, 404)]
    {
        let told = told(who);
        for (report, expected) in [(&draft, reads_draft), (&signed, reads_signed)] {
            for path in
                [path_of(report), format!("{}/versions/{}", path_of(report), report["contentVersion"])]
            {
                let reply = told.get(&path).await;
                assert_eq!(reply.status, expected, "{who}: {reply}");
            }
        }
        let listed = told.get(&format!("/api/reports/study/{}", id(&study))).await;
        if who == "told-of-nothing" {
            listed.expect_refusal(404, "not_found");
        } else {
            assert_eq!(listed.expect(200)["reports"].as_array().unwrap().len(), 1, "{who}");
        }
        told.signs(&draft).await.expect_refusal(403, "forbidden");
    }
}

#[tokio::test]
async fn each_reading_is_in_the_audit_and_a_change_reads_nothing_to_anybody() {
    let hospital = Hospital::open().await;
    let study = hospital.completed_study().await;
    let report = hospital.radiologist().writes(report_of(&study)).await;
    let reads = format!(
        "select count(*)::text from imaging.audit_events
          where action = 'report.read' and resource_id = '{}' and patient_ids = array['MRN-1']",
        id(&report)
    );
    hospital.radiologist().patch(&path_of(&report), json!({"technique": "Helical"})).await.expect(200);
    assert_eq!(hospital.sql(&reads).await.as_deref(), Some("0"));
    hospital.radiologist().get(&path_of(&report)).await.expect(200);
    assert_eq!(hospital.sql(&reads).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn what_somebody_put_in_the_place_of_a_text_is_neither_shown_nor_signed_anew() {
    let hospital = Hospital::open().await;
    let radiologist = hospital.radiologist();
    let study = hospital.completed_study().await;
    let written = hospital.reports(&study, "PRELIMINARY").await;
    let path = path_of(&written);
    radiologist.patch(&path, json!({"impression": "Follow up in six weeks"})).await.expect_status(200);
    radiologist.signs(&written).await.expect_status(200);
    radiologist.get(&path).await.expect_status(200);

    // The ciphertext of another version opens for the same report, and says something else than was signed.
    hospital
        .execute(
            "update imaging.reports r set sealed = r.sealed || jsonb_build_object('impression', v.sealed->'impression')
               from imaging.report_versions v where v.report_id = r.id and v.content_version = 1",
        )
        .await;

    radiologist.get(&path).await.expect_refusal(500, "internal_error");
    radiologist.amends(&written, "AMENDED").await.expect_refusal(500, "internal_error");
    // What was signed is there yet.
    let signed = radiologist.get(&format!("{path}/versions/3")).await.expect(200);
    assert_eq!(signed["report"]["impression"], "Follow up in six weeks");
}

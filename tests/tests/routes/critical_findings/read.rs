use reqwest::Method;
use serde_json::{Value, json};
use tests::{Hospital, Reply, actor::finding_of, hospital::id};

use super::{colleague, other_radiologist, path_of};

#[tokio::test]
async fn a_finding_comes_with_what_it_is_of_and_what_became_of_it() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let raised = hospital.finds(&study, "CRITICAL").await;
    hospital
        .execute(&format!(
            "insert into imaging.notifications (organization, id, finding_id, recipient, channel, outcome, at)
             values ('org-1', gen_random_uuid(), '{}', 'provider-1', 'MESSAGE', 'FAILED', '2026-01-02T03:04:05Z')",
            id(&raised)
        ))
        .await;

    let reply = hospital.radiologist().get(&path_of(&raised)).await;
    assert_eq!(reply.header("etag"), "\"1\"");
    let mut read = reply.expect(200)["finding"].take();

    assert_eq!(
        read["study"],
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
            "status": "SCHEDULED",
        })
    );
    assert_eq!(
        read["notifications"],
        json!([{"recipient": "provider-1", "channel": "MESSAGE", "outcome": "FAILED", "at": "2026-01-02T03:04:05.000Z"}])
    );
    read.as_object_mut().unwrap().remove("study");
    read["notifications"] = json!([]);
    assert_eq!(read, raised);
}

#[tokio::test]
async fn a_finding_is_there_for_whom_it_concerns() {
    let hospital = Hospital::open().await;
    let mut finding = finding_of(&hospital.registered_study().await, "CRITICAL");
    finding["notifiedTo"] = json!(["provider-7"]);
    let finding = hospital.radiologist().raises(finding).await;
    let told = hospital.somebody_with("provider", |claims| {
        claims.id = "provider-7".to_owned();
        claims.facility_ids = vec!["fac-2".to_owned()];
    });
    let elsewhere =
        hospital.somebody_with("technologist", |claims| claims.facility_ids = vec!["fac-2".to_owned()]);
    for (who, actor, status) in [
        ("who ordered it", hospital.provider(), 200),
        ("who was told", told, 200),
        ("a colleague of the facility", colleague(&hospital), 404),
        ("technologist", hospital.technologist(), 200),
        ("technologist elsewhere", elsewhere, 404),
        ("radiologist", other_radiologist(&hospital), 200),
        ("service", hospital.service(), 200),
        ("scheduler", hospital.scheduler(), 403),
        ("patient", hospital.patient("MRN-1"), 403),
        ("admin", hospital.somebody("admin"), 403),
        ("stranger", hospital.stranger(), 404),
    ] {
        let reply = actor.get(&path_of(&finding)).await;
        assert_eq!(reply.status, status, "{who}: {reply}");
        assert_eq!(reply.text.contains("MRN-1"), status == 200, "{who}: {reply}");
    }
}

#[tokio::test]
async fn who_was_told_reads_what_the_study_is_and_what_else_is_in_it_by_rights_of_their_own() {
    let hospital = Hospital::open().await;
    let study = hospital.scanned_study().await;
    let mut finding = finding_of(&study, "CRITICAL");
    finding["notifiedTo"] = json!(["provider-7"]);
    let finding = hospital.radiologist().raises(finding).await;
    hospital.finds(&study, "LOW").await;
    let told = hospital.somebody_with("provider", |claims| {
        claims.id = "provider-7".to_owned();
        claims.facility_ids = vec!["fac-2".to_owned()];
    });

    let by_number = format!("/api/studies/accession/{}", study["accessionNumber"].as_str().unwrap());
    for path in [format!("/api/studies/{}", id(&study)), by_number] {
        let read = told.get(&path).await.expect(200)["study"].take();
        assert_eq!((&read["patientName"], &read["modality"]), (&json!("Doe^Jane"), &json!("CT")));
        assert_eq!((&read["order"], &read["images"]), (&Value::Null, &json!([])));
        // Of the study's findings, the one that they were told of.
        assert_eq!(super::ids(&read["criticalFindings"]), [id(&finding)]);
        assert_eq!(read["criticalFindings"][0]["notifiedTo"], json!(["provider-7"]));
        assert_eq!(read["criticalFindings"][0]["notificationSent"], false);
    }
    // Neither the order nor the images, and no change.
    told.get(&format!("/api/studies/{}/images", id(&study))).await.expect_refusal(404, "not_found");
    told.get(&format!("/api/imaging-orders/{}", study["orderId"].as_str().unwrap()))
        .await
        .expect_refusal(404, "not_found");
    told.moves(&study, "COMPLETED").await.expect_refusal(403, "forbidden");
    // It is not in the lists of who was not told.
    colleague(&hospital).get(&path_of(&finding)).await.expect_refusal(404, "not_found");
}

#[tokio::test]
async fn in_an_emergency_a_provider_reads_any_finding_and_acknowledges_none() {
    let hospital = Hospital::open().await;
    let finding = hospital.finds(&hospital.registered_study().await, "CRITICAL").await;
    let breaking = |method: Method, path: String| {
        colleague(&hospital)
            .request(method, &path)
            .header("x-break-glass", "Unconscious in the emergency room")
    };
    let read = Reply::of(breaking(Method::GET, path_of(&finding))).await;
    assert_eq!(read.expect(200)["finding"]["finding"], "Large pneumothorax on the left");
    let acknowledge = breaking(Method::POST, format!("{}/acknowledge", path_of(&finding)));
    Reply::of(acknowledge.json(&json!({"readBack": "Pneumothorax left, understood"})))
        .await
        .expect_refusal(403, "forbidden");
}

#[tokio::test]
async fn a_look_is_in_the_audit_and_acknowledges_nothing() {
    let hospital = Hospital::open().await;
    let finding = hospital.finds(&hospital.registered_study().await, "CRITICAL").await;
    let read = hospital.provider().get(&path_of(&finding)).await.expect(200)["finding"].take();
    assert_eq!((&read["status"], &read["version"]), (&json!("OPEN"), &json!(1)));
    let looks = format!(
        "select string_agg(concat_ws(' ', actor, resource_version, patient_ids), ',') from imaging.audit_events
          where action = 'finding.read' and resource_id = '{}'",
        id(&finding)
    );
    assert_eq!(hospital.sql(&looks).await.as_deref(), Some("provider-1 1 {MRN-1}"));
}

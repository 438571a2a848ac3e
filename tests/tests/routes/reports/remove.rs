use reqwest::Method;
use serde_json::json;
use tests::{Hospital, Reply, hospital::id};

use super::{acts, colleague, now, path_of, told};

#[tokio::test]
async fn a_report_that_nobody_signed_is_deleted_and_its_study_is_completed_again() {
    let hospital = Hospital::open().await;
    let study = hospital.completed_study().await;
    let report = hospital.reports(&study, "PRELIMINARY").await;
    let path = path_of(&report);

    // Whose report it is is no matter here: it may have been written for somebody else.
    colleague(&hospital).delete(&path).await.expect_status(204);

    hospital.radiologist().get(&path).await.expect_refusal(404, "not_found");
    hospital.radiologist().get(&format!("{path}/versions/1")).await.expect_refusal(404, "not_found");
    hospital.radiologist().delete(&path).await.expect_refusal(404, "not_found");
    let after = now(&hospital, &study).await;
    assert_eq!((&after["status"], &after["reports"]), (&json!("COMPLETED"), &json!([])));
    let acts = acts(&hospital, &report).await;
    assert_eq!(acts[1..], ["report.remove 1"]);
    assert_eq!(told(&hospital, &report).await, ["report.written 1", "report.removed 1"]);
    // What it said is kept, sealed.
    let kept = format!(
        "select string_agg(status || ' ' || content_hash, ',') from imaging.report_versions where report_id = '{}'",
        id(&report)
    );
    let hash = report["contentHash"].as_str().unwrap();
    assert_eq!(hospital.sql(&kept).await, Some(format!("PRELIMINARY {hash}")));
    // The study may be gone back to now, and reported again.
    hospital.reports(&study, "FINAL").await;
}

#[tokio::test]
async fn a_study_goes_back_with_the_last_of_its_unsigned_reports_and_never_from_final() {
    let hospital = Hospital::open().await;
    let radiologist = hospital.radiologist();
    let study = hospital.completed_study().await;
    let first = hospital.reports(&study, "PRELIMINARY").await;
    let second = hospital.reports(&study, "PRELIMINARY").await;
    radiologist.delete(&path_of(&first)).await.expect_status(204);
    assert_eq!(now(&hospital, &study).await["status"], "PRELIMINARY");
    radiologist.delete(&path_of(&second)).await.expect_status(204);
    assert_eq!(now(&hospital, &study).await["status"], "COMPLETED");

    hospital.reports(&study, "FINAL").await;
    let later = hospital.reports(&study, "PRELIMINARY").await;
    assert_eq!(now(&hospital, &study).await["status"], "FINAL");
    radiologist.delete(&path_of(&later)).await.expect_status(204);
    assert_eq!(now(&hospital, &study).await["status"], "FINAL");
}

#[tokio::test]
async fn a_signed_report_is_not_deleted() {
    let hospital = Hospital::open().await;
    for status in ["FINAL", "AMENDED", "CORRECTED"] {
        let report = hospital.reports(&hospital.completed_study().await, status).await;
        let reply = hospital.radiologist().delete(&path_of(&report)).await;
        reply.expect_illegal_step("report_not_deletable", status, &["AMENDED", "CORRECTED"]);
        hospital.radiologist().get(&path_of(&report)).await.expect_status(200);
    }
}

#[tokio::test]
async fn only_the_version_that_was_read_is_deleted() {
    let hospital = Hospital::open().await;
    let report = hospital.reports(&hospital.completed_study().await, "PRELIMINARY").await;
    hospital.radiologist().patch(&path_of(&report), json!({"technique": "Helical"})).await.expect(200);
    let delete = async |etag: &str| {
        let request = hospital.radiologist().request(Method::DELETE, &path_of(&report));
        Reply::of(request.header("if-match", etag)).await
    };
    let stale = delete("\"1\"").await;
    stale.expect_refusal(412, "stale_version");
    assert_eq!(stale.header("etag"), "\"2\"");
    delete("\"2\"").await.expect_status(204);
}

#[tokio::test]
async fn a_finding_stays_when_the_report_that_it_is_in_is_deleted() {
    let hospital = Hospital::open().await;
    let radiologist = hospital.radiologist();
    let study = hospital.completed_study().await;
    let report = hospital.reports(&study, "PRELIMINARY").await;
    let finding = json!({
        "studyId": id(&study), "reportId": id(&report), "severity": "CRITICAL", "category": "PNEUMOTHORAX",
        "finding": "Large pneumothorax on the left",
    });
    let finding = radiologist.post("/api/critical-findings", finding).await.expect(201)["finding"].take();
    assert_eq!(finding["reportId"], report["id"]);

    radiologist.delete(&path_of(&report)).await.expect_status(204);

    let read = radiologist.get(&format!("/api/critical-findings/{}", id(&finding))).await.expect(200);
    assert_eq!((&read["finding"]["reportId"], &read["finding"]["status"]), (&json!(null), &json!("OPEN")));
}

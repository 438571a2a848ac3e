use insta::assert_snapshot;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Hospital, Reply, actor::report_of, hospital::id};

use super::{PATH, acts, colleague, hash_of, now, path_of, told};

#[tokio::test]
async fn a_report_of_a_completed_study_is_preliminary_and_so_is_the_study() {
    let hospital = Hospital::open().await;
    let study = hospital.scanned_study().await;
    hospital.technologist().moves(&study, "COMPLETED").await.expect(200);
    let order = format!("/api/imaging-orders/{}", study["orderId"].as_str().unwrap());
    let before = (now(&hospital, &study).await, hospital.provider().get(&order).await.expect(200));

    let reply = hospital.radiologist().post(PATH, report_of(&study)).await;

    let (location, etag) = (reply.header("location").to_owned(), reply.header("etag").to_owned());
    let report = reply.expect(201)["report"].take();
    assert_eq!((location, etag.as_str()), (path_of(&report), "\"1\""));
    assert!(report["reportNumber"].as_str().unwrap().starts_with("RPT-"));
    assert_eq!((&report["status"], &report["studyId"]), (&json!("PRELIMINARY"), &study["id"]));
    assert_eq!((&report["contentVersion"], &report["version"]), (&json!(1), &json!(1)));
    assert_eq!(report["findings"], "Dense consolidation in the right lower lobe");
    assert_eq!(report["preliminaryDate"], report["createdAt"]);
    for none in ["finalizedDate", "amendedDate", "amendmentReason", "signedBy", "signedAt", "technique"] {
        assert_eq!(report[none], Value::Null, "{none}");
    }
    assert_eq!(report["contentHash"], hash_of(&hospital, &report));

    let after = now(&hospital, &study).await;
    assert_eq!(after["status"], "PRELIMINARY");
    assert_eq!(after["version"].as_u64(), before.0["version"].as_u64().map(|version| version + 1));
    let order = hospital.provider().get(&order).await.expect(200);
    assert_eq!(order["order"]["version"], before.1["order"]["version"], "the order stays as it is");
    let detail = json!({"contentHash": report["contentHash"], "contentVersion": 1});
    let detail = detail.to_string().replace("\":", "\": ").replace(",\"", ", \"");
    assert_eq!(acts(&hospital, &report).await, [format!("report.write 1 {detail}")]);
    assert_eq!(told(&hospital, &report).await, ["report.written 1"]);
}

#[tokio::test]
async fn everything_that_was_sent_is_read_again() {
    let hospital = Hospital::open().await;
    let study = hospital.completed_study().await;
    for macros in [
        json!({"sealed": {"reports": {"findings": "k1.AAAA"}}, "n": [1.5, -0.0, 1e21, null]}),
        json!([{"id": "x"}, []]),
        json!("NORMAL_CHEST"),
    ] {
        let mut report = report_of(&study);
        for (name, value) in [
            ("clinicalHistory", json!("Cough and fever for a week")),
            ("technique", json!("Helical\narterial")),
            ("recommendations", json!("Follow up in six weeks")),
            ("findings", json!("ü".repeat(20_000))),
            ("template", json!("CT chest")),
            ("macros", macros),
            ("transcribedBy", json!("Speech")),
            ("transcribedAt", json!("2026-01-02T03:04:05.678Z")),
        ] {
            report[name] = value;
        }
        let written = hospital.radiologist().writes(report.clone()).await;
        let read = hospital.radiologist().get(&path_of(&written)).await.expect(200)["report"].take();
        for (name, value) in report.as_object().unwrap() {
            assert_eq!((&written[name], &read[name]), (value, value), "{name}");
        }
        assert_eq!(read["contentHash"], hash_of(&hospital, &read));
    }
}

#[tokio::test]
async fn what_two_reports_say_alike_is_not_seen_from_their_hashes() {
    let hospital = Hospital::open().await;
    let study = hospital.completed_study().await;
    let (first, second) = (
        hospital.radiologist().writes(report_of(&study)).await,
        hospital.radiologist().writes(report_of(&study)).await,
    );
    assert_eq!(first["findings"], second["findings"]);
    assert_ne!(first["contentHash"], second["contentHash"]);
}

#[tokio::test]
async fn a_radiologist_may_sign_while_writing() {
    let hospital = Hospital::open().await;
    for (signed_by, shown) in [(Value::Null, "Dr. Ray"), (json!("Ray, MD"), "Ray, MD")] {
        let study = hospital.completed_study().await;
        let mut report = report_of(&study);
        report["status"] = json!("FINAL");
        report["signedBy"] = signed_by;
        let report = hospital.radiologist().writes(report).await;
        assert_eq!((&report["status"], &report["signedBy"]), (&json!("FINAL"), &json!(shown)));
        assert_eq!(report["preliminaryDate"], Value::Null);
        assert!(report["signedAt"].is_string());
        assert_eq!(
            (&report["finalizedDate"], &report["createdAt"]),
            (&report["signedAt"], &report["signedAt"])
        );
        assert_eq!(now(&hospital, &study).await["status"], "FINAL");
        assert_eq!(acts(&hospital, &report).await.len(), 1);
        assert!(acts(&hospital, &report).await[0].starts_with("report.sign 1 "));
        assert_eq!(told(&hospital, &report).await, ["report.signed 1"]);
    }
}

#[tokio::test]
async fn a_report_for_another_radiologist_is_theirs_to_sign() {
    let hospital = Hospital::open().await;
    let study = hospital.completed_study().await;
    let mut report = report_of(&study);
    report["status"] = json!("FINAL");
    let resident = colleague(&hospital);
    resident.post(PATH, report.clone()).await.expect_refusal(403, "forbidden");
    assert_eq!(now(&hospital, &study).await["status"], "COMPLETED");

    report["status"] = json!("PRELIMINARY");
    // Somebody's name is not yet a signature.
    report["signedBy"] = json!("Ray, MD");
    let written = resident.writes(report).await;
    assert_eq!((&written["signedBy"], &written["radiologistId"]), (&Value::Null, &json!("radiologist-1")));
    let read = resident.get(&path_of(&written)).await.expect(200)["report"].take();
    assert_eq!(read["versions"][0]["by"], "radiologist-9");
    resident.signs(&written).await.expect_refusal(403, "forbidden");
    assert_eq!(hospital.radiologist().signs(&written).await.expect(200)["report"]["signedBy"], "Dr. Ray");
}

#[tokio::test]
async fn a_study_takes_reports_once_all_its_images_are_there() {
    let hospital = Hospital::open().await;
    for (status, after) in [
        ("SCHEDULED", None),
        ("ARRIVED", None),
        ("IN_PROGRESS", None),
        ("CANCELLED", None),
        ("COMPLETED", Some("PRELIMINARY")),
        ("PRELIMINARY", Some("PRELIMINARY")),
        ("FINAL", Some("FINAL")),
    ] {
        let study = hospital.registered_study().await;
        hospital
            .execute(&format!("update imaging.studies set status = '{status}' where id = '{}'", id(&study)))
            .await;
        let reply = hospital.radiologist().post(PATH, report_of(&study)).await;
        let Some(after) = after else {
            reply.expect_illegal_step("study_not_reportable", status, &[]);
            continue;
        };
        reply.expect_status(201);
        assert_eq!(now(&hospital, &study).await["status"], after);
    }
}

#[tokio::test]
async fn every_fault_is_named_at_once() {
    let hospital = Hospital::open().await;
    let radiologist = hospital.radiologist();
    assert_snapshot!(radiologist.post(PATH, json!({})).await.expect_invalid(), @r"
    studyId is required
    findings is required
    impression is required
    radiologistId is required
    radiologistName is required
    ");
    let unfit = json!({
        "studyId": "7", "radiologistId": " ", "radiologistName": "", "status": "AMENDED", "clinicalHistory": 1,
        "technique": "x".repeat(20_001), "findings": "\u{7}", "impression": " ", "recommendations": [], "macros": 7,
        "template": {}, "transcribedBy": "", "transcribedAt": "now", "signedBy": true, "contentVersion": 2,
        "amendmentReason": "x",
    });
    assert_snapshot!(radiologist.post(PATH, unfit).await.expect_invalid(), @r"
    studyId must be a UUID
    findings must not contain control characters
    impression must not be empty
    clinicalHistory must be a string
    technique must be at most 20000 characters
    recommendations must be a string
    macros must be an object, an array or a string
    template must be a string
    radiologistId must not be empty
    radiologistName must not be empty
    status must be one of PRELIMINARY FINAL
    signedBy must be a string
    transcribedBy must not be empty
    transcribedAt must be a date (YYYY-MM-DD) or a time in ISO 8601 with its offset
    amendmentReason is not a field that can be set here
    contentVersion is not a field that can be set here
    ");
    let mut large = report_of(&json!({"id": "019a3b1c-7e00-7abc-8def-0123456789ab"}));
    assert_snapshot!(radiologist.post(PATH, large.clone()).await.expect_invalid(), @"studyId is not a study of this organization");
    large["macros"] = json!({"a": "x".repeat(64 * 1024)});
    assert_snapshot!(radiologist.post(PATH, large).await.expect_invalid(), @"macros must be at most 64 KiB of JSON");
}

#[tokio::test]
async fn a_report_that_is_sent_twice_under_one_key_is_written_once() {
    let hospital = Hospital::open().await;
    let study = hospital.completed_study().await;
    let send = async || {
        let request = hospital.radiologist().request(Method::POST, PATH).header("idempotency-key", "k-1");
        Reply::of(request.json(&report_of(&study))).await
    };
    let first = send().await;
    let again = send().await;
    assert_eq!(again.header("location"), first.header("location"));
    let report = first.expect(201)["report"].take();
    assert_eq!(again.expect(201)["report"], report);
    let listed = hospital.radiologist().get(&format!("{PATH}/study/{}", id(&study))).await.expect(200);
    assert_eq!(listed["reports"], json!([report]));
}

#[tokio::test]
async fn a_study_of_another_organization_takes_no_report_of_this_one() {
    let hospital = Hospital::open().await;
    let study = hospital.completed_study().await;
    let reply = hospital.stranger().post(PATH, report_of(&study)).await;
    assert_snapshot!(reply.expect_invalid(), @"studyId is not a study of this organization");
    assert_eq!(now(&hospital, &study).await["status"], "COMPLETED");
}

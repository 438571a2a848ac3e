use futures::future::join_all;
use insta::assert_snapshot;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Hospital, Reply, actor::report_of};

use super::{acts, colleague, hash_of, now, path_of, told};

#[tokio::test]
async fn what_is_named_is_said_otherwise_and_null_clears_it() {
    let hospital = Hospital::open().await;
    let study = hospital.completed_study().await;
    let radiologist = hospital.radiologist();
    let mut first = report_of(&study);
    first["macros"] = json!({"a": 1});
    first["transcribedBy"] = json!("Speech");
    let first = radiologist.writes(first).await;
    let path = path_of(&first);
    let moved = now(&hospital, &study).await;

    let change = json!({
        "technique": "Helical, without contrast", "comparison": null, "macros": null, "findings": "No pleural effusion on either side",
        "impression": null, "template": "CT chest", "transcribedBy": null, "transcribedAt": "2026-01-02",
    });
    let reply = radiologist.patch(&path, change).await;

    assert_eq!(reply.header("etag"), "\"2\"");
    let second = reply.expect(200)["report"].take();
    let mut expected = first.clone();
    for (name, value) in [
        ("technique", json!("Helical, without contrast")),
        ("comparison", Value::Null),
        ("macros", Value::Null),
        ("findings", json!("No pleural effusion on either side")),
        ("template", json!("CT chest")),
        ("transcribedBy", Value::Null),
        ("transcribedAt", json!("2026-01-02T00:00:00.000Z")),
        ("contentVersion", json!(2)),
        ("version", json!(2)),
    ] {
        expected[name] = value;
    }
    for of_the_change in ["contentHash", "updatedAt"] {
        assert_ne!(second[of_the_change], first[of_the_change]);
        expected[of_the_change] = second[of_the_change].clone();
    }
    assert_eq!(second, expected);
    assert_eq!(second["contentHash"], hash_of(&hospital, &second));
    // The study is what it was.
    assert_eq!(now(&hospital, &study).await["version"], moved["version"]);
    let acts = acts(&hospital, &first).await;
    assert_eq!(acts.len(), 2, "{acts:?}");
    assert!(acts[1].starts_with("report.change 2 "), "{acts:?}");
    assert_eq!(told(&hospital, &first).await, ["report.written 1", "report.changed 2"]);

    // What is said as before has the hash that it had, in a version of its own.
    let back = json!({
        "technique": null, "comparison": first["comparison"], "macros": {"a": 1}, "findings": first["findings"], "template": null,
    });
    let third = radiologist.patch(&path, back).await.expect(200)["report"].take();
    assert_eq!((&third["contentHash"], &third["contentVersion"]), (&first["contentHash"], &json!(3)));
}

#[tokio::test]
async fn a_signed_report_is_amended_not_edited() {
    let hospital = Hospital::open().await;
    for status in ["FINAL", "AMENDED", "CORRECTED"] {
        let report = hospital.reports(&hospital.completed_study().await, status).await;
        let reply = hospital.radiologist().patch(&path_of(&report), json!({"technique": "Helical"})).await;
        reply.expect_illegal_step("report_not_editable", status, &["AMENDED", "CORRECTED"]);
        let read = hospital.radiologist().get(&path_of(&report)).await.expect(200)["report"].take();
        assert_eq!(read["version"], report["version"]);
    }
}

#[tokio::test]
async fn a_report_is_handed_to_another_radiologist_with_id_and_name() {
    let hospital = Hospital::open().await;
    let report = hospital.reports(&hospital.completed_study().await, "PRELIMINARY").await;
    let (radiologist, path) = (hospital.radiologist(), path_of(&report));
    let by_id = radiologist.patch(&path, json!({"radiologistId": "radiologist-9"})).await;
    assert_snapshot!(by_id.expect_invalid(), @"radiologistName is required with radiologistId");

    let to = json!({"radiologistId": "radiologist-9", "radiologistName": "Dr. Roe"});
    let handed = radiologist.patch(&path, to).await.expect(200)["report"].take();
    assert_eq!(
        (&handed["radiologistId"], &handed["radiologistName"]),
        (&json!("radiologist-9"), &json!("Dr. Roe"))
    );
    assert_ne!(handed["contentHash"], report["contentHash"]);
    radiologist.signs(&report).await.expect_refusal(403, "forbidden");
    colleague(&hospital).signs(&report).await.expect(200);
}

#[tokio::test]
async fn only_the_version_that_was_read_is_changed() {
    let hospital = Hospital::open().await;
    let report = hospital.reports(&hospital.completed_study().await, "PRELIMINARY").await;
    let change = async |etag: &str, technique: &str| {
        let request = hospital.radiologist().request(Method::PATCH, &path_of(&report));
        Reply::of(request.header("if-match", etag).json(&json!({"technique": technique}))).await
    };
    change("\"1\"", "Helical").await.expect(200);
    let stale = change("\"1\"", "Axial").await;
    stale.expect_refusal(412, "stale_version");
    assert_eq!(stale.header("etag"), "\"2\"");
    change("\"7\", \"2\"", "Axial").await.expect(200);
    change("\"4\"", "Helical").await.expect_refusal(412, "stale_version");
    assert_eq!(change("*", "Helical").await.expect(200)["report"]["contentVersion"], 4);
}

#[tokio::test]
async fn of_many_who_write_at_once_nobodys_text_is_lost() {
    let hospital = Hospital::open().await;
    let report = hospital.reports(&hospital.completed_study().await, "PRELIMINARY").await;
    let (radiologist, path) = (hospital.radiologist(), path_of(&report));
    let texts = ["clinicalHistory", "technique", "comparison", "recommendations"];
    let replies = join_all(texts.map(|text| radiologist.patch(&path, json!({text: "As seen"})))).await;
    for reply in replies {
        reply.expect_status(200);
    }
    let read = radiologist.get(&path).await.expect(200)["report"].take();
    for text in texts {
        assert_eq!(read[text], "As seen");
    }
    assert_eq!(read["contentVersion"], 5);
    assert_eq!(read["contentHash"], hash_of(&hospital, &read));
}

#[tokio::test]
async fn every_fault_is_named_at_once() {
    let hospital = Hospital::open().await;
    let report = hospital.reports(&hospital.completed_study().await, "PRELIMINARY").await;
    let (radiologist, path) = (hospital.radiologist(), path_of(&report));
    let patch = async |change| radiologist.patch(&path, change).await.expect_invalid();
    assert_snapshot!(patch(json!({})).await, @"body must change something: a text, or whose the report is");
    assert_snapshot!(patch(json!({"findings": null, "status": "PRELIMINARY"})).await, @"body must change something: a text, or whose the report is");
    assert_snapshot!(patch(json!({"impression": "", "macros": 1, "status": "FINAL", "studyId": "x", "signedBy": "x"})).await, @r"
    impression must not be empty
    macros must be an object, an array or a string
    status must be PRELIMINARY, or left out
    signedBy is not a field that can be set here
    studyId is not a field that can be set here
    ");
}

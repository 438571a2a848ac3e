use insta::assert_snapshot;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Hospital, Reply,
    hospital::{ct_chest, id},
};

use crate::machine::{Machine, Step};

/// The study's machine as far as people move it, as the contract writes it. PRELIMINARY and FINAL are a report's doing.
const MACHINE: &str = "
    SCHEDULED: ARRIVED, IN_PROGRESS, CANCELLED
    ARRIVED: IN_PROGRESS, SCHEDULED (r), CANCELLED
    IN_PROGRESS: COMPLETED, CANCELLED (r)
    COMPLETED: IN_PROGRESS (r)
    PRELIMINARY:
    FINAL:
    CANCELLED:
";

/// A study in a status, with an image so that nothing but the machine stands in the way.
async fn study_in(hospital: &Hospital, status: &str) -> Value {
    let study = hospital.registered_study().await;
    hospital
        .execute(&format!(
            "update imaging.studies set status = '{status}', number_of_instances = 1 where id = '{}'",
            id(&study)
        ))
        .await;
    study
}

#[tokio::test]
async fn a_study_takes_the_steps_of_the_contract_and_no_other() {
    let hospital = Hospital::open().await;
    let technologist = hospital.technologist();
    let machine = Machine::read(MACHINE);
    for by in ["", "/status"] {
        for from in machine.statuses() {
            for to in machine.statuses() {
                let study = study_in(&hospital, from).await;
                let path = format!("/api/studies/{}", id(&study));
                let patch = async |body| technologist.patch(&format!("{path}{by}"), body).await;
                let before = technologist.get(&path).await.expect(200)["study"].take();
                let bare = patch(json!({"status": to})).await;
                match machine.step(from, to) {
                    Step::Free => {
                        let changed = bare.expect(200)["study"].take();
                        assert_eq!(
                            (&changed["status"], &changed["version"]),
                            (&json!(to), &json!(2)),
                            "{from} to {to}"
                        );
                        continue;
                    }
                    Step::WithReason => {
                        assert_eq!(
                            bare.expect_invalid(),
                            "reason is required for this step\n",
                            "{from} to {to}"
                        );
                        assert_eq!(
                            technologist.get(&path).await.expect(200)["study"],
                            before,
                            "{from} to {to}"
                        );
                        let changed = patch(json!({"status": to, "reason": "Claustrophobia"}))
                            .await
                            .expect(200)["study"]
                            .take();
                        assert_eq!(
                            (&changed["status"], &changed["statusReason"]),
                            (&json!(to), &json!("Claustrophobia"))
                        );
                    }
                    Step::Never => {
                        bare.expect_illegal_step(
                            "study_transition_not_allowed",
                            from,
                            &machine.targets(from),
                        );
                        let reasoned = patch(json!({"status": to, "reason": "Claustrophobia"})).await;
                        reasoned.expect_illegal_step(
                            "study_transition_not_allowed",
                            from,
                            &machine.targets(from),
                        );
                        assert_eq!(
                            technologist.get(&path).await.expect(200)["study"],
                            before,
                            "{from} to {to}"
                        );
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn texts_are_changed_and_counted_and_what_is_left_out_stays() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let path = format!("/api/studies/{}", id(&study));
    let change = json!({"performingPhysician": "Dr. Ray", "operatorName": "Ops", "stationName": "CT-2", "studyDescription": "Thorax"});

    let reply = hospital.technologist().patch(&path, change.clone()).await;
    assert_eq!(reply.header("etag"), "\"2\"");
    let changed = reply.expect(200)["study"].take();
    for (name, value) in change.as_object().unwrap() {
        assert_eq!(&changed[name], value);
    }
    let moved =
        hospital.radiologist().patch(&path, json!({"stationName": "CT-3", "status": "ARRIVED"})).await;
    let moved = moved.expect(200)["study"].take();
    assert_eq!((&moved["stationName"], &moved["operatorName"]), (&json!("CT-3"), &json!("Ops")));
    assert_eq!(
        (&moved["status"], &moved["version"], &moved["patientName"]),
        (&json!("ARRIVED"), &json!(3), &json!("Doe^Jane"))
    );
}

#[tokio::test]
async fn every_fault_is_named_at_once() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let path = format!("/api/studies/{}", id(&study));
    let technologist = hospital.technologist();
    let wrong = json!({
        "performingPhysician": 1, "operatorName": "", "stationName": "x".repeat(257), "studyDescription": {},
        "status": "DONE", "reason": " ", "patientName": "Roe^Richard", "numberOfSeries": 4,
    });
    assert_snapshot!(technologist.patch(&path, wrong).await.expect_invalid(), @r"
    performingPhysician must be a string
    operatorName must not be empty
    stationName must be at most 256 characters
    studyDescription must be a string
    status must be one of SCHEDULED ARRIVED IN_PROGRESS COMPLETED PRELIMINARY FINAL CANCELLED
    reason must not be empty
    numberOfSeries is not a field that can be set here
    patientName is not a field that can be set here
    ");
    assert_snapshot!(technologist.patch(&path, json!({})).await.expect_invalid(), @"body must change something: a text or the status");
    for without_a_step in [json!({"reason": "None"}), json!({"stationName": "CT-2", "reason": "None"})] {
        let refused = technologist.patch(&path, without_a_step).await;
        assert_eq!(refused.expect_invalid(), "reason belongs to a step: send status with it\n");
    }
    assert_snapshot!(technologist.patch(&format!("{path}/status"), json!({"stationName": "CT-2"})).await.expect_invalid(), @r"
    status is required
    stationName is not a field that can be set here
    ");
}

#[tokio::test]
async fn only_the_version_that_was_read_is_changed() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    for path in [format!("/api/studies/{}", id(&study)), format!("/api/studies/{}/status", id(&study))] {
        let version = hospital
            .technologist()
            .get(&format!("/api/studies/{}", id(&study)))
            .await
            .header("etag")
            .to_owned();
        let patch = |etag: &str, status: &str| {
            let request = hospital.technologist().request(Method::PATCH, &path).header("if-match", etag);
            Reply::of(request.json(&json!({"status": status, "reason": "Not here"})))
        };
        patch(&version, "ARRIVED").await.expect(200);
        let stale = patch(&version, "SCHEDULED").await;
        stale.expect_refusal(412, "stale_version");
        let current = stale.header("etag").to_owned();
        assert_ne!(current, version);
        patch(&current, "SCHEDULED").await.expect(200);
    }
}

#[tokio::test]
async fn an_image_that_arrives_is_no_change_of_what_was_read() {
    let hospital = Hospital::open().await;
    let study = hospital.scanned_study().await;
    hospital.scans(&study).await;
    let read =
        hospital.technologist().get(&format!("/api/studies/{}", id(&study))).await.expect(200)["study"]
            .take();
    assert_eq!((&read["numberOfInstances"], &read["version"]), (&json!(2), &study["version"]));
}

#[tokio::test]
async fn a_study_without_an_image_is_not_completed() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let technologist = hospital.technologist();
    technologist.moves(&study, "IN_PROGRESS").await.expect(200);
    technologist.moves(&study, "COMPLETED").await.expect_refusal(409, "study_has_no_images");
    hospital.scans(&study).await;
    technologist.moves(&study, "COMPLETED").await.expect(200);
}

#[tokio::test]
async fn a_study_with_a_report_is_not_reopened() {
    let hospital = Hospital::open().await;
    let study = study_in(&hospital, "COMPLETED").await;
    let report = hospital.reports(&study, "PRELIMINARY").await;
    let reopen = async || {
        let reopen = json!({"status": "IN_PROGRESS", "reason": "A view is missing"});
        hospital.technologist().patch(&format!("/api/studies/{}", id(&study)), reopen).await
    };
    reopen().await.expect_illegal_step("study_transition_not_allowed", "PRELIMINARY", &[]);
    hospital.radiologist().delete(&format!("/api/reports/{}", id(&report))).await.expect_status(204);
    reopen().await.expect(200);
}

/// The order of a study, as it is now.
async fn order_of(hospital: &Hospital, study: &Value) -> Value {
    let path = format!("/api/imaging-orders/{}", study["orderId"].as_str().unwrap());
    hospital.technologist().get(&path).await.expect(200)["order"].take()
}

#[tokio::test]
async fn the_order_follows_its_studies_and_the_last_one_completes_it() {
    let hospital = Hospital::open().await;
    let technologist = hospital.technologist();
    let order = hospital.provider().places(ct_chest()).await;
    let (first, second) = (technologist.registers(&order).await, technologist.registers(&order).await);
    assert_eq!(order_of(&hospital, &first).await["status"], "SCHEDULED");
    technologist.moves(&first, "ARRIVED").await.expect(200);
    assert_eq!(order_of(&hospital, &first).await["status"], "SCHEDULED");
    hospital.scans(&first).await;
    assert_eq!(order_of(&hospital, &first).await["status"], "IN_PROGRESS");
    technologist.moves(&first, "COMPLETED").await.expect(200);
    assert_eq!(order_of(&hospital, &first).await["status"], "IN_PROGRESS");
    hospital.scans(&second).await;
    technologist.moves(&second, "COMPLETED").await.expect(200);
    let completed = order_of(&hospital, &first).await;
    assert_eq!(completed["status"], "COMPLETED");

    // Reopened with its reason, and completed again.
    let reopen = json!({"status": "IN_PROGRESS", "reason": "A view is missing"});
    technologist.patch(&format!("/api/studies/{}", id(&second)), reopen).await.expect(200);
    let reopened = order_of(&hospital, &first).await;
    assert_eq!(reopened["status"], "IN_PROGRESS");
    assert!(reopened["version"].as_u64() > completed["version"].as_u64());
    technologist.moves(&second, "COMPLETED").await.expect(200);
    assert_eq!(order_of(&hospital, &first).await["status"], "COMPLETED");

    // Not once a report of any of its studies is signed.
    hospital.reports(&first, "FINAL").await;
    let reopen = json!({"status": "IN_PROGRESS", "reason": "Another view is missing"});
    let refused = technologist.patch(&format!("/api/studies/{}", id(&second)), reopen).await;
    refused.expect_refusal(409, "order_report_signed");
    assert_eq!(order_of(&hospital, &first).await["status"], "COMPLETED");
}

#[tokio::test]
async fn a_cancelled_study_may_have_been_the_last_that_was_open() {
    let hospital = Hospital::open().await;
    let technologist = hospital.technologist();
    let order = hospital.provider().places(ct_chest()).await;
    let (first, second) = (technologist.registers(&order).await, technologist.registers(&order).await);
    hospital.scans(&first).await;
    technologist.moves(&first, "COMPLETED").await.expect(200);
    technologist.moves(&second, "CANCELLED").await.expect(200);
    assert_eq!(order_of(&hospital, &first).await["status"], "COMPLETED");

    // An order whose only study is cancelled waits for another.
    let study = hospital.registered_study().await;
    technologist.moves(&study, "CANCELLED").await.expect(200);
    assert_eq!(order_of(&hospital, &study).await["status"], "SCHEDULED");
}

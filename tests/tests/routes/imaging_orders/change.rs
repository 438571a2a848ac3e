use insta::assert_snapshot;
use reqwest::Method;
use serde_json::json;
use tests::{
    Hospital, Reply,
    hospital::{ct_chest, id},
};

use crate::machine::{Machine, Step};

/// The order's machine, as the contract writes it.
const MACHINE: &str = "
    PENDING: SCHEDULED, IN_PROGRESS, ON_HOLD, CANCELLED
    SCHEDULED: IN_PROGRESS, PENDING (r), ON_HOLD, CANCELLED
    ON_HOLD: PENDING, SCHEDULED, IN_PROGRESS, CANCELLED
    IN_PROGRESS: COMPLETED, CANCELLED (r)
    COMPLETED: IN_PROGRESS (r)
    CANCELLED:
";

/// The code by which a client tells which step it was that is not there.
fn code_of(to: &str) -> &'static str {
    match to {
        "PENDING" => "order_not_returnable",
        "SCHEDULED" => "order_not_schedulable",
        "IN_PROGRESS" => "order_not_startable",
        "COMPLETED" => "order_not_completable",
        "CANCELLED" => "order_not_cancellable",
        _ => "order_not_holdable",
    }
}

/// An order in a status, with a completed study so that nothing but the machine stands in the way.
async fn order_in(hospital: &Hospital, status: &str) -> String {
    let study = hospital.registered_study().await;
    let order = study["orderId"].as_str().unwrap().to_owned();
    hospital
        .execute(&format!(
            "update imaging.studies set status = 'COMPLETED', number_of_instances = 1 where id = '{}';
             update imaging.orders set status = '{status}' where id = '{order}'",
            id(&study)
        ))
        .await;
    format!("/api/imaging-orders/{order}")
}

#[tokio::test]
async fn an_order_takes_the_steps_of_the_contract_and_no_other() {
    let hospital = Hospital::open().await;
    let service = hospital.service();
    let machine = Machine::read(MACHINE);
    for from in machine.statuses() {
        for to in machine.statuses() {
            let order = order_in(&hospital, from).await;
            let before = service.get(&order).await.expect(200)["order"].take();
            let bare = service.patch(&order, json!({"status": to})).await;
            match machine.step(from, to) {
                Step::Free => {
                    let changed = bare.expect(200)["order"].take();
                    assert_eq!(changed["status"], to, "{from} to {to}");
                    assert_eq!(
                        changed["version"].as_u64(),
                        before["version"].as_u64().map(|version| version + 1)
                    );
                    continue;
                }
                Step::WithReason => {
                    assert_eq!(bare.expect_invalid(), "reason is required for this step\n", "{from} to {to}");
                    assert_eq!(service.get(&order).await.expect(200)["order"], before, "{from} to {to}");
                    let reasoned = service.patch(&order, json!({"status": to, "reason": "No-show"})).await;
                    let changed = reasoned.expect(200)["order"].take();
                    assert_eq!(
                        (&changed["status"], &changed["statusReason"]),
                        (&json!(to), &json!("No-show"))
                    );
                }
                Step::Never => {
                    bare.expect_illegal_step(code_of(to), from, &machine.targets(from));
                    let reasoned = service.patch(&order, json!({"status": to, "reason": "No-show"})).await;
                    reasoned.expect_illegal_step(code_of(to), from, &machine.targets(from));
                    assert_eq!(service.get(&order).await.expect(200)["order"], before, "{from} to {to}");
                }
            }
        }
    }
}

#[tokio::test]
async fn cancelling_by_delete_follows_the_same_machine() {
    let hospital = Hospital::open().await;
    let service = hospital.service();
    let machine = Machine::read(MACHINE);
    for from in machine.statuses() {
        let order = order_in(&hospital, from).await;
        let bare = service.delete(&order).await;
        match machine.step(from, "CANCELLED") {
            Step::Free => assert_eq!(bare.expect(200)["order"]["status"], "CANCELLED", "{from}"),
            Step::WithReason => {
                assert_eq!(bare.expect_invalid(), "reason is required for this step\n", "{from}")
            }
            Step::Never => bare.expect_illegal_step("order_not_cancellable", from, &machine.targets(from)),
        }
    }
}

#[tokio::test]
async fn what_may_be_changed_is_changed_and_counted() {
    let hospital = Hospital::open().await;
    let mut order = ct_chest();
    order["instructions"] = json!("Supine");
    let order = hospital.provider().places(order).await;
    let path = format!("/api/imaging-orders/{}", id(&order));

    let reply = hospital.provider().patch(&path, json!({"priority": "STAT", "instructions": "Prone"})).await;
    assert_eq!(reply.header("etag"), "\"2\"");
    let changed = reply.expect(200)["order"].take();
    assert_eq!((&changed["priority"], &changed["instructions"]), (&json!("STAT"), &json!("Prone")));
    assert_eq!(changed["clinicalIndication"], order["clinicalIndication"]);

    let scheduled = json!({"status": "SCHEDULED", "scheduledAt": "2026-12-24T08:00:00Z"});
    let changed = hospital.scheduler().patch(&path, scheduled).await.expect(200)["order"].take();
    assert_eq!(
        (&changed["status"], &changed["scheduledAt"]),
        (&json!("SCHEDULED"), &json!("2026-12-24T08:00:00.000Z"))
    );
    assert_eq!(changed["version"], 3);

    // Null clears what may be empty, and only that.
    let cleared = hospital.scheduler().patch(&path, json!({"scheduledAt": null, "instructions": null})).await;
    let cleared = cleared.expect(200)["order"].take();
    assert!(cleared["scheduledAt"].is_null() && cleared["instructions"].is_null(), "{cleared}");
    assert_eq!(hospital.provider().get(&path).await.expect(200)["order"]["priority"], "STAT");
}

#[tokio::test]
async fn every_fault_is_named_at_once() {
    let hospital = Hospital::open().await;
    let order = hospital.provider().places(ct_chest()).await;
    let path = format!("/api/imaging-orders/{}", id(&order));
    let service = hospital.service();
    let wrong = json!({
        "priority": "HIGH", "status": "DONE", "scheduledAt": 5, "instructions": "", "reason": [], "patientId": "MRN-2",
        "accessionNumber": "ACC-9",
    });
    assert_snapshot!(service.patch(&path, wrong).await.expect_invalid(), @r"
    priority must be one of STAT URGENT ROUTINE
    status must be one of PENDING SCHEDULED IN_PROGRESS COMPLETED CANCELLED ON_HOLD
    scheduledAt must be a string
    instructions must not be empty
    reason must be a string
    accessionNumber is not a field that can be set here
    patientId is not a field that can be set here
    ");
    let reasons = [json!({"reason": "None"}), json!({"priority": "STAT", "status": null, "reason": "None"})];
    for without_a_step in reasons {
        let refused = service.patch(&path, without_a_step).await;
        assert_eq!(refused.expect_invalid(), "reason belongs to a step: send status with it\n");
    }
    assert_snapshot!(service.patch(&path, json!({"priority": null})).await.expect_invalid(), @"body must change something: priority, status, scheduledAt or instructions");
}

#[tokio::test]
async fn only_the_version_that_was_read_is_changed() {
    let hospital = Hospital::open().await;
    let order = hospital.provider().places(ct_chest()).await;
    let path = format!("/api/imaging-orders/{}", id(&order));
    let patch = |etag: &str| {
        hospital
            .provider()
            .request(Method::PATCH, &path)
            .header("if-match", etag)
            .json(&json!({"priority": "STAT"}))
    };
    Reply::of(patch("\"1\"")).await.expect(200);
    let stale = Reply::of(patch("\"1\"")).await;
    stale.expect_refusal(412, "stale_version");
    assert_eq!(stale.header("etag"), "\"2\"");
    Reply::of(patch("*")).await.expect(200);
    // Of several, one has to be the current one. A weak one never is (RFC 9110 13.1.1).
    Reply::of(patch("\"1\", \"3\"")).await.expect(200);
    Reply::of(patch("W/\"1\" , \"4\",\"9\"")).await.expect(200);
    for stale in ["\"1\", \"4\"", "W/\"5\"", "\"4\",W/\"5\"", "\"-5\""] {
        let refused = Reply::of(patch(stale)).await;
        refused.expect_refusal(412, "stale_version");
        assert_eq!(refused.header("etag"), "\"5\"", "{stale}");
    }
    Reply::of(patch("\"4\"").header("if-match", "\"5\"")).await.expect(200);
    for none in
        ["3", "", "\"x\"", "\"6", "W/6", "*, \"6\"", "\"6\" \"6\"", "\"6\",", "\"99999999999999999999\""]
    {
        assert_eq!(
            Reply::of(patch(none)).await.expect_malformed(),
            "If-Match must be an ETag that this service gave\n",
            "{none}"
        );
    }
    // A stale version says so before the machine is asked.
    let late = hospital
        .service()
        .request(Method::PATCH, &path)
        .header("if-match", "\"1\"")
        .json(&json!({"status": "COMPLETED"}));
    Reply::of(late).await.expect_refusal(412, "stale_version");
}

#[tokio::test]
async fn an_order_is_completed_when_its_studies_are() {
    let hospital = Hospital::open().await;
    let service = hospital.service();
    let order = service.places(ct_chest()).await;
    let path = format!("/api/imaging-orders/{}", id(&order));
    let complete = async || service.patch(&path, json!({"status": "COMPLETED"})).await;
    service.patch(&path, json!({"status": "IN_PROGRESS"})).await.expect(200);

    complete().await.expect_refusal(409, "order_studies_open");
    let (first, second) = (service.registers(&order).await, service.registers(&order).await);
    for (study, status, completes) in [
        (&first, "COMPLETED", false),
        (&second, "ARRIVED", false),
        (&second, "IN_PROGRESS", false),
        (&second, "CANCELLED", true),
    ] {
        hospital
            .execute(&format!("update imaging.studies set status = '{status}' where id = '{}'", id(study)))
            .await;
        let reply = complete().await;
        if completes {
            assert_eq!(reply.expect(200)["order"]["status"], "COMPLETED");
        } else {
            reply.expect_refusal(409, "order_studies_open");
        }
    }
}

#[tokio::test]
async fn a_completed_order_is_reopened_while_no_report_is_signed() {
    let hospital = Hospital::open().await;
    for (report, reopens) in
        [("PRELIMINARY", true), ("FINAL", false), ("AMENDED", false), ("CORRECTED", false)]
    {
        let study = hospital.registered_study().await;
        hospital.completes(&study).await;
        hospital.reports(&study, report).await;
        let order = study["orderId"].as_str().unwrap();
        hospital
            .execute(&format!("update imaging.orders set status = 'COMPLETED' where id = '{order}'"))
            .await;
        let reopen = json!({"status": "IN_PROGRESS", "reason": "A view is missing"});
        let reply = hospital.technologist().patch(&format!("/api/imaging-orders/{order}"), reopen).await;
        if reopens {
            assert_eq!(reply.expect(200)["order"]["status"], "IN_PROGRESS", "{report}");
        } else {
            reply.expect_refusal(409, "order_report_signed");
        }
    }
}

#[tokio::test]
async fn each_step_needs_the_right_for_it() {
    let hospital = Hospital::open().await;
    let machine = Machine::read(MACHINE);
    for (role, may) in [
        ("provider", vec!["CANCELLED"]),
        ("scheduler", vec!["PENDING", "SCHEDULED", "ON_HOLD", "CANCELLED"]),
        ("technologist", vec!["IN_PROGRESS", "COMPLETED", "CANCELLED"]),
        ("radiologist", vec!["IN_PROGRESS", "COMPLETED", "CANCELLED"]),
        ("service", vec!["PENDING", "SCHEDULED", "ON_HOLD", "IN_PROGRESS", "COMPLETED", "CANCELLED"]),
    ] {
        let actor = hospital.somebody(role);
        for to in machine.statuses() {
            let order = order_in(&hospital, if to == "COMPLETED" { "IN_PROGRESS" } else { "ON_HOLD" }).await;
            let order = if to == "ON_HOLD" { order_in(&hospital, "PENDING").await } else { order };
            let reply = actor.patch(&order, json!({"status": to, "reason": "Asked to"})).await;
            if may.contains(&to) {
                assert_eq!(reply.expect(200)["order"]["status"], to, "{role}");
            } else {
                reply.expect_refusal(403, "forbidden");
            }
        }
    }
}

#[tokio::test]
async fn a_patient_changes_nothing() {
    let hospital = Hospital::open().await;
    let order = hospital.provider().places(ct_chest()).await;
    let path = format!("/api/imaging-orders/{}", id(&order));
    for change in
        [json!({"priority": "STAT"}), json!({"status": "CANCELLED"}), json!({"instructions": "Please hurry"})]
    {
        hospital.patient("MRN-1").patch(&path, change).await.expect_refusal(403, "forbidden");
    }
}

//! A life depends on it: a provider or a radiologist reads beyond facility and own orders, and it is told.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Actor, Hospital, Reply,
    hospital::{ct_chest, id},
};

const WHY: &str = "Unconscious in the emergency room";

/// What is of another facility, and was ordered by another provider.
struct Elsewhere {
    order: String,
    study: String,
    image: String,
    report: Value,
    finding: Value,
}

async fn quiet() -> Hospital {
    Hospital::open_with(|settings| settings.timers.clear()).await
}

async fn elsewhere(hospital: &Hospital) -> Elsewhere {
    let service = hospital.service();
    let mut order = ct_chest();
    order["facilityId"] = json!("fac-2");
    order["providerId"] = json!("provider-9");
    let order = service.places(order).await;
    let study = service.registers(&order).await;
    let instance = json!({"seriesInstanceUID": "1.2.3", "sopInstanceUID": "1.2.3.4", "seriesNumber": 1, "instanceNumber": 1});
    let images = format!("/api/studies/{}/images", id(&study));
    let image = service.post(&images, instance).await.expect(201)["image"].take();
    hospital.execute("update imaging.images set status = 'STORED'").await;
    hospital.completes(&study).await;
    let report = hospital.reports(&study, "FINAL").await;
    let finding = hospital.finds(&study, "CRITICAL").await;
    hospital.execute("delete from imaging.outbox").await;
    Elsewhere {
        order: format!("/api/imaging-orders/{}", id(&order)),
        study: format!("/api/studies/{}", id(&study)),
        image: format!("/api/images/{}", id(&image)),
        report,
        finding,
    }
}

impl Elsewhere {
    /// What may be read, with the status that provider and radiologist get without an emergency.
    fn readable(&self) -> Vec<(String, u16, u16)> {
        let report = format!("/api/reports/{}", id(&self.report));
        vec![
            (self.order.clone(), 404, 404),
            (self.study.clone(), 404, 404),
            (format!("{}/images", self.study), 404, 200),
            (format!("{}/series/1.2.3/images", self.study), 404, 200),
            (self.image.clone(), 404, 200),
            (format!("{}/url", self.image), 404, 200),
            (format!("{report}/versions/2"), 404, 200),
            (report, 404, 200),
            (format!("/api/critical-findings/{}", id(&self.finding)), 404, 200),
        ]
    }
}

async fn breaks_the_glass(actor: &Actor, method: Method, path: &str, body: Option<Value>) -> Reply {
    let request = actor.request(method, path).header("x-break-glass", WHY);
    Reply::of(match body {
        Some(body) => request.json(&body),
        None => request,
    })
    .await
}

/// The emergencies in the audit, newest first.
async fn emergencies(hospital: &Hospital) -> Vec<Value> {
    let auditor = hospital.somebody("auditor");
    let mut found = auditor.get("/api/audit-events?emergency=true&limit=100").await.expect(200);
    found["events"].as_array_mut().unwrap().drain(..).collect()
}

/// The ids of the events that the privacy officers are to be told of.
async fn told(hospital: &Hospital) -> Vec<String> {
    let told = "select string_agg(resource_id::text, ' ') from imaging.outbox
                 where topic = 'access.emergency' and resource = 'audit_event'";
    let told = hospital.sql(told).await.unwrap_or_default();
    told.split_whitespace().map(str::to_owned).collect()
}

#[tokio::test]
async fn in_an_emergency_a_provider_and_a_radiologist_read_what_is_not_theirs_and_it_is_told() {
    let hospital = quiet().await;
    let elsewhere = elsewhere(&hospital).await;
    for (actor, role) in [(hospital.provider(), "provider"), (hospital.radiologist(), "radiologist")] {
        for (path, of_provider, of_radiologist) in elsewhere.readable() {
            let status = if role == "provider" { of_provider } else { of_radiologist };
            actor.get(&path).await.expect_status(status);
            assert_eq!(emergencies(&hospital).await, Vec::<Value>::new(), "{path}");

            breaks_the_glass(&actor, Method::GET, &path, None).await.expect(200);

            let found = emergencies(&hospital).await;
            let [event] = found.as_slice() else { panic!("{role} {path}: {found:?}") };
            assert_eq!(event["outcome"], "SUCCESS", "{event}");
            assert_eq!((&event["role"], &event["emergencyReason"]), (&json!(role), &json!(WHY)), "{event}");
            assert_eq!(event["patientIds"], json!(["MRN-1"]), "{event}");
            assert_eq!(told(&hospital).await, [id(event)], "{path}");
            hospital
                .execute("delete from imaging.outbox; delete from imaging.audit_events where emergency")
                .await;
        }
    }
}

#[tokio::test]
async fn in_an_emergency_a_list_shows_everything_of_the_patient() {
    let hospital = quiet().await;
    elsewhere(&hospital).await;
    let provider = hospital.provider();
    for (path, list) in [
        ("/api/imaging-orders?patientId=MRN-1", "orders"),
        ("/api/imaging-orders/patient/MRN-1", "orders"),
        ("/api/studies?patientId=MRN-1", "studies"),
    ] {
        assert_eq!(provider.get(path).await.expect(200)[list], json!([]), "{path}");
        let shown = breaks_the_glass(&provider, Method::GET, path, None).await.expect(200);
        assert_eq!(shown[list].as_array().unwrap().len(), 1, "{path}");
        let event = emergencies(&hospital).await.remove(0);
        assert_eq!(event["patientIds"], json!(["MRN-1"]), "{event}");
        assert!(told(&hospital).await.contains(&id(&event).to_owned()));
    }
}

#[tokio::test]
async fn an_emergency_allows_no_change_and_the_attempt_is_told_to_nobody() {
    let hospital = quiet().await;
    let elsewhere = elsewhere(&hospital).await;
    let report = format!("/api/reports/{}", id(&elsewhere.report));
    let mut tried = 0;
    for actor in [hospital.provider(), hospital.radiologist()] {
        for (method, path, body) in [
            (Method::POST, "/api/imaging-orders", ct_chest()),
            (Method::PATCH, &*elsewhere.order, json!({"priority": "STAT"})),
            (Method::DELETE, &elsewhere.order, json!({"reason": "x"})),
            (Method::PATCH, &elsewhere.study, json!({"stationName": "x"})),
            (
                Method::PATCH,
                &format!("{}/status", elsewhere.study),
                json!({"status": "CANCELLED", "reason": "x"}),
            ),
            (Method::POST, &format!("{}/images", elsewhere.study), json!({})),
            (Method::PATCH, &format!("{}/metadata", elsewhere.image), json!({"metadata": {}})),
            (Method::DELETE, &elsewhere.image, json!({})),
            (Method::POST, "/api/uploads", json!({})),
            (Method::POST, "/api/reports", json!({})),
            (Method::PATCH, &report, json!({"technique": "x"})),
            (Method::POST, &format!("{report}/sign"), json!({})),
            (Method::POST, &format!("{report}/amend"), json!({"amendmentReason": "x"})),
            (Method::DELETE, &report, json!({})),
            (Method::POST, "/api/critical-findings", json!({})),
            (
                Method::POST,
                &format!("/api/critical-findings/{}/acknowledge", id(&elsewhere.finding)),
                json!({}),
            ),
        ] {
            let reply = breaks_the_glass(&actor, method.clone(), path, Some(body)).await;
            assert_eq!(reply.status, 403, "{method} {path}: {reply}");
            reply.expect_refusal(403, "forbidden");
            tried += 1;
        }
    }
    let found = emergencies(&hospital).await;
    assert_eq!(found.len(), tried);
    for event in &found {
        assert_eq!((&event["outcome"], &event["code"]), (&json!("REFUSED"), &json!("forbidden")), "{event}");
        assert_eq!(event["emergencyReason"], WHY, "{event}");
    }
    assert_eq!(told(&hospital).await, Vec::<String>::new());
    let kept =
        hospital.sql("select string_agg(sealed::text, ' ') from imaging.audit_events where emergency").await;
    assert!(!kept.unwrap().contains("Unconscious"));
}

#[tokio::test]
async fn nobody_else_breaks_the_glass_not_even_to_what_is_theirs() {
    let hospital = quiet().await;
    let order = hospital.provider().places(ct_chest()).await;
    let path = format!("/api/imaging-orders/{}", id(&order));
    let roles =
        ["scheduler", "technologist", "service", "patient", "admin", "system_admin", "auditor", "superuser"];
    for role in roles {
        let actor = hospital.somebody_with(role, |claims| claims.patient_id = Some("MRN-1".to_owned()));
        breaks_the_glass(&actor, Method::GET, &path, None).await.expect_refusal(403, "forbidden");
        breaks_the_glass(&actor, Method::GET, "/api/audit-events", None)
            .await
            .expect_refusal(403, "forbidden");
    }
    let found = emergencies(&hospital).await;
    assert_eq!(found.len(), 2 * roles.len());
    assert!(
        found.iter().all(|event| event["outcome"] == "REFUSED" && event["emergencyReason"] == WHY),
        "{found:?}"
    );
    assert_eq!(told(&hospital).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_emergency_never_crosses_organizations() {
    let hospital = quiet().await;
    let elsewhere = elsewhere(&hospital).await;
    let stranger = hospital.stranger();
    for (path, ..) in elsewhere.readable() {
        breaks_the_glass(&stranger, Method::GET, &path, None).await.expect_refusal(404, "not_found");
    }
    let list = breaks_the_glass(&stranger, Method::GET, "/api/imaging-orders?patientId=MRN-1", None).await;
    assert_eq!(list.expect(200)["orders"], json!([]));

    assert_eq!(emergencies(&hospital).await, Vec::<Value>::new());
    let theirs = "select count(*)::text from imaging.audit_events
                   where organization = 'org-2' and emergency and outcome = 'REFUSED' and patient_ids = '{}'";
    assert_eq!(hospital.sql(theirs).await, Some(elsewhere.readable().len().to_string()));
}

#[tokio::test]
async fn an_emergency_has_a_reason_that_can_be_read() {
    let hospital = quiet().await;
    let order = hospital.provider().places(ct_chest()).await;
    let path = format!("/api/imaging-orders/{}", id(&order));
    let give = |reason: &[u8]| {
        Reply::of(hospital.provider().request(Method::GET, &path).header("x-break-glass", reason))
    };
    for (reason, fault) in [
        (Vec::new(), "x-break-glass must not be empty\n"),
        (b"   ".to_vec(), "x-break-glass must not be empty\n"),
        (vec![b'x'; 257], "x-break-glass must be at most 256 characters\n"),
        (vec![0xff, 0xfe], "x-break-glass must be UTF-8 text\n"),
    ] {
        assert_eq!(give(&reason).await.expect_malformed(), fault);
    }
    assert_eq!(emergencies(&hospital).await, Vec::<Value>::new());

    let reason = "Bewusstlos in der Notaufnahme, Höhe unklar";
    give(reason.as_bytes()).await.expect(200);
    assert_eq!(emergencies(&hospital).await.remove(0)["emergencyReason"], reason);
}

//! What holds of all of `/fhir`: who may ask, and how a failure is told.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Hospital, Reply, hospital::id};

use super::{acts, communication, ehr, other_ehr, patient, request};

/// Each endpoint that takes a token, with what it would accept.
async fn endpoints(hospital: &Hospital) -> Vec<(Method, String, Option<Value>)> {
    let study = hospital.completed_study().await;
    let report = hospital.reports(&study, "FINAL").await;
    let finding = hospital.finds(&study, "LOW").await;
    let order = study["orderId"].as_str().unwrap();
    let get = |path: String| (Method::GET, path, None);
    let post = |path: &str, body: Value| (Method::POST, path.to_owned(), Some(body));
    vec![
        get("/fhir/ServiceRequest".to_owned()),
        get(format!("/fhir/ServiceRequest/{order}")),
        get("/fhir/ImagingStudy".to_owned()),
        get(format!("/fhir/ImagingStudy/{}", id(&study))),
        get("/fhir/DiagnosticReport".to_owned()),
        get(format!("/fhir/DiagnosticReport/{}", id(&report))),
        post("/fhir/ServiceRequest", request("E-1")),
        post("/fhir/Patient", patient("MRN-1")),
        post("/fhir/Communication", communication(&finding)),
    ]
}

fn ask(actor: &tests::Actor, method: &Method, path: &str, body: Option<&Value>) -> reqwest::RequestBuilder {
    let request = actor.request(method.clone(), path);
    match body {
        Some(body) => request.header("content-type", "application/fhir+json").body(body.to_string()),
        None => request,
    }
}

#[tokio::test]
async fn only_another_system_of_the_organization_gets_in() {
    let hospital = Hospital::open().await;
    let endpoints = endpoints(&hospital).await;
    for (method, path, body) in &endpoints {
        let nobody = Reply::of(ask(&hospital.anonymous(), method, path, body.as_ref())).await;
        assert!(nobody.expect_outcome(401, "unauthenticated").starts_with("login "), "{nobody}");
        assert_eq!(nobody.header("www-authenticate"), "Bearer");
        for role in [
            "provider",
            "scheduler",
            "technologist",
            "radiologist",
            "patient",
            "admin",
            "system_admin",
            "auditor",
        ] {
            let refused = Reply::of(ask(&hospital.somebody(role), method, path, body.as_ref())).await;
            refused.expect_outcome(403, "forbidden");
        }
        // The glass is broken by people, not by systems.
        let broken = ask(&ehr(&hospital), method, path, body.as_ref())
            .header("x-break-glass", "Unconscious in the emergency room");
        Reply::of(broken).await.expect_outcome(403, "forbidden");
    }
    let refused = acts(&hospital, "fhir.exchange").await;
    assert!(refused.iter().any(|act| act.starts_with("provider-1 fhir.exchange REFUSED")), "{refused:?}");
    for (method, path, body) in &endpoints {
        let named = method == Method::GET && path.matches('/').count() == 3;
        let other = Reply::of(ask(&other_ehr(&hospital), method, path, body.as_ref())).await;
        if named || path == "/fhir/Communication" {
            other.expect_outcome(404, "not_found");
        } else {
            assert!(!other.text.contains(id(&json!({"id": "org-1"}))), "{other}");
        }
        let reply = Reply::of(ask(&ehr(&hospital), method, path, body.as_ref())).await;
        assert!([200, 201].contains(&reply.status), "{method} {path}: {reply}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_told_as_an_outcome() {
    let hospital = Hospital::open().await;
    let ehr = ehr(&hospital);
    for (method, path, body) in endpoints(&hospital).await {
        let unknown = ehr.request(method.clone(), &format!("{path}?colour=red"));
        if method == Method::GET {
            let told = Reply::of(unknown).await.expect_outcome(400, "malformed_request");
            assert_eq!(told, "structure colour is not a parameter here\n", "{path}");
            let format =
                Reply::of(ehr.request(method.clone(), &format!("{path}?_format=application/fhir%2Bjson")))
                    .await;
            format.expect_status(200);
        }
        if path.matches('/').count() == 3 {
            let kind = path.rsplit_once('/').unwrap().0;
            let none = ehr.get(&format!("{kind}/7")).await.expect_outcome(400, "malformed_request");
            assert_eq!(none, "structure id must be a UUID\n");
            ehr.get(&format!("{kind}/019a3b1c-7e00-7abc-8def-0123456789ab"))
                .await
                .expect_outcome(404, "not_found");
        }
        for other in ["PUT", "PATCH", "DELETE", "OPTIONS"] {
            let reply = Reply::of(ehr.request(other.parse().unwrap(), &path)).await;
            assert!(reply.expect_outcome(405, "method_not_allowed").starts_with("not-supported "), "{reply}");
        }
        let Some(body) = body else { continue };
        for (sent, status, code) in [
            ("{", 400, "malformed_request"),
            ("[]", 400, "malformed_request"),
            ("null", 400, "malformed_request"),
            ("", 400, "malformed_request"),
            ("{\"a\":1,\"a\":2}", 400, "malformed_request"),
            ("{}", 422, "invalid"),
            ("{\"resourceType\":\"Observation\"}", 422, "invalid"),
            ("{\"resourceType\":\"Patient\",\"a\":\"\\u0000\"}", 422, "invalid"),
        ] {
            let request =
                ehr.request(Method::POST, &path).header("content-type", "application/fhir+json").body(sent);
            Reply::of(request).await.expect_outcome(status, code);
        }
        let plain =
            ehr.request(Method::POST, &path).header("content-type", "text/plain").body(body.to_string());
        Reply::of(plain).await.expect_outcome(415, "not_json");
        let large = ehr.request(Method::POST, &path).json(&json!({"text": "x".repeat(1024 * 1024)}));
        Reply::of(large).await.expect_outcome(413, "body_too_large");
    }
    for path in ["/fhir", "/fhir/Observation", "/fhir/ServiceRequest/1/2"] {
        ehr.get(path).await.expect_outcome(404, "not_found");
    }
}

//! What holds wherever one asks: tokens, ids, bodies, methods, and the headers of every reply.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use local::token::Claims;
use reqwest::{Body, Method};
use serde_json::{Value, json};
use tests::{
    Actor, Hospital, Reply,
    contract::{Contract, Operation},
    dicom,
    hospital::id,
};

/// Every endpoint that a person uses. A name in braces is filled in with a thing that is there.
pub(crate) const ENDPOINTS: &str = "
    GET    /api/imaging-orders
    POST   /api/imaging-orders
    GET    /api/imaging-orders/{order}
    PATCH  /api/imaging-orders/{order}
    DELETE /api/imaging-orders/{order}
    GET    /api/imaging-orders/patient/MRN-1
    GET    /api/studies
    POST   /api/studies
    GET    /api/studies/{study}
    PATCH  /api/studies/{study}
    PATCH  /api/studies/{study}/status
    GET    /api/studies/accession/{accession}
    GET    /api/studies/{study}/images
    POST   /api/studies/{study}/images
    GET    /api/studies/{study}/series/1.2.3/images
    GET    /api/images/{image}
    DELETE /api/images/{image}
    GET    /api/images/{image}/url
    PATCH  /api/images/{image}/metadata
    POST   /api/reports
    GET    /api/reports/{report}
    PATCH  /api/reports/{report}
    DELETE /api/reports/{report}
    GET    /api/reports/{report}/versions/1
    POST   /api/reports/{report}/sign
    POST   /api/reports/{report}/amend
    GET    /api/reports/study/{study}
    GET    /api/reports/radiologist/radiologist-1
    GET    /api/critical-findings
    POST   /api/critical-findings
    GET    /api/critical-findings/{finding}
    PATCH  /api/critical-findings/{finding}
    POST   /api/critical-findings/{finding}/decline
    POST   /api/critical-findings/{finding}/acknowledge
    GET    /api/critical-findings/pending
    GET    /api/critical-findings/metrics
    GET    /api/critical-findings/study/{study}
    GET    /api/critical-findings/severity/HIGH
    GET    /api/finding-rules
    PUT    /api/finding-rules
    POST   /api/finding-rules/dry-run
    GET    /api/settings/critical-results
    PUT    /api/settings/critical-results
    POST   /api/uploads
    GET    /api/ingest
    GET    /api/ingest/{upload}
    POST   /api/ingest/{held}/resolve
    GET    /api/settings/ingest
    PUT    /api/settings/ingest
    GET    /api/audit-events
    GET    /api/deliveries
    POST   /api/deliveries/{delivery}/retry
";

/// The paths of FHIR. How they are answered is tested in routes/fhir.
const FHIR: &str = "
    GET  /fhir/metadata
    GET  /fhir/ServiceRequest
    POST /fhir/ServiceRequest
    GET  /fhir/ServiceRequest/{order}
    GET  /fhir/ImagingStudy
    GET  /fhir/ImagingStudy/{study}
    GET  /fhir/DiagnosticReport
    GET  /fhir/DiagnosticReport/{report}
    POST /fhir/Patient
    POST /fhir/Communication
";

/// The paths of machines, and those that anybody may ask.
const OTHERS: &str = "
    POST    /events/blob
    OPTIONS /events/blob
    POST    /blob-created
    POST    /tasks/sweep
    POST    /tasks/seal
    POST    /tasks/dispatch
    GET     /
    GET     /health
    GET     /health/live
    GET     /openapi.json
    GET     /docs
";

pub(crate) fn endpoints(table: &str) -> Vec<(Method, String)> {
    let rows = table.lines().map(str::trim).filter(|row| !row.is_empty());
    rows.map(|row| {
        let (method, path) = row.split_once(' ').unwrap();
        (method.parse().unwrap(), path.trim().to_owned())
    })
    .collect()
}

/// A body that the endpoint would accept.
pub(crate) fn body_for(method: &Method, path: &str, names: &Names) -> Value {
    match (method.as_str(), path) {
        ("POST", "/api/imaging-orders") => tests::hospital::ct_chest(),
        ("PATCH", "/api/imaging-orders/{order}") => json!({"priority": "STAT"}),
        ("POST", "/api/studies") => tests::actor::study_of(&names.order),
        ("PATCH", "/api/studies/{study}") => json!({"stationName": "CT-2"}),
        ("PATCH", "/api/studies/{study}/status") => json!({"status": "COMPLETED"}),
        ("POST", "/api/studies/{study}/images") => {
            json!({"seriesInstanceUID": "1.2.3", "sopInstanceUID": "1.2.3.9", "seriesNumber": 1, "instanceNumber": 1})
        }
        ("PATCH", "/api/images/{image}/metadata") => json!({"metadata": {"note": "x"}}),
        ("POST", "/api/reports") => tests::actor::report_of(&json!({"id": names.report["studyId"]})),
        ("PATCH", "/api/reports/{report}") => json!({"technique": "Helical"}),
        ("POST", "/api/reports/{report}/amend") => json!({"amendmentReason": "The side was wrong"}),
        ("POST", "/api/critical-findings") => tests::actor::finding_of(&names.study, "HIGH"),
        ("PATCH", "/api/critical-findings/{finding}") => json!({"followUpStatus": "ORDERED"}),
        ("POST", "/api/critical-findings/{finding}/decline") => json!({"reason": "Not mine"}),
        ("PUT", "/api/finding-rules") => json!(domain::FindingRules::default()),
        ("POST", "/api/finding-rules/dry-run") => json!({"imageId": names.stated}),
        ("PUT", "/api/settings/critical-results") => tests::actor::critical_results(),
        ("PUT", "/api/settings/ingest") => json!({"unscheduledStudies": true, "patientIdIssuers": []}),
        ("POST", "/api/ingest/{held}/resolve") => json!({"action": "REJECT"}),
        _ => json!({}),
    }
}

/// Somebody who may use an endpoint.
pub(crate) fn user_of(hospital: &Hospital, method: &Method, path: &str) -> Actor {
    match (method.as_str(), path) {
        ("DELETE", "/api/images/{image}") | ("POST", "/api/ingest/{held}/resolve") => hospital.radiologist(),
        (_, "/api/audit-events") => hospital.somebody("auditor"),
        (_, path) if path.starts_with("/api/reports") => hospital.radiologist(),
        ("POST" | "PATCH", path) if path.starts_with("/api/critical-findings/") => hospital.provider(),
        (_, path)
            if ["/api/settings/", "/api/finding-rules", "/api/deliveries"]
                .iter()
                .any(|beginning| path.starts_with(beginning)) =>
        {
            hospital.somebody("admin")
        }
        _ => hospital.service(),
    }
}

/// Things that are there, to be named in a path.
pub(crate) struct Names {
    order: Value,
    study: Value,
    image: String,
    upload: String,
    /// Nobody ordered what it brought.
    held: String,
    /// Nobody has signed it, and it is of another study.
    report: Value,
    /// Nobody has acknowledged it, and it need not be read back.
    finding: Value,
    /// The image that is a structured report.
    stated: String,
    /// A message that was given up.
    delivery: String,
}

impl Names {
    pub(crate) async fn of(hospital: &Hospital) -> Self {
        let study = hospital.scanned_study().await;
        let order = format!("/api/imaging-orders/{}", study["orderId"].as_str().unwrap());
        let order = hospital.technologist().get(&order).await.expect(200)["order"].take();
        let ingest = hospital.technologist().get("/api/ingest").await.expect(200)["ingests"][0].take();
        let image = ingest["imageId"].as_str().unwrap().to_owned();
        let report = hospital.reports(&hospital.completed_study().await, "PRELIMINARY").await;
        let finding = hospital.finds(&study, "HIGH").await;
        let stated = id(&hospital.states(&study, "hemorrhage-absent").await).to_owned();
        let held = id(&hospital.receives(dicom::instance().write().unwrap()).await).to_owned();
        let delivery = hospital.gives_up_telling(&finding).await;
        Self { order, study, image, upload: id(&ingest).to_owned(), held, report, finding, stated, delivery }
    }

    pub(crate) fn fill(&self, path: &str) -> String {
        path.replace("{order}", id(&self.order))
            .replace("{study}", id(&self.study))
            .replace("{accession}", self.study["accessionNumber"].as_str().unwrap())
            .replace("{image}", &self.image)
            .replace("{upload}", &self.upload)
            .replace("{held}", &self.held)
            .replace("{report}", id(&self.report))
            .replace("{finding}", id(&self.finding))
            .replace("{stated}", &self.stated)
            .replace("{delivery}", &self.delivery)
    }

    /// What each id is of, as it stands in a path.
    pub(crate) fn by_id(&self) -> std::collections::BTreeMap<String, &'static str> {
        let named = [
            "{order}",
            "{study}",
            "{image}",
            "{upload}",
            "{held}",
            "{report}",
            "{finding}",
            "{stated}",
            "{delivery}",
        ];
        named.into_iter().map(|name| (self.fill(name), name)).collect()
    }
}

#[tokio::test]
async fn the_document_describes_these_endpoints_and_no_others() {
    let hospital = Hospital::open().await;
    let names = Names::of(&hospital).await;
    let contract = Contract::new(hospital.anonymous().get("/openapi.json").await.body);
    let here: BTreeSet<Operation> = endpoints(ENDPOINTS)
        .into_iter()
        .chain(endpoints(OTHERS))
        .chain(endpoints(FHIR))
        .map(|(method, path)| {
            let described = contract.path_of(&names.fill(&path));
            let path = described.unwrap_or_else(|| panic!("{path} is not described")).to_owned();
            Operation { method: method.to_string(), path }
        })
        .collect();
    assert_eq!(here, contract.operations());
}

/// Whether a path names one thing by the id that it has here.
fn names_a_thing(path: &str) -> bool {
    path.contains('{')
}

#[tokio::test]
async fn nobody_gets_in_without_a_token_and_no_bad_one_helps() {
    let hospital = Hospital::open().await;
    let names = Names::of(&hospital).await;
    let forged = Claims::new("radiologist-1", "radiologist", "org-1", 60).sign("another secret").unwrap();
    for (method, path) in endpoints(ENDPOINTS) {
        let filled = names.fill(&path);
        for actor in [hospital.anonymous(), hospital.bearer(&format!("Bearer {forged}"))] {
            let request = actor.request(method.clone(), &filled).json(&body_for(&method, &path, &names));
            let reply = Reply::of(request).await;
            reply.expect_refusal(401, "unauthenticated");
            assert_eq!(reply.header("www-authenticate"), "Bearer", "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_token_is_believed_when_everything_about_it_is_right() {
    let hospital = Hospital::open().await;
    let secret = hospital.setting("jwt_secret");
    let now = jiff::Timestamp::now().as_second();
    let right = || {
        let mut claims = Claims::new("radiologist-1", "radiologist", "org-1", 60);
        claims.facility_ids = vec!["fac-1".to_owned()];
        serde_json::to_value(claims).unwrap()
    };
    let sign = |algorithm, claims: &Value| {
        jsonwebtoken::encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret.as_bytes()))
            .unwrap()
    };
    let with = |name: &str, value: Value| {
        let mut claims = right();
        claims[name] = value;
        format!("Bearer {}", sign(Algorithm::HS256, &claims))
    };
    let without = |name: &str| {
        let mut claims = right();
        claims.as_object_mut().unwrap().remove(name);
        format!("Bearer {}", sign(Algorithm::HS256, &claims))
    };
    let good = sign(Algorithm::HS256, &right());
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = format!("{}.{}.", part(json!({"alg": "none", "typ": "JWT"})), part(right()));
    let (head, rest) = good.split_once('.').unwrap();
    let tampered = format!("{head}.{}.{}", part(json!({"role": "service"})), rest.split_once('.').unwrap().1);

    for (what, authorization) in [
        ("another algorithm for the same key", format!("Bearer {}", sign(Algorithm::HS384, &right()))),
        ("no signature", format!("Bearer {unsigned}")),
        ("other claims under the signature", format!("Bearer {tampered}")),
        ("expired", with("exp", json!(now - 120))),
        ("no end", without("exp")),
        ("not yet valid", with("nbf", json!(now + 3600))),
        ("another issuer", with("iss", json!("somebody"))),
        ("no issuer", without("iss")),
        ("another audience", with("aud", json!("billing"))),
        ("no audience", without("aud")),
        ("no organization", without("organizationId")),
        ("an empty organization", with("organizationId", json!(""))),
        ("every organization", with("organizationId", json!("*"))),
        ("no role", without("role")),
        ("nobody", without("id")),
        ("an empty id", with("id", json!(" "))),
        ("an endless id", with("id", json!("x".repeat(65)))),
        ("facilities that are none", with("facilityIds", json!([5]))),
        ("no token", "Bearer ".to_owned()),
        ("no scheme", good.clone()),
        ("another scheme", format!("Basic {good}")),
        ("rubbish", "Bearer a.b.c".to_owned()),
    ] {
        let reply = hospital.bearer(&authorization).get("/api/studies").await;
        assert_eq!(reply.status, 401, "{what}: {reply}");
        reply.expect_refusal(401, "unauthenticated");
    }
    let mut by_subject = right();
    by_subject["sub"] = by_subject["id"].take();
    for (what, authorization) in [
        ("as it should be", format!("Bearer {good}")),
        ("in lower case", format!("bearer {good}")),
        ("for several services", with("aud", json!(["billing", "imaging-service"]))),
        ("with a subject", format!("Bearer {}", sign(Algorithm::HS256, &by_subject))),
        ("just expired, clocks being what they are", with("exp", json!(now - 20))),
    ] {
        let reply = hospital.bearer(&authorization).get("/api/studies").await;
        assert_eq!(reply.status, 200, "{what}: {reply}");
    }
}

#[tokio::test]
async fn another_organizations_things_are_not_there_whoever_asks() {
    let hospital = Hospital::open().await;
    let names = Names::of(&hospital).await;
    for (method, path) in endpoints(ENDPOINTS).into_iter().filter(|(_, path)| names_a_thing(path)) {
        for role in ["radiologist", "service"] {
            // What a role may do nowhere is refused before anybody looks whether it is there.
            let may = match (method.as_str(), path.as_str()) {
                ("DELETE", "/api/images/{image}") | ("POST", "/api/ingest/{held}/resolve") => {
                    role == "radiologist"
                }
                ("POST" | "PATCH" | "DELETE", path)
                    if path.starts_with("/api/reports") || path.starts_with("/api/critical-findings") =>
                {
                    role == "radiologist"
                }
                ("PATCH", "/api/imaging-orders/{order}") => role == "service",
                // Administrators only: see routes/deliveries.
                ("POST", "/api/deliveries/{delivery}/retry") => false,
                _ => true,
            };
            if !may {
                continue;
            }
            let stranger = hospital.somebody_with(role, |claims| claims.organization_id = "org-2".to_owned());
            let request =
                stranger.request(method.clone(), &names.fill(&path)).json(&body_for(&method, &path, &names));
            let reply = Reply::of(request).await;
            assert_eq!(reply.status, 404, "{role}: {method} {path}: {reply}");
            assert!(!reply.text.contains("MRN-1"), "{reply}");
        }
    }
    for list in [
        "/api/imaging-orders",
        "/api/imaging-orders/patient/MRN-1",
        "/api/studies",
        "/api/reports/radiologist/radiologist-1",
        "/api/critical-findings",
        "/api/critical-findings/pending",
        "/api/critical-findings/severity/HIGH",
        "/api/ingest",
    ] {
        let data = hospital.stranger().get(list).await.expect(200);
        let rows = data.as_object().unwrap().values().find_map(Value::as_array).unwrap();
        assert_eq!(rows.len(), 0, "{list}");
    }
}

#[tokio::test]
async fn an_id_that_is_none_is_malformed_and_one_that_is_nobodys_is_not_there() {
    let hospital = Hospital::open().await;
    let names = Names::of(&hospital).await;
    for (method, path) in endpoints(ENDPOINTS).into_iter().filter(|(_, path)| names_a_thing(path)) {
        if path.contains("{accession}") {
            continue;
        }
        let ask = async |id: &str| {
            let filled = path
                .split('/')
                .map(|part| if part.starts_with('{') { id } else { part })
                .collect::<Vec<_>>()
                .join("/");
            let actor = user_of(&hospital, &method, &path);
            Reply::of(actor.request(method.clone(), &filled).json(&body_for(&method, &path, &names))).await
        };
        for malformed in ["7", "019a3b1c-7e00-7abc-8def-0123456789a", "MRN-1", "%20", "null"] {
            assert_eq!(
                ask(malformed).await.expect_malformed(),
                "id must be a UUID\n",
                "{method} {path} {malformed}"
            );
        }
        ask("019a3b1c-7e00-7abc-8def-0123456789ab").await.expect_refusal(404, "not_found");
    }
}

#[tokio::test]
async fn a_parameter_that_an_endpoint_does_not_know_is_malformed() {
    let hospital = Hospital::open().await;
    let names = Names::of(&hospital).await;
    for (method, path) in endpoints(ENDPOINTS).into_iter().filter(|(method, _)| method == Method::GET) {
        let reader = user_of(&hospital, &method, &path);
        let reply = reader.get(&format!("{}?colour=red", names.fill(&path))).await;
        assert_eq!(reply.expect_malformed(), "colour is not a parameter here\n", "{method} {path}");
    }
}

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_answered_with_those_it_takes() {
    let hospital = Hospital::open().await;
    let names = Names::of(&hospital).await;
    let all: Vec<(Method, String)> = endpoints(ENDPOINTS).into_iter().chain(endpoints(OTHERS)).collect();
    for (_, path) in &all {
        let mut allowed: Vec<&str> =
            all.iter().filter(|(_, other)| other == path).map(|(method, _)| method.as_str()).collect();
        allowed.sort_unstable();
        // The host answers /health/live itself, and a HEAD of it as well.
        if path == "/health/live" {
            allowed.push("HEAD");
        }
        for method in ["GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS", "TRACE", "PROPFIND"] {
            if allowed.contains(&method) {
                continue;
            }
            let reply =
                Reply::of(hospital.service().request(method.parse().unwrap(), &names.fill(path))).await;
            // To a HEAD the same is answered, but for the body.
            if method == "HEAD" {
                reply.expect_status(405);
            } else {
                reply.expect_refusal(405, "method_not_allowed");
            }
            let mut told: Vec<&str> = reply.header("allow").split(", ").collect();
            told.sort_unstable();
            assert_eq!(told, allowed, "{method} {path}");
        }
    }
}

/// The endpoints that read a body, with a role that may use them.
fn with_bodies() -> Vec<(Method, String)> {
    let reads = |method: &Method, path: &str| {
        [Method::POST, Method::PATCH, Method::PUT].contains(method)
            || path == "/api/imaging-orders/{order}" && method == Method::DELETE
    };
    endpoints(ENDPOINTS).into_iter().filter(|(method, path)| reads(method, path)).collect()
}

#[tokio::test]
async fn a_field_that_an_endpoint_does_not_know_is_refused() {
    let hospital = Hospital::open().await;
    let names = Names::of(&hospital).await;
    for (method, path) in with_bodies() {
        let mut body = body_for(&method, &path, &names);
        body["colour"] = json!("red");
        body["id"] = json!("019a3b1c-7e00-7abc-8def-0123456789ab");
        let reply = Reply::of(
            user_of(&hospital, &method, &path).request(method.clone(), &names.fill(&path)).json(&body),
        )
        .await;
        assert_eq!(
            reply.expect_invalid(),
            "colour is not a field that can be set here\nid is not a field that can be set here\n",
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_malformed() {
    let hospital = Hospital::open().await;
    let names = Names::of(&hospital).await;
    for (method, path) in with_bodies() {
        for (body, fault) in [
            ("{\"a\":1,\n }", "body is not JSON at line 2, column 2\n"),
            ("{", "body is not JSON at line 1, column 1\n"),
            ("[]", "body must be a JSON object\n"),
            ("null", "body must be a JSON object\n"),
            ("\"text\"", "body must be a JSON object\n"),
            ("{\"a\": \"\u{1}\"}", "body is not JSON at line 1, column 8\n"),
        ] {
            let request = user_of(&hospital, &method, &path)
                .request(method.clone(), &names.fill(&path))
                .header("content-type", "application/json");
            assert_eq!(
                Reply::of(request.body(body)).await.expect_malformed(),
                fault,
                "{method} {path} {body}"
            );
        }
        // What has to say something says that it is missing; a cancellation, a signature, an acknowledgement of what need
        // not be read back and another try may do without.
        let user = user_of(&hospital, &method, &path);
        let empty = Reply::of(user.request(method.clone(), &names.fill(&path))).await;
        if method == Method::DELETE {
            assert_eq!(empty.expect_invalid(), "reason is required for this step\n");
        } else if ["/sign", "/acknowledge", "/retry"].iter().any(|end| path.ends_with(end)) {
            empty.expect_status(200);
        } else {
            assert_eq!(empty.expect_malformed(), "body is missing\n", "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_read_or_not_in_one_way_only_is_malformed() {
    let hospital = Hospital::open().await;
    let names = Names::of(&hospital).await;
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth)).into_bytes();
    for (method, path) in with_bodies() {
        let send = |body: Vec<u8>| {
            let request = user_of(&hospital, &method, &path).request(method.clone(), &names.fill(&path));
            Reply::of(request.header("content-type", "application/json").body(body))
        };
        for (body, fault) in [
            (br#"{"a":1,"a":1}"#.to_vec(), "body names a member twice at line 1, column "),
            (br#"{"a":[{"b":1,"\u0062":null}]}"#.to_vec(), "body names a member twice at line 1, column "),
            (br#"{"a":1e400}"#.to_vec(), "body is not JSON at line 1, column "),
            (br#"{"a":NaN}"#.to_vec(), "body is not JSON at line 1, column "),
            (br#"{"a":"\ud800"}"#.to_vec(), "body is not JSON at line 1, column "),
            (b"{\"a\":\"\xff\"}".to_vec(), "body is not JSON at line 1, column "),
            (b"\xff\xfe{\0}\0".to_vec(), "body is not JSON at line 1, column "),
            (b"{}{}".to_vec(), "body is not JSON at line 1, column "),
            (nested(128), "body is not JSON at line 1, column "),
            (nested(400_000), "body is not JSON at line 1, column "),
        ] {
            let start: String = String::from_utf8_lossy(&body).chars().take(40).collect();
            let told = send(body).await.expect_malformed();
            assert!(told.starts_with(fault), "{method} {path} {start}: {told}");
        }
        // What is deep, and not too deep, is read.
        let deep = send(nested(126)).await.expect_invalid();
        assert!(deep.contains("a is not a field that can be set here\n"), "{method} {path}: {deep}");
    }
}

#[tokio::test]
async fn a_body_is_json_and_says_so() {
    let hospital = Hospital::open().await;
    let names = Names::of(&hospital).await;
    for (method, path) in with_bodies() {
        let body = body_for(&method, &path, &names).to_string();
        let send = |content_type: Option<&str>| {
            let user = user_of(&hospital, &method, &path);
            let request = user.request(method.clone(), &names.fill(&path)).body(body.clone());
            Reply::of(match content_type {
                Some(content_type) => request.header("content-type", content_type),
                None => request,
            })
        };
        for other in [
            None,
            Some("text/plain"),
            Some("application/x-www-form-urlencoded"),
            Some("text/json"),
            Some("application/jsonx"),
        ] {
            send(other).await.expect_refusal(415, "not_json");
        }
        for json in ["application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"] {
            let reply = send(Some(json)).await;
            assert!(![400, 415].contains(&reply.status), "{method} {path} {json}: {reply}");
        }
    }
}

#[tokio::test]
async fn a_body_over_one_mebibyte_is_too_large_however_it_is_sent() {
    let hospital = Hospital::open().await;
    let names = Names::of(&hospital).await;
    let text = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
    for (method, path) in with_bodies() {
        let send = |body: Body| {
            let request = user_of(&hospital, &method, &path)
                .request(method.clone(), &names.fill(&path))
                .header("content-type", "application/json");
            Reply::of(request.body(body))
        };
        send(text(1024 * 1024 + 1).into()).await.expect_refusal(413, "body_too_large");
        // In chunks, without a length said before.
        let chunks = futures::stream::iter(
            text(1024 * 1024 + 1)
                .into_bytes()
                .chunks(64 * 1024)
                .map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec()))
                .collect::<Vec<_>>(),
        );
        send(Body::wrap_stream(chunks)).await.expect_refusal(413, "body_too_large");
        let most = send(text(1024 * 1024).into()).await;
        assert!(most.expect_invalid().contains("a is not a field that can be set here\n"), "{method} {path}");
    }
}

#[tokio::test]
async fn every_reply_says_how_long_it_is_and_which_request_it_answers() {
    let hospital = Hospital::open().await;
    let names = Names::of(&hospital).await;
    let all = endpoints(ENDPOINTS).into_iter().chain(endpoints(OTHERS));
    // The ones that take things away come last.
    let (last, first): (Vec<_>, Vec<_>) = all.partition(|(method, _)| method == Method::DELETE);
    let mut made = Vec::new();
    for (method, path) in first.into_iter().chain(last) {
        let send = |actor: &tests::Actor, request_id: Option<&str>| {
            let request = actor
                .request(method.clone(), &names.fill(&path))
                .header("x-event-key", hospital.setting("event_key"));
            let request =
                if method == Method::GET { request } else { request.json(&body_for(&method, &path, &names)) };
            Reply::of(match request_id {
                Some(request_id) => request.header("x-request-id", request_id),
                None => request,
            })
        };
        for actor in [hospital.anonymous(), hospital.radiologist()] {
            let reply = send(&actor, Some("client:7_a.b-c")).await;
            assert_eq!(reply.header("x-request-id"), "client:7_a.b-c", "{method} {path}");
            if reply.body["status"] == "error" {
                assert_eq!(reply.body["requestId"], "client:7_a.b-c", "{reply}");
            }
            if reply.status == 204 {
                assert!(reply.headers.get("content-length").is_none_or(|length| length == "0"));
            } else {
                assert_eq!(reply.header("content-length"), reply.text.len().to_string(), "{method} {path}");
            }
            if path.starts_with("/api/") {
                assert_eq!(reply.header("cache-control"), "no-store", "{method} {path}");
            }
        }
        for unfit in
            [None, Some(""), Some("two words"), Some("a\tb"), Some("\"quoted\""), Some(&*"x".repeat(129))]
        {
            let reply = send(&hospital.anonymous(), unfit).await;
            let id = reply.header("x-request-id").to_owned();
            assert!(id.len() >= 16 && Some(id.as_str()) != unfit, "{method} {path}: {id}");
            made.push(id);
        }
    }
    let number = made.len();
    made.sort();
    made.dedup();
    assert_eq!(made.len(), number, "each request has an id of its own");
}

/// How many rows there are of what endpoints make, the outbox and the audit's acts included.
async fn rows(hospital: &Hospital) -> String {
    let tables =
        "select string_agg(format('(select count(*) from imaging.%I)', tablename), ',' order by tablename)
                    from pg_tables where schemaname = 'imaging' and tablename !~ '^(clock|audit)'";
    let tables = hospital.sql(tables).await.unwrap();
    let acts = "(select count(*) from imaging.audit_events where action !~ '^(upload|request)')";
    hospital.sql(&format!("select concat_ws(' ', {tables}, {acts})")).await.unwrap()
}

#[tokio::test]
async fn a_post_that_is_sent_again_under_its_key_is_done_once() {
    let hospital = Hospital::open().await;
    let names = Names::of(&hospital).await;
    let replays = "select count(*)::text from imaging.audit_events where action = 'request.replay'";
    let mut replayed = 0;
    for (method, path) in endpoints(ENDPOINTS).into_iter().filter(|(method, _)| method == Method::POST) {
        let body = body_for(&method, &path, &names);
        let send = |query: &str| {
            let user = user_of(&hospital, &method, &path);
            let request = user.request(method.clone(), &format!("{}{query}", names.fill(&path)));
            Reply::of(request.header("idempotency-key", &path).json(&body))
        };
        let first = send("").await;
        assert!((200..300).contains(&first.status), "{method} {path}: {first}");
        let made = rows(&hospital).await;

        let again = send("").await;
        assert_eq!(again.status, first.status, "{method} {path}: {again}");
        for header in ["location", "etag"] {
            assert_eq!(again.header(header), first.header(header), "{method} {path}");
        }
        assert_eq!(without_urls(again.body), without_urls(first.body), "{method} {path}");
        send("?other").await.expect_refusal(422, "idempotency_key_reused");
        assert_eq!(rows(&hospital).await, made, "{method} {path}");
        replayed += 1;
        assert_eq!(hospital.sql(replays).await, Some(replayed.to_string()), "{method} {path}");
    }
}

/// A body without the URLs in it, which are signed afresh each time.
fn without_urls(mut body: Value) -> Value {
    match &mut body {
        Value::Object(members) => {
            members.remove("upload");
            members.values_mut().for_each(|member| *member = without_urls(member.take()));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| *value = without_urls(value.take())),
        _ => {}
    }
    body
}

#[tokio::test]
async fn an_etag_is_the_version_of_what_was_read_or_changed() {
    let hospital = Hospital::open().await;
    let names = Names::of(&hospital).await;
    for (method, path) in endpoints(ENDPOINTS) {
        let one = names_a_thing(&path)
            && !path.ends_with("/images")
            && !path.ends_with("/url")
            && !path.ends_with("/versions/1")
            && !path.contains("/study/")
            && !path.starts_with("/api/ingest/");
        let made = method == Method::POST
            && !["/api/uploads", "/api/finding-rules/dry-run"].contains(&path.as_str())
            && !path.starts_with("/api/ingest/");
        // How often a delivery was tried is nothing that anybody changes under a version.
        let (one, made) =
            (one && !path.starts_with("/api/deliveries"), made && !path.starts_with("/api/deliveries"));
        if method == Method::DELETE || !(one || made) {
            continue;
        }
        let request = user_of(&hospital, &method, &path).request(method.clone(), &names.fill(&path));
        let request =
            if method == Method::GET { request } else { request.json(&body_for(&method, &path, &names)) };
        let reply = Reply::of(request).await;
        let etag = reply.header("etag").to_owned();
        assert!((200..300).contains(&reply.status), "{method} {path}: {reply}");
        let resource = ["order", "study", "image", "report", "finding"]
            .into_iter()
            .find_map(|key| reply.body["data"].get(key))
            .unwrap();
        assert_eq!(etag, format!("\"{}\"", resource["version"]), "{method} {path}");
    }
}

//! Who may do what, and on whose rows: the table of the contract, asked over HTTP.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Actor, Hospital, Reply,
    actor::{critical_results, finding_of, report_of, study_of},
    hospital::{ct_chest, id},
};

const ROLES: [&str; 9] = [
    "provider",
    "scheduler",
    "technologist",
    "radiologist",
    "service",
    "patient",
    "admin",
    "system_admin",
    "auditor",
];

/// The status for each role, by act and place. `here` is the caller's facility, `there` another one; `mine` is there
/// as well, but ordered by the provider who asks; and of what is `told`, there and ordered by another, whoever asks was
/// told by a finding. The patient is the one whose order it is.
const TABLE: &str = "
    place an order       here   201 201 403 403 201 403 403 403 403
    place an order       there  403 403 403 403 201 403 403 403 403
    read an order        here   200 200 200 200 200 200 403 403 403
    read an order        there  404 404 404 404 200 200 403 403 403
    read an order        mine   200 404 404 404 200 200 403 403 403
    cancel an order      here   200 200 200 200 200 403 403 403 403
    cancel an order      there  404 404 404 404 200 403 403 403 403
    cancel an order      mine   403 404 404 404 200 403 403 403 403
    schedule an order    here   403 200 403 403 200 403 403 403 403
    schedule an order    there  403 404 403 403 200 403 403 403 403
    hurry an order       here   200 200 403 403 200 403 403 403 403
    hurry an order       there  404 404 403 403 200 403 403 403 403
    hurry an order       mine   403 404 403 403 200 403 403 403 403
    start an order       here   403 403 200 200 200 403 403 403 403
    start an order       there  403 403 404 404 200 403 403 403 403
    register a study     here   403 201 201 201 201 403 403 403 403
    register a study     there  403 201 201 201 201 403 403 403 403
    read a study         here   200 200 200 200 200 200 403 403 403
    read a study         there  404 404 404 404 200 200 403 403 403
    read a study         mine   200 404 404 404 200 200 403 403 403
    find a study         here   200 200 200 200 200 200 403 403 403
    find a study         there  404 404 404 404 200 200 403 403 403
    move a study         here   403 403 200 200 200 403 403 403 403
    move a study         there  403 403 404 404 200 403 403 403 403
    offer uploads        here   403 403 201 201 201 403 403 403 403
    list ingests         here   403 403 200 200 200 403 403 403 403
    read an ingest       here   403 403 200 200 200 403 403 403 403
    resolve an ingest    here   403 403 409 409 403 403 403 403 403
    announce an image    here   403 403 201 201 201 403 403 403 403
    announce an image    there  403 403 404 404 201 403 403 403 403
    list images          here   404 403 200 200 200 404 403 403 403
    list images          there  404 403 200 200 200 404 403 403 403
    list images          mine   200 403 200 200 200 404 403 403 403
    list a series        here   404 403 200 200 200 404 403 403 403
    read an image        here   404 403 200 200 200 404 403 403 403
    read an image        there  404 403 200 200 200 404 403 403 403
    read an image        mine   200 403 200 200 200 404 403 403 403
    get a URL            here   404 403 200 200 200 404 403 403 403
    get a URL            there  404 403 200 200 200 404 403 403 403
    get a URL            mine   200 403 200 200 200 404 403 403 403
    annotate an image    here   403 403 200 200 200 403 403 403 403
    annotate an image    there  403 403 200 200 200 403 403 403 403
    delete an image      here   403 403 204 204 403 403 403 403 403
    delete an image      there  403 403 204 204 403 403 403 403 403
    write a report       here   403 403 403 201 403 403 403 403 403
    write a report       there  403 403 403 201 403 403 403 403 403
    edit a report        here   403 403 403 200 403 403 403 403 403
    edit a report        there  403 403 403 200 403 403 403 403 403
    delete a report      here   403 403 403 204 403 403 403 403 403
    sign a report        here   403 403 403 200 403 403 403 403 403
    sign a report        there  403 403 403 200 403 403 403 403 403
    amend a report       here   403 403 403 200 403 403 403 403 403
    amend a report       there  403 403 403 200 403 403 403 403 403
    sign another's       here   403 403 403 403 403 403 403 403 403
    amend another's      here   403 403 403 403 403 403 403 403 403
    read a draft         here   404 403 403 200 200 404 403 403 403
    read a draft         mine   404 403 403 200 200 404 403 403 403
    read a report        here   404 403 403 200 200 200 403 403 403
    read a report        there  404 403 403 200 200 200 403 403 403
    read a report        mine   200 403 403 200 200 200 403 403 403
    read a version       here   404 403 403 200 200 200 403 403 403
    read a version       mine   200 403 403 200 200 200 403 403 403
    list a study's       here   404 403 403 200 200 200 403 403 403
    list a study's       mine   200 403 403 200 200 200 403 403 403
    list a radiologist's here   200 403 403 200 200 200 403 403 403
    look into the audit  here   403 403 403 403 403 403 403 403 200
    read a study         told   200 404 404 200 200 200 403 403 403
    find a study         told   200 404 404 200 200 200 403 403 403
    raise a finding      here   403 403 201 201 201 403 403 403 403
    raise a finding      there  403 403 201 201 201 403 403 403 403
    read a finding       here   404 403 200 200 200 403 403 403 403
    read a finding       there  404 403 404 200 200 403 403 403 403
    read a finding       mine   200 403 404 200 200 403 403 403 403
    read a finding       told   200 403 404 200 200 403 403 403 403
    list its findings    here   404 403 200 200 200 403 403 403 403
    list its findings    mine   200 403 404 200 200 403 403 403 403
    list its findings    told   200 403 404 200 200 403 403 403 403
    list findings        here   200 403 200 200 200 403 403 403 403
    list pending         here   200 403 200 200 200 403 403 403 403
    list severe ones     here   200 403 200 200 200 403 403 403 403
    acknowledge          here   404 403 403 200 403 403 403 403 403
    acknowledge          there  404 403 403 200 403 403 403 403 403
    acknowledge          mine   200 403 403 200 403 403 403 403 403
    acknowledge          told   200 403 403 200 403 403 403 403 403
    decline              here   404 403 403 200 403 403 403 403 403
    decline              mine   200 403 403 200 403 403 403 403 403
    decline              told   200 403 403 200 403 403 403 403 403
    note follow-up       here   404 403 403 200 403 403 403 403 403
    note follow-up       mine   200 403 403 200 403 403 403 403 403
    note follow-up       told   200 403 403 200 403 403 403 403 403
    read figures         here   200 403 200 200 200 403 200 200 403
    read rules           here   403 403 403 403 403 403 200 200 403
    change rules         here   403 403 403 403 403 403 200 200 403
    try rules            here   403 403 403 403 403 403 422 422 403
    list deliveries      here   403 403 403 403 403 403 200 200 403
    retry a delivery     here   403 403 403 403 403 403 404 404 403
    read settings        here   403 403 403 403 403 403 200 200 403
    change settings      here   403 403 403 403 403 403 200 200 403
";

/// What there is to act on, fresh for each cell of the table that changes it.
struct Case {
    order: Value,
    study: Value,
    image: String,
    upload: String,
    /// Where the act is about one.
    report: Value,
    finding: Value,
}

async fn case(hospital: &Hospital, number: usize, what: &str, place: &str) -> Case {
    let service = hospital.service();
    let order = service.places(order_at(place)).await;
    let study = service.registers(&order).await;
    let instance = json!({
        "seriesInstanceUID": "1.2.3", "sopInstanceUID": format!("1.2.3.{number}"), "seriesNumber": 1, "instanceNumber": 1,
    });
    let registered = service.post(&format!("/api/studies/{}/images", id(&study)), instance).await.expect(201);
    let image = id(&registered["image"]).to_owned();
    hospital.execute(&format!("update imaging.images set status = 'STORED' where id = '{image}'")).await;
    let upload = registered["image"]["storageUrl"].as_str().unwrap();
    let upload = upload.rsplit('/').next().unwrap().trim_end_matches(".dcm").to_owned();
    let report = report(hospital, &study, what).await;
    let finding = finding(hospital, &study, what, place).await;
    Case { order, study, image, upload, report, finding }
}

/// The finding that an act needs, or by which everybody was told of the study.
async fn finding(hospital: &Hospital, study: &Value, what: &str, place: &str) -> Value {
    let about_one = ["read a finding", "acknowledge", "decline", "note follow-up"].contains(&what.trim());
    if !about_one && place != "told" {
        return Value::Null;
    }
    let mut found = finding_of(study, "CRITICAL");
    if place == "told" {
        found["notifiedTo"] = ROLES.iter().map(|role| format!("{role}-1")).collect();
    }
    hospital.service().raises(found).await
}

/// The report that an act needs, on a study that takes one.
async fn report(hospital: &Hospital, study: &Value, what: &str) -> Value {
    match what.trim() {
        "write a report" => {
            hospital.completes(study).await;
            Value::Null
        }
        "edit a report" | "delete a report" | "sign a report" | "read a draft" => {
            hospital.completes(study).await;
            hospital.reports(study, "PRELIMINARY").await
        }
        "sign another's" | "amend another's" => {
            hospital.completes(study).await;
            let other =
                hospital.somebody_with("radiologist", |claims| claims.id = "radiologist-9".to_owned());
            let mut written = report_of(study);
            written["radiologistId"] = json!("radiologist-9");
            let written = other.writes(written).await;
            if what.starts_with("amend") {
                other.signs(&written).await.expect_status(200);
            }
            written
        }
        "amend a report" | "read a report" | "read a version" | "list a study's" => {
            hospital.completes(study).await;
            hospital.reports(study, "FINAL").await
        }
        _ => Value::Null,
    }
}

fn order_at(place: &str) -> Value {
    let mut order = ct_chest();
    order["facilityId"] = json!(if place == "here" { "fac-1" } else { "fac-2" });
    order["providerId"] = json!(if place == "mine" { "provider-1" } else { "provider-9" });
    order
}

async fn act(actor: &Actor, act: &str, place: &str, case: &Case) -> Reply {
    let order = format!("/api/imaging-orders/{}", id(&case.order));
    let study = format!("/api/studies/{}", id(&case.study));
    let image = format!("/api/images/{}", case.image);
    let report = format!("/api/reports/{}", case.report["id"].as_str().unwrap_or_default());
    let findings = "/api/critical-findings";
    let finding = format!("{findings}/{}", case.finding["id"].as_str().unwrap_or_default());
    let accession = case.study["accessionNumber"].as_str().unwrap();
    match act {
        "place an order" => actor.post("/api/imaging-orders", order_at(place)).await,
        "read an order" => actor.get(&order).await,
        "cancel an order" => {
            Reply::of(actor.request(Method::DELETE, &order).json(&json!({"reason": "Asked to"}))).await
        }
        "schedule an order" => {
            actor.patch(&order, json!({"scheduledAt": "2026-12-24", "status": "ON_HOLD"})).await
        }
        "hurry an order" => actor.patch(&order, json!({"priority": "STAT"})).await,
        "start an order" => actor.patch(&order, json!({"status": "IN_PROGRESS"})).await,
        "register a study" => actor.post("/api/studies", study_of(&case.order)).await,
        "read a study" => actor.get(&study).await,
        "find a study" => actor.get(&format!("/api/studies/accession/{accession}")).await,
        "move a study" => actor.patch(&format!("{study}/status"), json!({"status": "ARRIVED"})).await,
        "offer uploads" => actor.post("/api/uploads", json!({"count": 2})).await,
        "list ingests" => actor.get("/api/ingest").await,
        "read an ingest" => actor.get(&format!("/api/ingest/{}", case.upload)).await,
        "announce an image" => {
            let instance = json!({
                "seriesInstanceUID": "1.2.4", "sopInstanceUID": format!("1.2.4.{}", u64::from_str_radix(&case.image[24..], 16).unwrap()),
                "seriesNumber": 1, "instanceNumber": 1,
            });
            actor.post(&format!("{study}/images"), instance).await
        }
        "list images" => actor.get(&format!("{study}/images")).await,
        "list a series" => actor.get(&format!("{study}/series/1.2.3/images")).await,
        "read an image" => actor.get(&image).await,
        "get a URL" => actor.get(&format!("{image}/url")).await,
        "annotate an image" => {
            actor.patch(&format!("{image}/metadata"), json!({"metadata": {"note": "x"}})).await
        }
        "delete an image" => actor.delete(&image).await,
        "write a report" => actor.post("/api/reports", report_of(&case.study)).await,
        "edit a report" => actor.patch(&report, json!({"technique": "Helical"})).await,
        "delete a report" => actor.delete(&report).await,
        "sign a report" | "sign another's" => actor.signs(&case.report).await,
        "amend a report" | "amend another's" => actor.amends(&case.report, "CORRECTED").await,
        "read a draft" | "read a report" => actor.get(&report).await,
        "read a version" => actor.get(&format!("{report}/versions/2")).await,
        "list a study's" => actor.get(&format!("/api/reports/study/{}", id(&case.study))).await,
        "look into the audit" => actor.get("/api/audit-events").await,
        "list a radiologist's" => actor.get("/api/reports/radiologist/radiologist-1").await,
        "raise a finding" => actor.post(findings, finding_of(&case.study, "LOW")).await,
        "read a finding" => actor.get(&finding).await,
        "list its findings" => actor.get(&format!("{findings}/study/{}", id(&case.study))).await,
        "list findings" => actor.get(findings).await,
        "list pending" => actor.get(&format!("{findings}/pending")).await,
        "list severe ones" => actor.get(&format!("{findings}/severity/CRITICAL")).await,
        "acknowledge" => actor.acknowledges(&case.finding).await,
        "decline" => actor.post(&format!("{finding}/decline"), json!({"reason": "Not mine"})).await,
        "note follow-up" => actor.patch(&finding, json!({"followUpStatus": "ORDERED"})).await,
        "read figures" => actor.get(&format!("{findings}/metrics")).await,
        "resolve an ingest" => {
            actor.post(&format!("/api/ingest/{}/resolve", case.upload), json!({"action": "REJECT"})).await
        }
        "read rules" => actor.get("/api/finding-rules").await,
        "change rules" => actor.put("/api/finding-rules", json!({"rules": []})).await,
        // It is no report: who may try rules is told so.
        "try rules" => actor.post("/api/finding-rules/dry-run", json!({"imageId": case.image})).await,
        "list deliveries" => actor.get("/api/deliveries").await,
        // There is none: who may retry it is told so.
        "retry a delivery" => actor.post(&format!("/api/deliveries/{}/retry", case.image), json!({})).await,
        "read settings" => actor.get("/api/settings/critical-results").await,
        "change settings" => actor.put("/api/settings/critical-results", critical_results()).await,
        other => unreachable!("no such act: {other}"),
    }
}

#[tokio::test]
async fn everybody_may_do_what_the_table_says_and_nothing_else() {
    let hospital = Hospital::open_with(|settings| settings.timers.clear()).await;
    let mut number = 0;
    for row in TABLE.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let (what, rest) = row.split_at(21);
        let mut words = rest.split_whitespace();
        let place = words.next().unwrap();
        let statuses: Vec<u16> = words.map(|status| status.parse().unwrap()).collect();
        assert_eq!(statuses.len(), ROLES.len(), "{row}");
        let looks = ["read", "find", "list", "get"].iter().any(|verb| what.starts_with(verb));
        number += 1;
        let mut case = case(&hospital, number, what, place).await;
        for (role, status) in ROLES.into_iter().zip(statuses) {
            if !looks {
                number += 1;
                case = self::case(&hospital, number, what, place).await;
            }
            let actor = hospital.somebody_with(role, |claims| {
                // No permission beside the role adds to it.
                claims.permissions = vec!["*".to_owned()];
                claims.patient_id = (role == "patient").then(|| "MRN-1".to_owned());
            });
            let reply = act(&actor, what.trim(), place, &case).await;
            assert_eq!(reply.status, status, "{role}: {what} {place}: {reply}");
        }
    }
}

#[tokio::test]
async fn another_patients_things_are_not_there_for_a_patient() {
    let hospital = Hospital::open_with(|settings| settings.timers.clear()).await;
    let case = case(&hospital, 1, "read a report", "here").await;
    for what in [
        "read an order",
        "read a study",
        "find a study",
        "list images",
        "list a series",
        "read an image",
        "get a URL",
        "read a report",
        "read a version",
        "list a study's",
    ] {
        act(&hospital.patient("MRN-1"), what, "here", &case).await.expect_status(200);
        act(&hospital.patient("MRN-2"), what, "here", &case).await.expect_refusal(404, "not_found");
        // Whom the token calls a patient without saying which has nothing of their own.
        let nobody = hospital.somebody_with("patient", |claims| claims.patient_id = None);
        act(&nobody, what, "here", &case).await.expect_refusal(403, "forbidden");
        // Only a patient's own token is theirs: naming one gives nobody else a right.
        let admin = hospital.somebody_with("admin", |claims| claims.patient_id = Some("MRN-1".to_owned()));
        act(&admin, what, "here", &case).await.expect_refusal(403, "forbidden");
    }
}

#[tokio::test]
async fn a_role_that_is_not_in_the_table_has_no_rights() {
    let hospital = Hospital::open_with(|settings| settings.timers.clear()).await;
    let case = case(&hospital, 1, "read a report", "here").await;
    for role in ["superuser", "", "Radiologist", "service "] {
        for what in [
            "place an order",
            "read an order",
            "read a study",
            "list ingests",
            "read an image",
            "read a report",
        ] {
            act(&hospital.somebody(role), what, "here", &case).await.expect_refusal(403, "forbidden");
        }
    }
}

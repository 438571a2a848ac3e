//! What the health record is asked: who a patient is, and who cares for one.

use serde_json::{Value, json};
use tests::{
    Hospital,
    actor::study_of,
    hospital::{ct_chest, id, instance_of},
    receiver::{Manner, Receiver},
};

use crate::wards::{self, deliveries, dispatches, passes, recipients};

const PATIENT: &str = "/fhir/Patient/MRN-1";
const CARE_TEAM: &str = "/fhir/CareTeam?patient=Patient%2FMRN-1&status=active";

/// A hospital with a health record and a notification service.
async fn open(record: &Receiver, people: &Receiver) -> Hospital {
    let (record, people) = (record.url(), people.url());
    Hospital::open_with(|settings| {
        settings.timers.clear();
        settings.variables.insert("ehr_service_url".to_owned(), format!("{record}/fhir"));
        settings.variables.insert("notification_service_url".to_owned(), people);
    })
    .await
}

fn patient(id: &str) -> Value {
    json!({
        "resourceType": "Patient",
        "id": id,
        "meta": {"versionId": "3"},
        "name": [{"use": "official", "family": "Doe", "given": ["Jane"]}],
        "gender": "female",
        "birthDate": "1970-01-31",
    })
}

/// A study that is registered without saying what its patient is called.
async fn unnamed_study(hospital: &Hospital) -> Value {
    let order = hospital.provider().places(ct_chest()).await;
    let mut study = study_of(&order);
    study
        .as_object_mut()
        .unwrap()
        .retain(|name, _| !["patientName", "patientDOB", "patientSex"].contains(&&**name));
    hospital.technologist().post("/api/studies", study).await.expect(201)["study"].take()
}

async fn is_named(hospital: &Hospital, study: &Value) -> Value {
    let path = format!("/api/studies/{}", id(study));
    hospital
        .wait_for("the study to be named", async || {
            let read = hospital.technologist().get(&path).await.expect(200)["study"].take();
            Some(read).filter(|read| !read["patientName"].is_null())
        })
        .await
}

#[tokio::test]
async fn a_study_without_a_name_gets_what_the_record_knows_of_its_patient() {
    let (record, people) = (Receiver::open().await, Receiver::open().await);
    record.knows(PATIENT, patient("MRN-1"));
    let hospital = open(&record, &people).await;

    let study = unnamed_study(&hospital).await;
    assert_eq!(study["patientName"], Value::Null);
    // Nobody called for it: the study itself did.
    let named = is_named(&hospital, &study).await;
    assert_eq!((&named["patientName"], &named["patientSex"]), (&json!("Doe^Jane"), &json!("F")),);
    assert!(named["patientDOB"].as_str().unwrap().starts_with("1970-01-31"));

    dispatches(&hospital).await;
    wards::settled(&hospital).await;
    let asked: Vec<_> = record.received().into_iter().filter(|request| request.method == "GET").collect();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!((&*asked[0].path, asked[0].header("accept")), (PATIENT, "application/fhir+json"));
    // What was answered lies nowhere in clear, and a file that says so is the patient's.
    let kept = hospital
        .sql("select string_agg(s::text || d::text, ' ') from imaging.studies s, imaging.deliveries d");
    assert!(!kept.await.unwrap().contains("Doe"));
    let audited = "select string_agg(action, ' ' order by id) from imaging.audit_events
                    where action in ('record.ask', 'study.describe')";
    assert_eq!(hospital.sql(audited).await.as_deref(), Some("record.ask study.describe"));
}

#[tokio::test]
async fn a_record_that_is_away_is_asked_again() {
    let (record, people) = (Receiver::open().await, Receiver::open().await);
    record.knows(PATIENT, patient("MRN-1"));
    record.is(Manner::CutsOff);
    let hospital = open(&record, &people).await;
    let study = unnamed_study(&hospital).await;
    let of_study = format!("resourceId={}", id(&study));
    hospital
        .wait_for("the question to fail", async || {
            deliveries(&hospital, &of_study).await.pop().filter(|delivery| !delivery["lastCode"].is_null())
        })
        .await;

    record.is(Manner::Answers(200));
    passes(&hospital, "1 minute").await;
    dispatches(&hospital).await;
    is_named(&hospital, &study).await;
    assert_eq!(deliveries(&hospital, &of_study).await[0]["state"], "DELIVERED");
}

#[tokio::test]
async fn a_patient_whom_the_record_does_not_know_yet_is_asked_for_again() {
    let (record, people) = (Receiver::open().await, Receiver::open().await);
    let hospital = open(&record, &people).await;
    let study = unnamed_study(&hospital).await;
    let of_study = format!("resourceId={}", id(&study));
    let failed = hospital
        .wait_for("the question to fail", async || {
            deliveries(&hospital, &of_study).await.pop().filter(|delivery| !delivery["lastCode"].is_null())
        })
        .await;
    assert_eq!(
        (&failed["topic"], &failed["channel"], &failed["state"], &failed["lastCode"]),
        (&json!("study.unnamed"), &json!("EHR"), &json!("PENDING"), &json!("404")),
    );

    record.knows(PATIENT, patient("MRN-1"));
    passes(&hospital, "1 minute").await;
    dispatches(&hospital).await;
    is_named(&hospital, &study).await;
}

#[tokio::test]
async fn a_question_that_was_given_up_is_asked_again_by_hand() {
    let (record, people) = (Receiver::open().await, Receiver::open().await);
    record.is(Manner::Answers(422));
    let hospital = open(&record, &people).await;
    let study = unnamed_study(&hospital).await;
    let dead = hospital
        .wait_for("the question to be given up", async || {
            let dead = deliveries(&hospital, "state=dead").await;
            dead.into_iter().find(|delivery| delivery["resourceId"] == study["id"])
        })
        .await;

    record.is(Manner::Answers(200));
    record.knows(PATIENT, patient("MRN-1"));
    let retry = format!("/api/deliveries/{}/retry", id(&dead));
    hospital.somebody("admin").post(&retry, json!({})).await.expect_status(200);
    dispatches(&hospital).await;
    is_named(&hospital, &study).await;
}

#[tokio::test]
async fn an_answer_about_somebody_else_or_without_a_name_is_no_answer() {
    let mut nameless = patient("MRN-1");
    nameless.as_object_mut().unwrap().remove("name");
    for (answer, code) in [
        (patient("MRN-2"), "not_understood"),
        (json!({"resourceType": "OperationOutcome"}), "not_understood"),
        (json!("Patient"), "not_understood"),
        (nameless, "no_name"),
    ] {
        let (record, people) = (Receiver::open().await, Receiver::open().await);
        record.knows(PATIENT, answer);
        let hospital = open(&record, &people).await;
        let study = unnamed_study(&hospital).await;
        let of_study = format!("resourceId={}", id(&study));
        let failed = hospital
            .wait_for("the answer to be refused", async || {
                deliveries(&hospital, &of_study)
                    .await
                    .pop()
                    .filter(|delivery| !delivery["lastCode"].is_null())
            })
            .await;
        assert_eq!((&failed["state"], &failed["lastCode"]), (&json!("PENDING"), &json!(code)));
        let path = format!("/api/studies/{}", id(&study));
        let read = hospital.technologist().get(&path).await.expect(200);
        assert_eq!(read["study"]["patientName"], Value::Null);
    }
}

#[tokio::test]
async fn a_signed_study_that_was_named_meanwhile_keeps_its_name() {
    let (record, people) = (Receiver::open().await, Receiver::open().await);
    record.knows(PATIENT, patient("MRN-1"));
    record.is(Manner::CutsOff);
    let hospital = open(&record, &people).await;
    let study = unnamed_study(&hospital).await;
    let mut said = study.clone();
    said["patientName"] = json!("Roe^Richard");
    let upload = hospital.uploads(instance_of(&said).write().unwrap()).await;
    hospital.machine().post("/tasks/sweep", json!({})).await.expect_status(200);
    assert_eq!(hospital.settled(&upload).await["status"], "STORED");
    hospital.completes(&study).await;
    hospital.reports(&study, "FINAL").await;

    record.is(Manner::Answers(200));
    passes(&hospital, "1 hour").await;
    dispatches(&hospital).await;
    // One that was woken may still be at it.
    wards::settled(&hospital).await;
    let of_study = format!("resourceId={}&topic=study.unnamed", id(&study));
    let asked = deliveries(&hospital, &of_study).await;
    assert_eq!(asked[0]["state"], "DELIVERED", "{asked:?}");
    assert_eq!(is_named(&hospital, &study).await["patientName"], "Roe^Richard");
}

/// Who cares for the patient: one who is named as well, one by an address, one by an identifier; and all those who are not to
/// be told.
fn care_team() -> Value {
    let member = |member: Value| json!({"member": member});
    json!({"resourceType": "Bundle", "type": "searchset", "entry": [
        {"resource": {"resourceType": "CareTeam", "status": "active", "participant": [
            member(json!({"reference": "Practitioner/dr-1"})),
            member(json!({"reference": "https://ehr.example/fhir/Practitioner/nurse-1"})),
            member(json!({"type": "Practitioner", "identifier": {"value": "team/2"}})),
            member(json!({"reference": "Patient/MRN-1"})),
            member(json!({"reference": "RelatedPerson/sister"})),
            member(json!({"reference": "PractitionerRole/role-1"})),
            {"member": {"reference": "Practitioner/gone"}, "period": {"end": "2020-02"}},
        ]}},
        {"resource": {"resourceType": "CareTeam", "status": "inactive", "participant": [
            member(json!({"reference": "Practitioner/inactive"})),
        ]}},
        {"resource": {"resourceType": "OperationOutcome"}, "search": {"mode": "outcome"}},
    ]})
}

#[tokio::test]
async fn the_care_team_is_told_of_a_finding_after_those_who_are_named_and_each_once() {
    let (record, people) = (Receiver::open().await, Receiver::open().await);
    record.knows(CARE_TEAM, care_team());
    let hospital = open(&record, &people).await;
    let study = hospital.completed_study().await;
    let finding = wards::finds(&hospital, &study, "CRITICAL", &["dr-1"]).await;
    wards::received(&hospital, &people, 2).await;
    dispatches(&hospital).await;
    wards::settled(&hospital).await;

    assert_eq!(recipients(&people.received()), ["dr-1", "nurse-1", "provider-1", "team/2"]);
    let told = wards::read(&hospital, &finding).await;
    assert_eq!(told["notifiedTo"], json!(["dr-1", "provider-1", "nurse-1", "team/2"]));
    // Whoever was told may read it, and take it on.
    let nurse = hospital.somebody_with("provider", |claims| claims.id = "nurse-1".to_owned());
    let path = format!("/api/critical-findings/{}", id(&finding));
    nurse.get(&path).await.expect_status(200);
    nurse.acknowledges(&finding).await.expect_status(200);
}

#[tokio::test]
async fn an_alert_waits_for_no_health_record() {
    let (record, people) = (Receiver::open().await, Receiver::open().await);
    record.is(Manner::Holds);
    let hospital = open(&record, &people).await;
    let study = hospital.completed_study().await;
    wards::finds(&hospital, &study, "CRITICAL", &["dr-1"]).await;
    let received = wards::received(&hospital, &people, 2).await;
    assert_eq!(recipients(&received), ["dr-1", "provider-1"]);
}

#[tokio::test]
async fn a_record_without_care_teams_is_asked_once_and_nobody_is_alarmed() {
    let (record, people) = (Receiver::open().await, Receiver::open().await);
    let hospital = open(&record, &people).await;
    let study = hospital.completed_study().await;
    let finding = wards::finds(&hospital, &study, "HIGH", &["dr-1"]).await;
    wards::received(&hospital, &people, 2).await;
    dispatches(&hospital).await;
    wards::settled(&hospital).await;

    let of_finding = deliveries(&hospital, &format!("resourceId={}", id(&finding))).await;
    let question = of_finding.iter().find(|delivery| delivery["channel"] == "EHR").unwrap();
    assert_eq!((&question["state"], &question["lastCode"]), (&json!("DELIVERED"), &json!("404")));
    assert!(!hospital.log().contains("a delivery is given up"));
}

#[tokio::test]
async fn nobody_of_the_care_team_is_told_of_a_finding_that_somebody_has_taken_on() {
    let (record, people) = (Receiver::open().await, Receiver::open().await);
    record.knows(CARE_TEAM, care_team());
    record.is(Manner::CutsOff);
    let hospital = open(&record, &people).await;
    let study = hospital.completed_study().await;
    let finding = wards::finds(&hospital, &study, "HIGH", &["dr-1"]).await;
    wards::received(&hospital, &people, 2).await;
    hospital.provider().acknowledges(&finding).await.expect_status(200);

    record.is(Manner::Answers(200));
    passes(&hospital, "1 hour").await;
    dispatches(&hospital).await;
    wards::settled(&hospital).await;
    assert_eq!(recipients(&people.received()), ["dr-1", "provider-1"]);
}

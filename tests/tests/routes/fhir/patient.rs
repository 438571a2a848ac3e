use serde_json::{Value, json};
use tests::{Hospital, hospital::id};

use super::{acts, ehr, other_ehr, patient, with};

const PATH: &str = "/fhir/Patient";

#[tokio::test]
async fn what_is_said_of_a_patient_follows_in_the_studies_that_are_open() {
    let hospital = Hospital::open().await;
    let (open, preliminary, signed, cancelled) = (
        hospital.registered_study().await,
        hospital.completed_study().await,
        hospital.completed_study().await,
        hospital.registered_study().await,
    );
    hospital.reports(&preliminary, "PRELIMINARY").await;
    hospital.reports(&signed, "FINAL").await;
    hospital.technologist().moves(&cancelled, "CANCELLED").await.expect_status(200);

    let reply = ehr(&hospital).post(PATH, patient("MRN-1")).await;
    reply.expect_outcome(200, "patient_described");
    assert_eq!(reply.body["issue"][0]["severity"], "information");
    assert_eq!(reply.body["issue"][0]["details"]["text"], "The patient is described so in 2 open studies.");

    for (study, name, born, sex) in [
        (&open, "Roe^Richard", "1931-07-23T00:00:00.000Z", "M"),
        (&preliminary, "Roe^Richard", "1931-07-23T00:00:00.000Z", "M"),
        (&signed, "Doe^Jane", "1970-02-03T00:00:00.000Z", "F"),
        (&cancelled, "Doe^Jane", "1970-02-03T00:00:00.000Z", "F"),
    ] {
        let read =
            hospital.technologist().get(&format!("/api/studies/{}", id(study))).await.expect(200)["study"]
                .take();
        assert_eq!(
            (&read["patientName"], &read["patientDOB"], &read["patientSex"]),
            (&json!(name), &json!(born), &json!(sex))
        );
    }
    assert_eq!(acts(&hospital, "study.describe").await, ["ehr study.describe SUCCESS {MRN-1}"; 2]);
    assert_eq!(acts(&hospital, "patient.describe").await, ["ehr patient.describe SUCCESS {MRN-1}"]);
    // A file with the old name is another patient's from now on, and one with the new name is not.
    let file = |name: &str| {
        let mut study = open.clone();
        study["patientName"] = json!(name);
        let birth = if name == "Roe^Richard" { "19310723" } else { "19700203" };
        tests::hospital::instance_of(&study).sop(&format!("1.2.77.{birth}")).write().unwrap()
    };
    assert_eq!(hospital.receives(file("Roe^Richard")).await["status"], "STORED");
    assert_eq!(hospital.receives(file("Doe^Jane")).await["reason"], "another_patient");
}

#[tokio::test]
async fn what_is_not_said_stays_as_it_is_and_nobody_elses_study_changes() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let path = format!("/api/studies/{}", id(&study));
    let only_name = with(with(patient("MRN-1"), "gender", json!("unknown")), "birthDate", Value::Null);
    ehr(&hospital).post(PATH, only_name).await.expect_outcome(200, "patient_described");
    let read = hospital.technologist().get(&path).await.expect(200)["study"].take();
    assert_eq!((&read["patientName"], &read["patientSex"]), (&json!("Roe^Richard"), &json!("F")));
    assert_eq!(read["patientDOB"], "1970-02-03T00:00:00.000Z");

    for (who, number) in [(ehr(&hospital), "MRN-2"), (other_ehr(&hospital), "MRN-1")] {
        let reply = who.post(PATH, patient(number)).await;
        reply.expect_outcome(200, "patient_described");
        assert_eq!(
            reply.body["issue"][0]["details"]["text"],
            "The patient is described so in 0 open studies."
        );
    }
    assert_eq!(hospital.technologist().get(&path).await.expect(200)["study"]["version"], read["version"]);
}

#[tokio::test]
async fn more_studies_than_fit_one_call_follow_all() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let copies = format!(
        "insert into imaging.studies
         select (jsonb_populate_record(s, jsonb_build_object(
             'id', gen_random_uuid(), 'accession_number', 'N-' || n, 'study_instance_uid', '1.2.' || n, 'sealed', '{{}}'::jsonb))).*
           from imaging.studies s, generate_series(1, 250) as n where s.id = '{}'",
        id(&study)
    );
    hospital.execute(&copies).await;
    let reply = ehr(&hospital).post(PATH, patient("MRN-1")).await;
    reply.expect_outcome(200, "patient_described");
    assert_eq!(reply.body["issue"][0]["details"]["text"], "The patient is described so in 251 open studies.");
    let named = "select count(*)::text from imaging.studies where sealed ? 'patientName' and version = 2";
    assert_eq!(hospital.sql(named).await.as_deref(), Some("251"));
}

#[tokio::test]
async fn a_patient_whose_record_is_no_more_is_for_a_person_to_decide() {
    let hospital = Hospital::open().await;
    for (element, value, fault) in [
        (
            "link",
            json!([{"type": "replaced-by", "other": {"reference": "Patient/MRN-2"}}]),
            "link[0] says that it is another patient's record now",
        ),
        ("active", json!(false), "active says that the record is not in use any more"),
    ] {
        let reply = ehr(&hospital).post(PATH, with(patient("MRN-1"), element, value)).await;
        assert_eq!(
            reply.expect_outcome(422, "invalid"),
            format!("value Patient.{fault}: that is for a person to decide\n")
        );
    }
    ehr(&hospital)
        .post(PATH, with(patient("MRN-1"), "active", json!(true)))
        .await
        .expect_outcome(200, "patient_described");
}

#[tokio::test]
async fn what_is_known_in_part_changes_nothing() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let partly = with(patient("MRN-1"), "birthDate", json!("1931-07"));
    let partly = with(
        partly,
        "name",
        json!([
            {"use": "nickname", "given": ["Richard"]},
            {"use": "official", "family": "Roe", "period": {"end": "2020"}},
        ]),
    );
    ehr(&hospital).post(PATH, partly).await.expect_outcome(200, "patient_described");
    let path = format!("/api/studies/{}", id(&study));
    let read = hospital.technologist().get(&path).await.expect(200)["study"].take();
    assert_eq!(
        (&read["patientName"], &read["patientDOB"], &read["patientSex"]),
        (&json!("Doe^Jane"), &json!("1970-02-03T00:00:00.000Z"), &json!("M"))
    );
    // Of whom it is said stands in an identifier that is one, or nowhere.
    let numbered = |kind: &str| {
        let number = json!([{"type": {"coding": [{"code": kind}]}, "system": "urn:mrn", "value": "MRN-1"}]);
        with(with(patient(""), "id", Value::Null), "identifier", number)
    };
    assert_eq!(
        ehr(&hospital).post(PATH, numbered("SS")).await.expect_outcome(422, "invalid"),
        "value Patient.identifier must name one patient: by id, or by a medical record number (MR)\n"
    );
    let reply = ehr(&hospital).post(PATH, numbered("MR")).await;
    reply.expect_outcome(200, "patient_described");
    assert_eq!(reply.body["issue"][0]["details"]["text"], "The patient is described so in 1 open studies.");
}

use futures::future::join_all;
use serde_json::{Value, json};
use tests::{Hospital, actor::finding_of, hospital::id};

use super::{acts, communication, ehr, other_ehr, with};

const PATH: &str = "/fhir/Communication";

#[tokio::test]
async fn a_finding_that_is_acknowledged_elsewhere_is_acknowledged() {
    let hospital = Hospital::open().await;
    let finding = hospital.finds(&hospital.registered_study().await, "CRITICAL").await;

    ehr(&hospital).post(PATH, communication(&finding)).await.expect_outcome(200, "finding_acknowledged");

    let path = format!("/api/critical-findings/{}", id(&finding));
    let read = hospital.radiologist().get(&path).await.expect(200)["finding"].take();
    assert_eq!((&read["status"], &read["acknowledgedById"]), (&json!("ACKNOWLEDGED"), &json!("provider-1")));
    assert_eq!(read["readBack"], "Pneumothorax left, understood");
    assert_eq!(
        acts(&hospital, "finding.acknowledge%").await,
        ["ehr finding.acknowledge_for SUCCESS {MRN-1}", "provider-1 finding.acknowledge SUCCESS {MRN-1}",]
    );
    // Once: said again it is the same acknowledgement, and another's it is not.
    let again = ehr(&hospital).post(PATH, communication(&finding)).await;
    again.expect_outcome(200, "finding_acknowledged");
    let unchanged = hospital.radiologist().get(&path).await.expect(200)["finding"].take();
    assert_eq!(unchanged, read);
    assert_eq!(
        acts(&hospital, "finding.acknowledge%").await[2..],
        ["ehr finding.acknowledge_for SUCCESS {MRN-1}"]
    );
    hospital.execute("update imaging.findings set notified_to = '{dr-1}'").await;
    let other = with(communication(&finding), "sender", json!({"reference": "Practitioner/dr-1"}));
    let other = ehr(&hospital).post(PATH, other).await;
    assert!(other.expect_outcome(409, "finding_already_acknowledged").contains("ACKNOWLEDGED"), "{other}");
}

#[tokio::test]
async fn who_was_not_told_of_a_finding_has_not_acknowledged_it() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let mut raised = finding_of(&study, "LOW");
    raised["notifiedTo"] = json!(["dr-1"]);
    let finding = hospital.radiologist().raises(raised).await;
    let by = |sender: Value| with(communication(&finding), "sender", sender);
    for nobody in [
        json!({"reference": "Practitioner/dr-2"}),
        json!({"type": "Practitioner", "identifier": {"value": "dr-2"}}),
        json!({"reference": "PractitionerRole/role-1", "identifier": {"value": "dr-2"}}),
    ] {
        assert_eq!(
            ehr(&hospital).post(PATH, by(nobody)).await.expect_outcome(422, "invalid"),
            "value Communication.sender was not told of this finding\n"
        );
    }
    // A role has an id of its own, which is nobody's.
    assert_eq!(
        ehr(&hospital)
            .post(PATH, by(json!({"reference": "PractitionerRole/dr-1"})))
            .await
            .expect_outcome(422, "invalid"),
        "value Communication.sender must hold the identifier of the practitioner: a role's id is nobody's\n"
    );
    let path = format!("/api/critical-findings/{}", id(&finding));
    assert_eq!(
        hospital.radiologist().get(&path).await.expect(200)["finding"]["acknowledgedById"],
        Value::Null
    );

    let told = by(json!({"reference": "PractitionerRole/role-1", "identifier": {"value": "dr-1"}}));
    ehr(&hospital).post(PATH, told).await.expect_outcome(200, "finding_acknowledged");
    assert_eq!(hospital.radiologist().get(&path).await.expect(200)["finding"]["acknowledgedById"], "dr-1");
}

#[tokio::test]
async fn a_finding_is_its_own_patients() {
    let hospital = Hospital::open().await;
    let finding = hospital.finds(&hospital.registered_study().await, "LOW").await;
    let of = |patient: Value| with(communication(&finding), "subject", patient);
    for (patient, fault) in [
        (json!({"reference": "Patient/MRN-2"}), "is not the patient of this finding"),
        (json!({"reference": "Group/MRN-1"}), "must refer to a Patient, by its reference or identifier"),
    ] {
        assert_eq!(
            ehr(&hospital).post(PATH, of(patient)).await.expect_outcome(422, "invalid"),
            format!("value Communication.subject {fault}\n")
        );
    }
    let right = of(json!({"reference": "Patient/MRN-1"}));
    ehr(&hospital).post(PATH, right).await.expect_outcome(200, "finding_acknowledged");
}

#[tokio::test]
async fn it_holds_what_holds_of_every_acknowledgement() {
    let hospital = Hospital::open().await;
    let finding = hospital.finds(&hospital.registered_study().await, "CRITICAL").await;
    let by_reporter =
        with(communication(&finding), "sender", json!({"reference": "Practitioner/radiologist-1"}));
    ehr(&hospital).post(PATH, by_reporter).await.expect_outcome(403, "forbidden");
    let silent = with(communication(&finding), "payload", Value::Null);
    assert_eq!(
        ehr(&hospital).post(PATH, silent.clone()).await.expect_outcome(422, "invalid"),
        "value Communication.payload is required for a finding that is CRITICAL\n"
    );
    other_ehr(&hospital).post(PATH, communication(&finding)).await.expect_outcome(404, "not_found");
    let nobody = json!({"id": "019a3b1c-7e00-7abc-8def-0123456789ab"});
    ehr(&hospital).post(PATH, communication(&nobody)).await.expect_outcome(404, "not_found");
    let in_preparation = with(communication(&finding), "status", json!("preparation"));
    ehr(&hospital).post(PATH, in_preparation).await.expect_outcome(422, "invalid");

    // What need not be read back need not be.
    let lesser = hospital.finds(&hospital.registered_study().await, "LOW").await;
    let about = json!([{"identifier": {"system": "urn:imaging:org-1:finding", "value": id(&lesser)}}]);
    ehr(&hospital).post(PATH, with(silent, "about", about)).await.expect_outcome(200, "finding_acknowledged");
}

#[tokio::test]
async fn of_many_at_once_one_acknowledges_it() {
    let hospital = Hospital::open().await;
    let finding = hospital.finds(&hospital.registered_study().await, "CRITICAL").await;
    let ehr = ehr(&hospital);
    let told: Vec<String> = (0..10).map(|number| format!("dr-{number}")).collect();
    hospital.execute(&format!("update imaging.findings set notified_to = '{{{}}}'", told.join(","))).await;
    // Each of them says so twice.
    let by = |clinician: &String| {
        with(communication(&finding), "sender", json!({"reference": format!("Practitioner/{clinician}")}))
    };
    let replies = join_all(told.iter().chain(&told).map(|clinician| ehr.post(PATH, by(clinician)))).await;
    let done: Vec<usize> =
        (0..20).filter(|number| replies[*number].status == 200).map(|number| number % 10).collect();
    assert!(done.len() == 2 && done[0] == done[1], "{done:?}");
    assert!(replies.iter().all(|reply| [200, 409].contains(&reply.status)));
    assert_eq!(acts(&hospital, "finding.acknowledge").await.len(), 1);
}

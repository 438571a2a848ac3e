use futures::future::join_all;
use serde_json::json;
use tests::{Hospital, hospital::id};

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
    // Once.
    let again = ehr(&hospital).post(PATH, communication(&finding)).await;
    assert!(again.expect_outcome(409, "finding_already_acknowledged").contains("ACKNOWLEDGED"), "{again}");
}

#[tokio::test]
async fn it_holds_what_holds_of_every_acknowledgement() {
    let hospital = Hospital::open().await;
    let finding = hospital.finds(&hospital.registered_study().await, "CRITICAL").await;
    let by_reporter =
        with(communication(&finding), "sender", json!({"reference": "Practitioner/radiologist-1"}));
    ehr(&hospital).post(PATH, by_reporter).await.expect_outcome(403, "forbidden");
    let silent = with(communication(&finding), "payload", serde_json::Value::Null);
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
    let replies = join_all((0..20).map(|_| ehr.post(PATH, communication(&finding)))).await;
    let done = replies.iter().filter(|reply| reply.status == 200).count();
    assert_eq!(done, 1);
    assert!(replies.iter().all(|reply| [200, 409].contains(&reply.status)));
}

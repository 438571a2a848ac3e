use serde_json::json;
use tests::{Hospital, hospital::id};

use super::PATH;

#[tokio::test]
async fn the_reports_of_a_study_are_listed_newest_first_as_far_as_one_may_read_them() {
    let hospital = Hospital::open().await;
    let study = hospital.completed_study().await;
    let path = format!("{PATH}/study/{}", id(&study));
    assert_eq!(hospital.radiologist().get(&path).await.expect(200), json!({"reports": []}));
    let signed = hospital.reports(&study, "FINAL").await;
    let draft = hospital.reports(&study, "PRELIMINARY").await;
    for (who, actor, sees) in [
        ("radiologist", hospital.radiologist(), json!([draft, signed])),
        ("service", hospital.service(), json!([draft, signed])),
        ("provider", hospital.provider(), json!([signed])),
        ("patient", hospital.patient("MRN-1"), json!([signed])),
    ] {
        assert_eq!(actor.get(&path).await.expect(200)["reports"], sees, "{who}");
    }
    hospital.technologist().get(&path).await.expect_refusal(403, "forbidden");
    let listed = "select count(*)::text from imaging.audit_events
                   where action = 'report.list' and patient_ids = array['MRN-1']";
    assert_eq!(hospital.sql(listed).await.as_deref(), Some("5"));
}

#[tokio::test]
async fn a_study_that_one_may_not_read_is_not_there() {
    let hospital = Hospital::open().await;
    let study = hospital.completed_study().await;
    hospital.reports(&study, "FINAL").await;
    let path = format!("{PATH}/study/{}", id(&study));
    let colleague = hospital.somebody_with("provider", |claims| claims.id = "provider-9".to_owned());
    for actor in [hospital.stranger(), colleague, hospital.patient("MRN-2")] {
        actor.get(&path).await.expect_refusal(404, "not_found");
    }
    let nobodys = format!("{PATH}/study/019a3b1c-7e00-7abc-8def-0123456789ab");
    hospital.radiologist().get(&nobodys).await.expect_refusal(404, "not_found");
}

//! What people write into the audit: why they did it. It is about a patient.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Hospital, Reply,
    hospital::{ct_chest, id},
};

use super::events;

const WHY: &str = "Her son has died in the crash";

async fn cancels(hospital: &Hospital, reason: &str) {
    let order = hospital.provider().places(ct_chest()).await;
    let path = format!("/api/imaging-orders/{}", id(&order));
    let cancel = hospital.provider().request(Method::DELETE, &path).json(&json!({"reason": reason}));
    Reply::of(cancel).await.expect(200);
}

#[tokio::test]
async fn a_reason_lies_sealed_in_the_table_and_open_before_the_auditor() {
    let hospital = Hospital::open_with(|settings| settings.timers.clear()).await;
    cancels(&hospital, WHY).await;
    let order = hospital.provider().places(ct_chest()).await;
    let emergency = hospital
        .radiologist()
        .request(Method::GET, &format!("/api/imaging-orders/{}", id(&order)))
        .header("x-break-glass", WHY);
    Reply::of(emergency).await.expect(200);

    let kept = hospital.sql("select string_agg(e::text, ' ') from imaging.audit_events e").await.unwrap();
    assert!(kept.contains("statusReason") && kept.contains("emergencies"), "{kept}");
    for word in ["died", "crash", "cough", "Doe", "1970"] {
        assert!(!kept.contains(word), "{word} in {kept}");
    }
    let cancelled = events(&hospital, "action=order.cancel").await.remove(0);
    assert_eq!((&cancelled["reason"], &cancelled["emergencyReason"]), (&json!(WHY), &Value::Null));
    let read = events(&hospital, "emergency=true").await.remove(0);
    assert_eq!((&read["reason"], &read["emergencyReason"]), (&Value::Null, &json!(WHY)));
    assert_eq!((&cancelled["reasonLost"], &read["reasonLost"]), (&json!(false), &json!(false)));
}

#[tokio::test]
async fn a_reason_whose_key_is_gone_is_said_to_be_lost_and_hides_nothing_else() {
    let mut hospital = Hospital::open_with(|settings| settings.timers.clear()).await;
    let old = hospital.setting("phi_keys");
    let new = local::secrets::new_phi_keys().unwrap().replace("k1:", "k2:");
    cancels(&hospital, WHY).await;
    for (keys, reason, lost) in [(format!("{new},{old}"), json!(WHY), false), (new, Value::Null, true)] {
        hospital.host.settings_mut().variables.insert("phi_keys".to_owned(), keys);
        hospital.host.restart().await.unwrap();

        let event = events(&hospital, "action=order.cancel").await.remove(0);
        assert_eq!((&event["reason"], &event["reasonLost"]), (&reason, &json!(lost)), "{event}");
        assert_eq!((&event["actor"], &event["patientIds"]), (&json!("provider-1"), &json!(["MRN-1"])));
    }
    // One that was sealed for another row is as good as lost.
    hospital
        .execute(
            "update imaging.audit_events set resource_id = gen_random_uuid() where action = 'order.cancel'",
        )
        .await;
    hospital.host.settings_mut().variables.insert("phi_keys".to_owned(), old);
    hospital.host.restart().await.unwrap();
    let event = events(&hospital, "action=order.cancel").await.remove(0);
    assert_eq!((&event["reason"], &event["reasonLost"]), (&Value::Null, &json!(true)), "{event}");
}

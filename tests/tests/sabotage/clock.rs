//! Days pass.

use serde_json::{Value, json};
use tests::{
    Hospital,
    hospital::{id, instance_of},
};

use crate::scanner;

async fn hours_pass(hospital: &Hospital, hours: u32) {
    let shift = format!("insert into imaging.clock_shift values ('{hours} hours')");
    hospital.execute(&format!("delete from imaging.clock_shift; {shift}")).await;
}

async fn swept(hospital: &Hospital, upload: &Value) -> Value {
    hospital.machine().post("/tasks/sweep", json!({})).await.expect(200);
    let path = format!("/api/ingest/{}", id(upload));
    hospital.technologist().get(&path).await.expect(200)["ingest"].take()
}

#[tokio::test]
async fn an_upload_to_which_nothing_was_sent_expires_after_its_day_and_not_before() {
    let hospital = Hospital::open_with(|settings| settings.timers.clear()).await;
    let offer = scanner::offers(&hospital, 1).await.remove(0);

    hours_pass(&hospital, 23).await;
    assert_eq!(swept(&hospital, &offer).await["status"], "EXPECTED");

    hours_pass(&hospital, 26).await;
    let expired = swept(&hospital, &offer).await;
    assert_eq!((&expired["status"], &expired["reason"]), (&json!("EXPIRED"), &json!("never_sent")));
    assert_eq!(expired["upload"], Value::Null, "no URL is signed for what has expired");
}

#[tokio::test]
async fn an_image_that_arrived_while_events_and_sweep_were_off_for_two_days_is_still_stored() {
    let hospital = Hospital::open_with(|settings| settings.timers.clear()).await;
    let study = hospital.registered_study().await;
    let files: Vec<_> = (0..3).map(|_| instance_of(&study)).collect();
    let offers = scanner::sends(&hospital, &files).await;

    hours_pass(&hospital, 49).await;

    for offer in &offers {
        let ingest = swept(&hospital, offer).await;
        assert_eq!(ingest["status"], "STORED", "{ingest}");
    }
    let read = hospital.technologist().get(&format!("/api/studies/{}", id(&study))).await.expect(200);
    assert_eq!(read["study"]["numberOfInstances"], 3);
}

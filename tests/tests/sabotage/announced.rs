//! The same blob is announced more than once.

use futures::future::join_all;
use serde_json::{Value, json};
use tests::{
    Hospital, Reply,
    hospital::{id, instance_of},
};

use crate::scanner;

#[tokio::test]
async fn a_blob_that_is_announced_five_times_at_once_while_the_sweep_runs_is_one_image() {
    let hospital = Hospital::open().await;
    let (technologist, machine) = (hospital.technologist(), hospital.machine());

    for round in 0..5 {
        let study = hospital.registered_study().await;
        let offers = scanner::sends(&hospital, &[instance_of(&study)]).await;
        let offer = &offers[0];

        let announcements: [Value; 5] = [
            json!([scanner::event_grid(offer)]),
            json!([scanner::event_grid(offer), scanner::event_grid(offer)]),
            scanner::cloud_event(offer),
            json!([scanner::cloud_event(offer)]),
            scanner::event_grid(offer),
        ];
        let announce = join_all(announcements.into_iter().map(|event| machine.post("/events/blob", event)));
        let sweep = machine.post("/tasks/sweep", json!({}));
        let (announced, swept): (Vec<Reply>, Reply) = tokio::join!(announce, sweep);

        for reply in announced.iter().chain([&swept]) {
            reply.expect_status(200);
        }
        let ingest = hospital.settled(id(offer)).await;
        assert_eq!(ingest["status"], "STORED", "round {round}: {ingest}");
        let read =
            technologist.get(&format!("/api/studies/{}", id(&study))).await.expect(200)["study"].take();
        assert_eq!(read["numberOfInstances"], 1, "round {round}");
        assert_eq!(read["images"].as_array().unwrap().len(), 1, "round {round}");
        assert_eq!(read["order"]["status"], "IN_PROGRESS");
    }

    // What is told of it is told once, too.
    for (once, of) in
        [("upload.stored", "audit_events where action"), ("study.changed", "outbox where topic")]
    {
        let told = hospital.sql(&format!("select count(*)::text from imaging.{of} = '{once}'")).await;
        assert_eq!(told.as_deref(), Some("5"), "{once}");
    }
}

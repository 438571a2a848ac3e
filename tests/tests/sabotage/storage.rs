//! Blob storage is out of reach.

use local::{Azurite, Stack, stack::Private};
use serde_json::{Value, json};
use tests::{
    Hospital,
    hospital::{ct_chest, id, instance_of},
};

use crate::scanner;

/// A hospital with a storage that can be taken from it, and whose host sweeps only when it is asked to.
async fn open() -> (Hospital, Private<Azurite>) {
    let azurite = Stack::shared().await.unwrap().private_azurite().await.unwrap();
    let account = azurite.get().unwrap().account();
    account.create_container("images").await.unwrap();
    let hospital = Hospital::open_with(|settings| {
        settings.timers.clear();
        settings.variables.extend(
            [
                ("azure_storage_connection_string", account.connection_string()),
                ("azure_storage_container_name", "images".to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
    })
    .await;
    (hospital, azurite)
}

async fn ingest_of(hospital: &Hospital, offer: &Value) -> Value {
    hospital.technologist().get(&format!("/api/ingest/{}", id(offer))).await.expect(200)["ingest"].take()
}

#[tokio::test]
async fn while_storage_is_out_of_reach_nothing_is_given_up_and_what_needs_no_storage_works() {
    let (hospital, mut azurite) = open().await;
    let (provider, technologist, machine) =
        (hospital.provider(), hospital.technologist(), hospital.machine());
    let order = provider.places(ct_chest()).await;
    let study = technologist.registers(&order).await;
    let first = scanner::sends(&hospital, &[instance_of(&study)]).await;
    machine.post("/tasks/sweep", json!({})).await.expect(200);
    let image = hospital.settled(id(&first[0])).await["imageId"].clone();
    let image = image.as_str().expect("a stored image");
    let arrived = scanner::sends(&hospital, &[instance_of(&study), instance_of(&study)]).await;
    let awaited = scanner::offers(&hospital, 1).await;

    azurite.get_mut().unwrap().stop();

    // More often than a file may end its reader before it is put aside.
    for _ in 0..12 {
        let event = json!([scanner::event_grid(&arrived[0])]);
        machine.post("/events/blob", event).await.expect_unavailable();
        machine.post("/tasks/sweep", json!({})).await.expect_unavailable();
    }
    // Nor does it count against an upload that storage could not be asked about it when its time had run out.
    hospital.execute("insert into imaging.clock_shift values ('3 days')").await;
    machine.post("/tasks/sweep", json!({})).await.expect_unavailable();
    for offer in arrived.iter().chain(&awaited) {
        let ingest = ingest_of(&hospital, offer).await;
        assert_eq!((&ingest["status"], &ingest["reason"]), (&json!("EXPECTED"), &Value::Null), "{ingest}");
    }
    let health = hospital.anonymous().get("/health").await;
    health.expect_status(503);
    assert_eq!(health.body["checks"]["storage"]["status"], "down", "{health}");
    assert_eq!(health.body["checks"]["database"]["status"], "up", "{health}");
    provider.places(ct_chest()).await;
    provider.get(&format!("/api/imaging-orders/{}", id(&order))).await.expect(200);
    technologist.get(&format!("/api/studies/{}/images", id(&study))).await.expect(200);
    technologist.get(&format!("/api/images/{image}")).await.expect(200);
    // A URL is signed without asking storage.
    technologist.get(&format!("/api/images/{image}/url")).await.expect(200);
    technologist.post("/api/uploads", json!({"count": 1})).await.expect(201);

    azurite.get_mut().unwrap().start_again().await.unwrap();

    hospital.anonymous().get("/health").await.expect_status(200);
    hospital
        .wait_for("the sweep to find what had arrived", async || {
            // What storage was asked about in vain is asked about again a minute later.
            hospital.execute("update imaging.clock_shift set shift = shift + interval '1 minute'").await;
            machine.post("/tasks/sweep", json!({})).await.expect(200);
            let stored = ingest_of(&hospital, &arrived[0]).await["status"] == "STORED"
                && ingest_of(&hospital, &arrived[1]).await["status"] == "STORED";
            stored.then_some(())
        })
        .await;
    for offer in &arrived {
        assert_eq!(ingest_of(&hospital, offer).await["attempts"], 1, "what storage refused is no attempt");
    }
    let study = technologist.get(&format!("/api/studies/{}", id(&study))).await.expect(200)["study"].take();
    assert_eq!(study["numberOfInstances"], 3);
}

//! Several people, or machines, do the same or what belongs together at the same time.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Hospital, Reply,
    actor::study_of,
    dicom,
    hospital::{ct_chest, id, instance_of},
};

use crate::scanner;

/// Orders, each with so many studies in progress.
async fn orders_in_progress(hospital: &Hospital, orders: usize, studies: usize) -> Vec<(Value, Vec<Value>)> {
    let (provider, technologist) = (hospital.provider(), hospital.technologist());
    let mut placed = Vec::new();
    let mut files = Vec::new();
    for _ in 0..orders {
        let order = provider.places(ct_chest()).await;
        let mut registered = Vec::new();
        for _ in 0..studies {
            registered.push(technologist.registers(&order).await);
        }
        files.extend(registered.iter().map(instance_of));
        placed.push((order, registered));
    }
    let offers = scanner::sends(hospital, &files).await;
    scanner::stored(hospital, &offers).await;
    placed
}

async fn last_studies_complete_their_order(hospital: &Hospital, orders: usize, studies: usize) {
    let technologist = hospital.technologist();
    for (order, studies) in orders_in_progress(hospital, orders, studies).await {
        let completed = join_all(studies.iter().map(|study| technologist.moves(study, "COMPLETED"))).await;

        for reply in completed {
            assert_eq!(reply.expect(200)["study"]["status"], "COMPLETED");
        }
        let path = format!("/api/imaging-orders/{}", id(&order));
        let read = technologist.get(&path).await.expect(200)["order"].take();
        assert_eq!(read["status"], "COMPLETED");
        let statuses: Vec<_> =
            read["studies"].as_array().unwrap().iter().map(|study| study["status"].clone()).collect();
        assert_eq!(statuses, vec!["COMPLETED"; studies.len()]);
        // It was told to the others once.
        let told = format!(
            "select count(*)::text from imaging.audit_events
              where action = 'order.follow_study' and resource_id = '{}' and resource_version = {}",
            id(&order),
            read["version"]
        );
        assert_eq!(hospital.sql(&told).await.as_deref(), Some("1"));
    }
}

#[tokio::test]
async fn an_order_is_completed_however_its_last_two_studies_are_completed_at_once() {
    let hospital = Hospital::open().await;
    last_studies_complete_their_order(&hospital, 20, 2).await;
}

#[tokio::test]
async fn an_order_is_completed_however_its_eight_studies_are_completed_at_once() {
    let hospital = Hospital::open().await;
    last_studies_complete_their_order(&hospital, 5, 8).await;
}

#[tokio::test]
async fn a_hundred_images_of_one_study_filed_at_once_are_counted_and_move_study_and_order_once() {
    let hospital = Hospital::open_with(|settings| settings.timers.clear()).await;
    let (provider, machine) = (hospital.provider(), hospital.machine());
    let order = provider.places(ct_chest()).await;
    let study = hospital.technologist().registers(&order).await;
    let path = format!("/api/imaging-orders/{}", id(&order));
    let before = provider.get(&path).await.expect(200)["order"]["version"].as_u64().unwrap();
    let files: Vec<_> = (0..100)
        .map(|number| {
            let series = 1 + number % 4;
            instance_of(&study).series(&format!("1.2.3.{series}")).number(series, number)
        })
        .collect();
    let offers = scanner::sends(&hospital, &files).await;

    let announce = join_all(offers.chunks(5).map(async |offers| {
        let events: Vec<Value> = offers.iter().map(scanner::event_grid).collect();
        machine.post("/events/blob", json!(events)).await
    }));
    let (announced, swept) = tokio::join!(announce, machine.post("/tasks/sweep", json!({})));

    swept.expect(200);
    for reply in announced {
        assert_eq!(reply.expect(200), json!({"accepted": 5, "ignored": 0}));
    }
    let read =
        hospital.radiologist().get(&format!("/api/studies/{}", id(&study))).await.expect(200)["study"].take();
    assert_eq!((&read["numberOfInstances"], &read["numberOfSeries"]), (&json!(100), &json!(4)));
    assert_eq!(read["images"].as_array().unwrap().len(), 100);
    assert_eq!(read["status"], "IN_PROGRESS");
    let after = provider.get(&path).await.expect(200)["order"].take();
    assert_eq!((&after["status"], &after["version"]), (&json!("IN_PROGRESS"), &json!(before + 1)));
    let moved = "select count(*)::text from imaging.outbox where topic = 'study.changed'";
    assert_eq!(hospital.sql(moved).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_study_instance_uid_that_ten_clients_register_at_once_is_given_once() {
    let hospital = Hospital::open().await;
    let order = hospital.provider().places(ct_chest()).await;
    let technologist = hospital.technologist();
    for _ in 0..5 {
        let mut study = study_of(&order);
        study["studyInstanceUID"] = json!(dicom::uid());

        let replies = join_all((0..10).map(|_| technologist.post("/api/studies", study.clone()))).await;

        let (made, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 201);
        assert_eq!(made.len(), 1);
        for reply in refused {
            reply.expect_refusal(409, "duplicate");
        }
    }
    let studies = hospital.sql("select count(*)::text from imaging.studies").await;
    assert_eq!(studies.as_deref(), Some("5"));
}

#[tokio::test]
async fn an_order_that_is_cancelled_by_five_at_once_is_cancelled_once() {
    let hospital = Hospital::open().await;
    let order = hospital.provider().places(ct_chest()).await;
    let path = format!("/api/imaging-orders/{}", id(&order));
    let provider = hospital.provider();

    let replies = join_all((0..5).map(|_| provider.delete(&path))).await;

    let (done, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 200);
    assert_eq!(done.len(), 1);
    for reply in refused {
        reply.expect_status(409);
        assert_eq!(reply.body["current"], "CANCELLED", "{reply}");
    }
    // The same again later is the same refusal, and changes nothing.
    provider.delete(&path).await.expect_status(409);
    let read = provider.get(&path).await.expect(200)["order"].take();
    assert_eq!((&read["status"], &read["version"]), (&json!("CANCELLED"), &json!(2)));
}

#[tokio::test]
async fn an_order_that_is_cancelled_while_its_study_is_scanned_leaves_no_study_that_nobody_can_finish() {
    let hospital = Hospital::open_with(|settings| settings.timers.clear()).await;
    let (provider, machine) = (hospital.provider(), hospital.machine());
    for _ in 0..10 {
        let order = provider.places(ct_chest()).await;
        let study = hospital.technologist().registers(&order).await;
        let offers = scanner::sends(&hospital, &[instance_of(&study)]).await;
        let path = format!("/api/imaging-orders/{}", id(&order));

        let event = json!([scanner::event_grid(&offers[0])]);
        let (announced, cancelled) =
            tokio::join!(machine.post("/events/blob", event), provider.delete(&path));

        announced.expect_status(200);
        let ingest = hospital.settled(id(&offers[0])).await;
        let read = provider.get(&path).await.expect(200)["order"].take();
        match cancelled.status {
            // Cancelled first: its study is, too, and the image is held for somebody to decide.
            200 => {
                assert_eq!(
                    (&read["status"], &read["studies"][0]["status"]),
                    (&json!("CANCELLED"), &json!("CANCELLED"))
                );
                assert_eq!(
                    (&ingest["status"], &ingest["reason"]),
                    (&json!("CONFLICT"), &json!("study_cancelled"))
                );
            }
            // Scanned first: that needs a reason now.
            _ => {
                cancelled.expect_refusal(422, "invalid");
                assert_eq!(
                    (&read["status"], &read["studies"][0]["status"]),
                    (&json!("IN_PROGRESS"), &json!("IN_PROGRESS"))
                );
                assert_eq!(ingest["status"], "STORED");
            }
        }
    }
}

#[tokio::test]
async fn of_two_files_that_bring_one_instance_to_two_studies_at_once_one_is_filed_and_one_is_held() {
    let hospital = Hospital::open_with(|settings| settings.timers.clear()).await;
    let (first, second) = (hospital.registered_study().await, hospital.registered_study().await);
    for _ in 0..15 {
        let sop = dicom::uid();
        let files = [&first, &second]
            .map(|study| instance_of(study).sop(&sop).text((0x0020, 0x4000), "LT", id(study)));
        let offers = scanner::sends(&hospital, &files).await;
        // An event each, so that each is taken up by a component of its own.
        let machine = hospital.machine();
        join_all(offers.iter().map(async |offer| {
            machine.post("/events/blob", scanner::event_grid(offer)).await.expect(200);
        }))
        .await;

        let mut kept = Vec::new();
        for (offer, file) in offers.iter().zip(&files) {
            let ingest = hospital.settled(id(offer)).await;
            match ingest["status"].as_str() {
                Some("STORED") => kept.push((ingest, file.write().unwrap())),
                Some("CONFLICT") => assert_eq!(ingest["reason"], "instance_exists", "{ingest}"),
                _ => panic!("{ingest}"),
            }
        }
        let [(ingest, bytes)] = kept.as_slice() else { panic!("{} were filed", kept.len()) };
        let image = hospital.stored(ingest["imageId"].as_str().unwrap()).await;
        assert_eq!(image["studyId"], ingest["studyId"]);
        let url = hospital.technologist().get(&format!("/api/images/{}/url", id(&image))).await.expect(200);
        assert_eq!(hospital.fetch(url["url"].as_str().unwrap()).await, *bytes);
    }
    let counted = "select sum(number_of_instances)::text from imaging.studies";
    assert_eq!(hospital.sql(counted).await.as_deref(), Some("15"));
}

#[tokio::test]
async fn an_image_that_is_filed_while_another_study_announces_it_stays_where_it_is() {
    let hospital = Hospital::open_with(|settings| settings.timers.clear()).await;
    let (first, second) = (hospital.registered_study().await, hospital.registered_study().await);
    let (machine, technologist) = (hospital.machine(), hospital.technologist());
    for _ in 0..15 {
        let (series, sop) = (dicom::uid(), dicom::uid());
        let file = instance_of(&first).series(&series).sop(&sop);
        let offers = scanner::sends(&hospital, std::slice::from_ref(&file)).await;
        let announcement = json!({"seriesInstanceUID": series, "sopInstanceUID": sop, "seriesNumber": 1, "instanceNumber": 1});
        let path = format!("/api/studies/{}/images", id(&second));
        let (_, announced) = futures::join!(
            async { machine.post("/events/blob", scanner::event_grid(&offers[0])).await.expect(200) },
            technologist.post(&path, announcement),
        );

        let ingest = hospital.settled(id(&offers[0])).await;
        if announced.status == 201 {
            // It was announced first: then the file is for somebody to look at, and the announcement stands.
            assert_eq!(
                (&ingest["status"], &ingest["reason"]),
                (&json!("CONFLICT"), &json!("instance_exists"))
            );
            continue;
        }
        announced.expect_refusal(409, "duplicate");
        assert_eq!(ingest["status"], "STORED", "{ingest}");
        let image = hospital.stored(ingest["imageId"].as_str().unwrap()).await;
        assert_eq!((&image["studyId"], &image["storageUrl"]), (&first["id"], &ingest["blob"]));
    }
}

/// How many rows of what a signature leaves behind there are: an event of the audit, a message to others, a version.
async fn signatures(hospital: &Hospital, report: &Value) -> Option<String> {
    let of_report = format!("= '{}'", id(report));
    hospital
        .sql(&format!(
            "select concat_ws(' ',
                (select count(*) from imaging.audit_events
                  where action = 'report.sign' and outcome = 'SUCCESS' and resource_id {of_report}),
                (select count(*) from imaging.outbox where topic = 'report.signed' and resource_id {of_report}),
                (select count(*) from imaging.report_versions where status = 'FINAL' and report_id {of_report}))"
        ))
        .await
}

#[tokio::test]
async fn of_a_hundred_signatures_at_once_one_is_put_under_the_report() {
    let hospital = Hospital::open_with(|settings| settings.timers.clear()).await;
    let study = hospital.completed_study().await;
    let report = hospital.reports(&study, "PRELIMINARY").await;
    let radiologist = hospital.radiologist();

    let replies = join_all((0..100).map(|_| radiologist.signs(&report))).await;

    let (signed, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 200);
    assert_eq!((signed.len(), refused.len()), (1, 99));
    for reply in refused {
        reply.expect_illegal_step("report_already_signed", "FINAL", &["AMENDED", "CORRECTED"]);
    }
    assert_eq!(signatures(&hospital, &report).await.as_deref(), Some("1 1 1"));
    let read = radiologist.get(&format!("/api/reports/{}", id(&report))).await.expect(200)["report"].take();
    assert_eq!(
        (&read["status"], &read["version"], &read["contentVersion"]),
        (&json!("FINAL"), &json!(2), &json!(2))
    );
    let study = radiologist.get(&format!("/api/studies/{}", id(&study))).await.expect(200)["study"].take();
    assert_eq!(study["status"], "FINAL");
}

#[tokio::test]
async fn a_hundred_signatures_at_once_under_one_key_are_one_and_answered_alike() {
    let hospital = Hospital::open_with(|settings| settings.timers.clear()).await;
    let report = hospital.reports(&hospital.completed_study().await, "PRELIMINARY").await;
    let radiologist = hospital.radiologist();

    let replies = join_all((0..100).map(|_| {
        let request = radiologist.request(Method::POST, &format!("/api/reports/{}/sign", id(&report)));
        Reply::of(request.header("idempotency-key", "k-1"))
    }))
    .await;

    for reply in &replies {
        assert_eq!((reply.status, &reply.text), (200, &replies[0].text));
    }
    assert_eq!(signatures(&hospital, &report).await.as_deref(), Some("1 1 1"));
}

#[tokio::test]
async fn a_report_that_is_signed_edited_and_deleted_at_once_is_what_one_of_them_made_of_it() {
    let hospital = Hospital::open_with(|settings| settings.timers.clear()).await;
    let radiologist = hospital.radiologist();
    for _ in 0..10 {
        let study = hospital.completed_study().await;
        let report = hospital.reports(&study, "PRELIMINARY").await;
        let path = format!("/api/reports/{}", id(&report));

        let (signed, edited, deleted) = futures::join!(
            radiologist.signs(&report),
            radiologist.patch(&path, json!({"technique": "Helical"})),
            radiologist.delete(&path),
        );

        let read = radiologist.get(&path).await;
        let study =
            radiologist.get(&format!("/api/studies/{}", id(&study))).await.expect(200)["study"].take();
        if deleted.status == 204 {
            signed.expect_refusal(404, "not_found");
            read.expect_refusal(404, "not_found");
            assert_eq!(study["status"], "COMPLETED");
            continue;
        }
        deleted.expect_illegal_step("report_not_deletable", "FINAL", &["AMENDED", "CORRECTED"]);
        signed.expect_status(200);
        let read = read.expect(200)["report"].take();
        // Edited before it was signed, or not at all.
        let versions = if edited.status == 200 { 3 } else { 2 };
        assert_eq!((&read["status"], &read["contentVersion"]), (&json!("FINAL"), &json!(versions)));
        assert_eq!(study["status"], "FINAL");
    }
}

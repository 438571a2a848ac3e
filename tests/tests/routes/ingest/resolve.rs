use futures::future::join_all;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tests::{
    Hospital, Reply,
    actor::report_of,
    dicom::{Instance, instance, uid},
    hospital::{ct_chest, id, instance_of},
};

fn file(instance: Instance) -> Vec<u8> {
    instance.write().expect("a DICOM file")
}

fn verdict(ingest: &Value) -> String {
    let text = |name: &str| ingest[name].as_str().unwrap_or("-").to_owned();
    let differences: Vec<&str> =
        ingest["differences"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    format!("{} {} {}", text("status"), text("reason"), differences.join(" ")).trim_end().to_owned()
}

async fn resolve(hospital: &Hospital, ingest: &Value, resolution: Value) -> Reply {
    hospital.technologist().post(&format!("/api/ingest/{}/resolve", id(ingest)), resolution).await
}

/// The decision, and what had become of the upload once it was carried out.
async fn resolved(hospital: &Hospital, ingest: &Value, resolution: Value) -> Value {
    resolve(hospital, ingest, resolution).await.expect_status(200);
    hospital.settled(id(ingest)).await
}

async fn study(hospital: &Hospital, study: &Value) -> Value {
    let path = format!("/api/studies/{}", id(study));
    hospital.radiologist().get(&path).await.expect(200)["study"].take()
}

async fn bytes_of(hospital: &Hospital, image: &Value) -> Vec<u8> {
    let path = format!("/api/images/{}/url", image.as_str().unwrap());
    let url = hospital.radiologist().get(&path).await.expect(200)["url"].take();
    hospital.fetch(url.as_str().unwrap()).await
}

#[tokio::test]
async fn another_patients_image_is_attached_to_the_study_that_a_person_names() {
    let hospital = Hospital::open().await;
    let (named, other) = (hospital.registered_study().await, hospital.registered_study().await);
    let sent = file(instance_of(&other).patient("MRN-TYPO", "Roe^Richard").born("19991231").sex("M"));
    let held = hospital.receives(sent.clone()).await;
    assert_eq!(verdict(&held), "CONFLICT another_patient patientId");

    let reply = resolve(&hospital, &held, json!({"action": "ATTACH", "studyId": id(&named)})).await;

    // It is filed at once, and nobody has to ask again.
    let attached = reply.expect(200)["ingest"].take();
    assert_eq!(attached["id"], held["id"]);
    let attached = if attached["status"] == "STORED" { attached } else { hospital.settled(id(&held)).await };
    assert_eq!((verdict(&attached), &attached["studyId"]), ("STORED -".to_owned(), &named["id"]));
    assert!(bytes_of(&hospital, &attached["imageId"]).await == sent);
    let after = study(&hospital, &named).await;
    assert_eq!((&after["numberOfInstances"], &after["status"]), (&json!(1), &json!("IN_PROGRESS")));
    // Whose study it is, no file says that had to be put there.
    for field in ["patientId", "patientName", "patientDOB", "patientSex"] {
        assert_eq!(after[field], named[field], "{field}");
    }
    assert_eq!(study(&hospital, &other).await["numberOfInstances"], 0);
}

#[tokio::test]
async fn what_speaks_against_an_image_is_accepted_by_a_person() {
    let hospital = Hospital::open().await;

    // Another patient, by the number of the study.
    let registered = hospital.registered_study().await;
    let held = hospital.receives(file(instance_of(&registered).patient("MRN-2", "Doe^Jane"))).await;
    let accepted = resolved(&hospital, &held, json!({"action": "ACCEPT"})).await;
    assert_eq!((verdict(&accepted), &accepted["studyId"]), ("STORED -".to_owned(), &registered["id"]));

    // Another UID than the images that are there have.
    assert_eq!(verdict(&hospital.receives(file(instance_of(&registered))).await), "STORED -");
    let held = hospital.receives(file(instance_of(&registered).study(&uid()))).await;
    assert_eq!(verdict(&held), "CONFLICT another_study studyInstanceUID");
    let before = study(&hospital, &registered).await;
    let accepted = resolved(&hospital, &held, json!({"action": "ACCEPT"})).await;
    assert_eq!((verdict(&accepted), &accepted["studyId"]), ("STORED -".to_owned(), &registered["id"]));
    let after = study(&hospital, &registered).await;
    assert_eq!(
        (&after["studyInstanceUID"], &after["numberOfInstances"]),
        (&before["studyInstanceUID"], &json!(3))
    );

    // A study that was given up: it stays so.
    let cancelled = hospital.registered_study().await;
    hospital.technologist().moves(&cancelled, "CANCELLED").await.expect_status(200);
    let held = hospital.receives(file(instance_of(&cancelled))).await;
    assert_eq!(verdict(&held), "CONFLICT study_cancelled");
    let accepted = resolved(&hospital, &held, json!({"action": "ACCEPT"})).await;
    assert_eq!((verdict(&accepted), &accepted["studyId"]), ("STORED -".to_owned(), &cancelled["id"]));
    assert_eq!(study(&hospital, &cancelled).await["status"], "CANCELLED");

    // An order that was, too.
    let order = hospital.provider().places(ct_chest()).await;
    hospital.provider().delete(&format!("/api/imaging-orders/{}", id(&order))).await.expect_status(200);
    let accession = order["accessionNumber"].as_str().unwrap();
    let held = hospital.receives(file(instance().accession(accession))).await;
    assert_eq!(verdict(&held), "CONFLICT order_not_open");
    let accepted = resolved(&hospital, &held, json!({"action": "ACCEPT"})).await;
    assert_eq!(verdict(&accepted), "STORED -");
    let made = study(&hospital, &json!({"id": accepted["studyId"]})).await;
    assert_eq!((&made["orderId"], &made["order"]["status"]), (&order["id"], &json!("CANCELLED")));

    // No order at all.
    let held = hospital.receives(file(instance())).await;
    assert_eq!(verdict(&held), "CONFLICT no_order");
    let accepted = resolved(&hospital, &held, json!({"action": "ACCEPT"})).await;
    assert_eq!(verdict(&accepted), "STORED -");
    let made = study(&hospital, &json!({"id": accepted["studyId"]})).await;
    assert_eq!((&made["orderId"], &made["patientName"]), (&Value::Null, &json!("Doe^Jane")));
}

#[tokio::test]
async fn another_instance_than_was_announced_is_accepted_as_the_one_that_it_is() {
    let hospital = Hospital::open().await;
    let registered = hospital.registered_study().await;
    let (announced, sent) = (uid(), uid());
    let instance = json!({
        "seriesInstanceUID": "1.2.3", "sopInstanceUID": announced, "seriesNumber": 1, "instanceNumber": 1,
    });
    let images = format!("/api/studies/{}/images", id(&registered));
    let answer = hospital.technologist().post(&images, instance.clone()).await.expect(201);
    hospital.send(&answer["upload"], file(instance_of(&registered).sop(&sent))).await.expect_status(201);
    let upload = answer["image"]["storageUrl"].as_str().unwrap().rsplit('/').next().unwrap();
    let held = hospital.settled(upload.trim_end_matches(".dcm")).await;
    assert_eq!(verdict(&held), "CONFLICT another_instance sopInstanceUID");

    let accepted = resolved(&hospital, &held, json!({"action": "ACCEPT"})).await;

    assert_eq!(verdict(&accepted), "STORED -");
    assert_ne!(accepted["imageId"], answer["image"]["id"]);
    let image = hospital.stored(accepted["imageId"].as_str().unwrap()).await;
    assert_eq!(image["sopInstanceUID"], sent.as_str());
    // The one that was announced still may come, by an upload of its own.
    let again = hospital.technologist().post(&images, instance).await.expect(201);
    assert_eq!(
        (&again["image"]["id"], &again["image"]["status"]),
        (&answer["image"]["id"], &json!("EXPECTED"))
    );
    hospital
        .send(&again["upload"], file(instance_of(&registered).series("1.2.3").sop(&announced)))
        .await
        .expect_status(201);
    hospital.stored(id(&again["image"])).await;
}

#[tokio::test]
async fn of_two_contents_under_one_uid_a_person_says_which_is_served_and_can_take_it_back() {
    let hospital = Hospital::open().await;
    let registered = hospital.registered_study().await;
    let made = instance_of(&registered);
    let (first, second) = (file(made.clone()), file(made.text((0x0008, 0x103e), "LO", "retouched")));
    let stored = hospital.receives(first.clone()).await;
    hospital.technologist().moves(&registered, "COMPLETED").await.expect_status(200);
    let report = hospital.radiologist().writes(report_of(&registered)).await;
    hospital.radiologist().signs(&report).await.expect_status(200);
    let held = hospital.receives(second.clone()).await;
    assert_eq!(verdict(&held), "CONFLICT instance_exists content");
    // Who decides can look at both.
    let shown = hospital.technologist().get(&format!("/api/ingest/{}", id(&held))).await.expect(200);
    assert!(hospital.fetch(shown["ingest"]["file"]["url"].as_str().unwrap()).await == second);
    let shown = hospital.service().get(&format!("/api/ingest/{}", id(&held))).await.expect(200);
    assert_eq!(shown["ingest"].get("file"), None);

    let accepted = resolved(&hospital, &held, json!({"action": "ACCEPT"})).await;

    assert_eq!((verdict(&accepted), &accepted["imageId"]), ("STORED -".to_owned(), &stored["imageId"]));
    assert!(bytes_of(&hospital, &stored["imageId"]).await == second);
    let image = hospital.stored(stored["imageId"].as_str().unwrap()).await;
    assert_eq!((&image["seriesDescription"], &image["version"]), (&json!("retouched"), &json!(2)));
    assert_eq!(image["metadata"]["0008103E"]["Value"], json!(["retouched"]));
    // The first is kept, and whoever signed the report is told to look again.
    let former = hospital.settled(id(&stored)).await;
    assert_eq!(verdict(&former), "QUARANTINED replaced");
    assert!(hospital.blob(former["blob"].as_str().unwrap()).await == Some(first.clone()));
    let after = study(&hospital, &registered).await;
    assert_eq!((&after["numberOfInstances"], &after["status"]), (&json!(1), &json!("FINAL")));
    assert!(after["imagesAfterReportAt"].is_string(), "{after}");
    let told = "select count(*)::text from imaging.outbox where topic = 'study.images_after_report'";
    assert_eq!(hospital.sql(told).await.as_deref(), Some("1"));

    let conflict = resolved(&hospital, &former, json!({"action": "RETRY"})).await;
    assert_eq!(verdict(&conflict), "CONFLICT instance_exists content");
    let back = resolved(&hospital, &conflict, json!({"action": "ACCEPT"})).await;
    assert_eq!(verdict(&back), "STORED -");
    assert!(bytes_of(&hospital, &stored["imageId"]).await == first);
    let image = hospital.stored(stored["imageId"].as_str().unwrap()).await;
    assert_eq!((&image["seriesDescription"], &image["version"]), (&Value::Null, &json!(3)));
}

#[tokio::test]
async fn what_is_rejected_is_filed_nowhere_and_kept_and_may_be_taken_up_again() {
    let hospital = Hospital::open().await;
    let order = hospital.provider().places(ct_chest()).await;
    let sent =
        file(instance().accession(order["accessionNumber"].as_str().unwrap()).patient("MRN-2", "Doe^Jane"));
    let held = hospital.receives(sent.clone()).await;

    let rejected = resolve(&hospital, &held, json!({"action": "REJECT"})).await.expect(200)["ingest"].take();

    assert_eq!(verdict(&rejected), "QUARANTINED rejected patientId");
    assert_eq!(rejected.get("file"), None);
    assert!(hospital.blob(rejected["blob"].as_str().unwrap()).await == Some(sent));
    // The mistake was the order's: a new one is placed for the right patient under the number that the machine knows.
    hospital.execute("update imaging.orders set patient_id = 'MRN-2'").await;
    let retried = resolved(&hospital, &rejected, json!({"action": "RETRY"})).await;
    assert_eq!(verdict(&retried), "STORED -");
}

#[tokio::test]
async fn what_is_quarantined_is_tried_again_and_is_no_better_for_it() {
    let hospital = Hospital::open().await;
    let quarantined = hospital.receives(b"not a DICOM file, but long enough to look at".repeat(8)).await;
    assert_eq!(verdict(&quarantined), "QUARANTINED not_dicom");

    let again = resolved(&hospital, &quarantined, json!({"action": "RETRY"})).await;

    assert_eq!(verdict(&again), "QUARANTINED not_dicom");
    assert_eq!(again["attempts"], 2);
}

#[tokio::test]
async fn what_cannot_be_decided_is_refused_with_what_can() {
    let hospital = Hospital::open().await;
    let registered = hospital.registered_study().await;
    let stored = hospital.receives(file(instance_of(&registered))).await;
    let quarantined = hospital.receives(b"not a DICOM file, but long enough to look at".repeat(8)).await;
    let offer =
        hospital.technologist().post("/api/uploads", json!({})).await.expect(201)["uploads"][0].take();
    for (ingest, action, allowed) in [
        (&stored, "RETRY", json!([])),
        (&offer, "REJECT", json!([])),
        (&quarantined, "ACCEPT", json!(["REJECT", "RETRY"])),
    ] {
        let reply = resolve(&hospital, ingest, json!({"action": action})).await;
        reply.expect_refusal(409, "ingest_not_resolvable");
        assert_eq!(reply.body["allowed"], allowed, "{reply}");
        assert_eq!(
            reply.body["current"],
            hospital
                .sql(&format!("select status from imaging.uploads where id = '{}'", id(ingest)))
                .await
                .unwrap()
                .as_str()
        );
    }
    // One instance is in one place.
    let sop = uid();
    hospital.receives(file(instance_of(&registered).sop(&sop))).await;
    let held = hospital.receives(file(instance_of(&registered).sop(&sop).series(&uid()))).await;
    assert_eq!(verdict(&held), "CONFLICT instance_exists seriesInstanceUID");
    for resolution in [json!({"action": "ACCEPT"}), json!({"action": "ATTACH", "studyId": id(&registered)})] {
        resolve(&hospital, &held, resolution).await.expect_refusal(409, "instance_exists");
    }

    let held = hospital.receives(file(instance())).await;
    let elsewhere =
        hospital.somebody_with("technologist", |claims| claims.organization_id = "org-2".to_owned());
    for (resolution, faults) in [
        (json!({}), "action is required\n"),
        (json!({"action": "FORGET"}), "action must be one of ATTACH ACCEPT REJECT RETRY\n"),
        (json!({"action": "ATTACH"}), "studyId is required\n"),
        (
            json!({"action": "REJECT", "studyId": id(&registered)}),
            "studyId is not a field that can be set here\n",
        ),
        (
            json!({"action": "ATTACH", "studyId": "019a3b1c-7e00-7abc-8def-0123456789ab"}),
            "studyId is not a study of this organization\n",
        ),
    ] {
        assert_eq!(resolve(&hospital, &held, resolution).await.expect_invalid(), faults);
    }
    let path = format!("/api/ingest/{}/resolve", id(&held));
    elsewhere.post(&path, json!({"action": "REJECT"})).await.expect_refusal(404, "not_found");
    hospital.service().post(&path, json!({"action": "REJECT"})).await.expect_refusal(403, "forbidden");
    assert_eq!(verdict(&hospital.settled(id(&held)).await), "CONFLICT no_order");
}

#[tokio::test]
async fn of_many_who_decide_at_once_one_does_and_the_image_is_there_once() {
    let hospital = Hospital::open().await;
    let registered = hospital.registered_study().await;
    let held = hospital.receives(file(instance_of(&registered).patient("MRN-2", "Doe^Jane"))).await;

    let replies = join_all((0..8).map(|number| {
        let action = if number % 2 == 0 { "ACCEPT" } else { "REJECT" };
        resolve(&hospital, &held, json!({"action": action}))
    }))
    .await;

    // A rejection does not keep another from saying so once more.
    assert!(replies.iter().all(|reply| [200, 409].contains(&reply.status)));
    assert!(replies.iter().any(|reply| reply.status == 200));
    let settled = hospital.settled(id(&held)).await;
    let stored = u64::from(settled["status"] == "STORED");
    assert!(stored == 1 || verdict(&settled).starts_with("QUARANTINED rejected"), "{settled}");
    assert_eq!(study(&hospital, &registered).await["numberOfInstances"], stored);
}

#[tokio::test]
async fn a_decision_outlives_storage_that_is_away_and_is_known_to_the_audit() {
    let hospital = Hospital::open_with(|settings| settings.timers.clear()).await;
    let registered = hospital.registered_study().await;
    let sent = file(instance_of(&registered).patient("MRN-2", "Doe^Jane"));
    let upload = hospital.uploads(sent).await;
    hospital.machine().post("/tasks/sweep", json!({})).await.expect_status(200);
    let held = hospital.settled(&upload).await;
    // Its bytes cannot be had at the moment that somebody decides: here because they are under another name.
    let moved = format!("update imaging.uploads set blob = 'elsewhere' where id = '{upload}'");
    hospital.execute(&moved).await;
    let reply = resolve(&hospital, &held, json!({"action": "ACCEPT"})).await.expect(200);
    assert_eq!(reply["ingest"]["status"], "EXPECTED");
    hospital
        .execute(&format!(
            "update imaging.uploads set blob = '{}', asked_at = now() - interval '1 minute' where id = '{upload}'",
            held["blob"].as_str().unwrap()
        ))
        .await;

    hospital.machine().post("/tasks/sweep", json!({})).await.expect_status(200);

    assert_eq!(verdict(&hospital.settled(&upload).await), "STORED -");
    let acts = "select string_agg(concat_ws(' ', actor, action, detail->>'action'), ', ' order by at, id)
                  from imaging.audit_events where action in ('upload.conflict', 'upload.resolve', 'upload.stored')";
    assert_snapshot!(hospital.sql(acts).await.unwrap(), @"ingest upload.conflict, technologist-1 upload.resolve ACCEPT, ingest upload.stored");
}

#[tokio::test]
async fn who_accepts_an_image_accepts_what_was_shown_and_nothing_else() {
    let hospital = Hospital::open().await;
    let registered = hospital.registered_study().await;
    let sop = uid();
    let made = instance_of(&registered).sop(&sop);
    let first = file(made.clone());
    let stored = hospital.receives(first.clone()).await;
    assert_eq!(verdict(&stored), "STORED -");

    // Of somebody else, it seems; that there are other bytes under its UID already, nobody was told.
    let held = hospital.receives(file(made.patient("MRN-2", "Roe^Richard"))).await;
    assert_eq!(verdict(&held), "CONFLICT another_patient patientId");
    let again = resolved(&hospital, &held, json!({"action": "ACCEPT"})).await;

    assert_eq!(verdict(&again), "CONFLICT instance_exists content");
    assert!(bytes_of(&hospital, &stored["imageId"]).await == first);
    // Now it was.
    let accepted = resolved(&hospital, &again, json!({"action": "ACCEPT"})).await;
    assert_eq!((verdict(&accepted), &accepted["imageId"]), ("STORED -".to_owned(), &stored["imageId"]));
    assert!(bytes_of(&hospital, &stored["imageId"]).await != first);
}

#[tokio::test]
async fn an_order_keeps_its_patient_whatever_an_accepted_file_says() {
    let hospital = Hospital::open().await;
    let order = hospital.provider().places(ct_chest()).await;
    let accession = order["accessionNumber"].as_str().unwrap();
    let stray = instance().accession(accession).patient("MRN-2", "Roe^Richard").born("19991231").sex("M");
    let held = hospital.receives(file(stray)).await;
    assert_eq!(verdict(&held), "CONFLICT another_patient patientId");

    let accepted = resolved(&hospital, &held, json!({"action": "ACCEPT"})).await;

    assert_eq!(verdict(&accepted), "STORED -");
    let made = study(&hospital, &json!({"id": accepted["studyId"]})).await;
    assert_eq!((&made["patientId"], &made["patientName"]), (&json!("MRN-1"), &Value::Null));
    // Its own images are welcome, and say whose it is.
    let own = instance().accession(accession).study(made["studyInstanceUID"].as_str().unwrap());
    let ingest = hospital.receives(file(own)).await;
    assert_eq!((verdict(&ingest), &ingest["studyId"]), ("STORED -".to_owned(), &made["id"]));
    assert_eq!(study(&hospital, &made).await["patientName"], "Doe^Jane");
}

#[tokio::test]
async fn a_stray_image_does_not_keep_a_studys_own_images_out() {
    let hospital = Hospital::open().await;
    let registered = hospital.registered_study().await;
    let stray = instance_of(&registered).study(&uid()).patient("MRN-2", "Roe^Richard");
    let stray = stray.text((0x0008, 0x1030), "LO", "A knee");
    let held = hospital.receives(file(stray)).await;
    let attached = resolved(&hospital, &held, json!({"action": "ATTACH", "studyId": id(&registered)})).await;
    assert_eq!(verdict(&attached), "STORED -");
    assert_eq!(study(&hospital, &registered).await["studyDescription"], Value::Null);

    let scanner = uid();
    let own = hospital.receives(file(instance_of(&registered).study(&scanner))).await;

    assert_eq!((verdict(&own), &own["studyId"]), ("STORED -".to_owned(), &registered["id"]));
    let after = study(&hospital, &registered).await;
    assert_eq!((&after["studyInstanceUID"], &after["numberOfInstances"]), (&json!(scanner), &json!(2)));
}

#[tokio::test]
async fn what_a_person_has_filed_is_a_duplicate_when_it_comes_again() {
    let hospital = Hospital::open().await;
    let registered = hospital.registered_study().await;
    let sent = file(instance_of(&registered).patient("MRN-2", "Doe^Jane"));
    let held = hospital.receives(sent.clone()).await;
    let attached = resolved(&hospital, &held, json!({"action": "ATTACH", "studyId": id(&registered)})).await;
    let nobodys = file(instance());
    let accepted = hospital.receives(nobodys.clone()).await;
    let accepted = resolved(&hospital, &accepted, json!({"action": "ACCEPT"})).await;
    hospital.execute("update imaging.studies set status = 'CANCELLED'").await;

    for (sent, filed) in [(sent, attached), (nobodys, accepted)] {
        assert_eq!(verdict(&filed), "STORED -");
        let again = hospital.receives(sent).await;
        assert_eq!((verdict(&again), &again["imageId"]), ("DUPLICATE -".to_owned(), &filed["imageId"]));
    }
}

#[tokio::test]
async fn an_announcement_that_was_wrong_gives_way_to_the_image_that_a_person_files() {
    let hospital = Hospital::open().await;
    let (right, wrong) = (hospital.registered_study().await, hospital.registered_study().await);
    let announce = async |study: &Value, series: &str, sop: &str| {
        let image = json!({"seriesInstanceUID": series, "sopInstanceUID": sop, "seriesNumber": 1, "instanceNumber": 1});
        let path = format!("/api/studies/{}/images", id(study));
        hospital.technologist().post(&path, image).await.expect(201)["image"].take()
    };

    let in_study = uid();
    let announced = announce(&wrong, &uid(), &in_study).await;
    let held = hospital.receives(file(instance_of(&right).sop(&in_study))).await;
    assert_eq!(verdict(&held), "CONFLICT instance_exists studyInstanceUID");
    let attached = resolved(&hospital, &held, json!({"action": "ATTACH", "studyId": id(&right)})).await;
    assert_eq!(verdict(&attached), "STORED -");
    assert_eq!((&attached["imageId"], &attached["studyId"]), (&announced["id"], &right["id"]));

    let in_series = uid();
    announce(&right, &uid(), &in_series).await;
    let current = study(&hospital, &right).await;
    let held = hospital.receives(file(instance_of(&current).sop(&in_series))).await;
    assert_eq!(verdict(&held), "CONFLICT instance_exists seriesInstanceUID");
    let accepted = resolved(&hospital, &held, json!({"action": "ACCEPT"})).await;
    assert_eq!(verdict(&accepted), "STORED -");
    assert_eq!(study(&hospital, &right).await["numberOfInstances"], 2);
}

#[tokio::test]
async fn nobody_attaches_an_image_to_a_study_that_is_not_theirs_to_know_of() {
    let hospital = Hospital::open().await;
    let held = hospital.receives(file(instance())).await;
    let mut order = ct_chest();
    order["facilityId"] = json!("fac-2");
    let elsewhere = hospital.service().places(order).await;
    let elsewhere = hospital.service().registers(&elsewhere).await;
    let reply = resolve(&hospital, &held, json!({"action": "ATTACH", "studyId": id(&elsewhere)})).await;
    assert_eq!(reply.expect_invalid(), "studyId is not a study of this organization\n");
}

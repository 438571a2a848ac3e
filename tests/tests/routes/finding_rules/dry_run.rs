use insta::assert_snapshot;
use serde_json::{Value, json};
use tests::{Hospital, hospital::id};

use super::{PATH, of_an_algorithm, rules};

const DRY_RUN: &str = "/api/finding-rules/dry-run";

/// A registered study to which a machine has sent this report: the report's image.
async fn stated(hospital: &Hospital, report: &str) -> Value {
    let study = hospital.registered_study().await;
    hospital.states(&study, report).await
}

async fn dry_run(hospital: &Hospital, image: &Value) -> Value {
    hospital.somebody("admin").post(DRY_RUN, json!({"imageId": id(image)})).await.expect(200)
}

#[tokio::test]
async fn the_rules_in_force_are_tried_and_nothing_is_told_of_the_patient() {
    let hospital = Hospital::open().await;
    let image = stated(&hospital, "hemorrhage-found-by-software").await;

    let reply = hospital.somebody("admin").post(DRY_RUN, json!({"imageId": id(&image)})).await;

    assert!(!reply.text.contains("hemorrhage") && !reply.text.contains("1386000"), "{reply}");
    assert_eq!(
        reply.expect(200),
        json!({
            "report": {
                "template": "1500",
                "completion": "COMPLETE",
                "verification": "UNVERIFIED",
                "cadType": null,
                "cadOutcome": null,
                "statements": 1,
                "isIncomplete": false,
            },
            "raised": [{
                "rule": "acr-category-1",
                "severity": "CRITICAL",
                "category": "Actionable finding, category 1",
                "bodyPart": "Brain",
                "sopInstanceUID": image["sopInstanceUID"],
                "images": ["1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322"],
                "trackingUID": "1.2.3.9",
                "path": "1.7.1.4",
                "algorithm": {"manufacturer": "Acme", "name": "BleedDetect", "version": "2.1"},
                "score": 87.5,
                "isPartial": false,
                "isUnverified": true,
                "alreadyRaised": true,
            }],
        })
    );
    let seen =
        "select concat_ws(' ', actor, action, resource, resource_id, patient_ids) from imaging.audit_events
                 where action = 'image.dry_run'";
    assert_eq!(
        hospital.sql(seen).await,
        Some(format!("admin-1 image.dry_run image {} {{MRN-1}}", id(&image)))
    );
}

#[tokio::test]
async fn other_rules_are_tried_without_being_put_in_force_and_nothing_is_raised() {
    let hospital = Hospital::open().await;
    let image = stated(&hospital, "hemorrhage-found-by-software").await;
    let raised = "select count(*)::text from imaging.findings";
    let before = hospital.sql(raised).await;
    let admin = hospital.somebody("admin");
    let tried = async |rules: Value| {
        let raised = admin.post(DRY_RUN, json!({"imageId": id(&image), "rules": rules})).await.expect(200);
        let raised = raised["raised"].as_array().unwrap().clone();
        let shown = raised.iter().map(|raised| {
            let said = ["rule", "severity", "category"].map(|name| raised[name].as_str().unwrap());
            format!("{}{}", said.join(" "), if raised["alreadyRaised"] == true { " (already)" } else { "" })
        });
        shown.collect::<Vec<_>>().join(", ")
    };

    for (algorithm, found) in [
        (json!({"manufacturer": "acme"}), true),
        (json!({"manufacturer": "Acme", "name": "bleeddetect", "version": "2.1"}), true),
        (json!({"name": "BleedDetect", "version": "2.2"}), false),
        (json!({"manufacturer": "Another"}), false),
    ] {
        let expected = if found { "by-algorithm LOW FOUND_BY_SOFTWARE" } else { "" };
        assert_eq!(tried(json!([of_an_algorithm(&algorithm)])).await, expected, "{algorithm}");
    }
    let in_force = rules(&hospital).await;
    let mut without_categories = in_force["rules"].clone();
    without_categories.as_array_mut().unwrap().retain(|rule| rule["matches"]["categories"].is_null());
    assert_snapshot!(tried(without_categories).await, @"intracranial-hemorrhage CRITICAL Life-threatening finding");
    assert_snapshot!(tried(in_force["rules"].clone()).await, @"acr-category-1 CRITICAL Actionable finding, category 1 (already)");
    assert_eq!(tried(json!([])).await, "");

    assert_eq!(rules(&hospital).await["version"], 0);
    assert_eq!(hospital.sql(raised).await, before);
}

#[tokio::test]
async fn what_was_put_in_force_is_what_is_tried() {
    let hospital = Hospital::open().await;
    let image = stated(&hospital, "hemorrhage-absent").await;
    assert_eq!(dry_run(&hospital, &image).await["raised"], json!([]));
    let marks = stated(&hospital, "breast-cad").await;
    assert_eq!(dry_run(&hospital, &marks).await["raised"], json!([]));

    let mut changed = rules(&hospital).await["rules"].take();
    changed[8]["enabled"] = json!(true);
    hospital.somebody("admin").put(PATH, json!({"rules": changed})).await.expect(200);

    let trial = dry_run(&hospital, &marks).await;
    assert_eq!(
        (&trial["report"]["cadType"], &trial["report"]["cadOutcome"]),
        (&json!("MAMMOGRAPHY"), &json!("FINDINGS"))
    );
    let raised = trial["raised"].as_array().unwrap();
    assert_eq!(raised.len(), 1, "one mark of two is above the threshold: {trial}");
    assert_eq!((&raised[0]["rule"], &raised[0]["score"]), (&json!("cad-marks"), &json!(92.0)));
    assert_eq!(raised[0]["alreadyRaised"], false);
}

#[tokio::test]
async fn only_a_stored_report_of_the_organization_is_read() {
    let hospital = Hospital::open().await;
    let study = hospital.scanned_study().await;
    let slice = hospital.scans(&study).await;
    let report = hospital.states(&study, "every-category").await;
    let awaited = json!({
        "seriesInstanceUID": "1.2.3", "sopInstanceUID": "1.2.3.1", "seriesNumber": 1, "instanceNumber": 1,
    });
    let awaited = hospital
        .technologist()
        .post(&format!("/api/studies/{}/images", id(&study)), awaited)
        .await
        .expect(201);
    let admin = hospital.somebody("admin");
    let told = async |image: &Value| admin.post(DRY_RUN, json!({"imageId": image})).await.expect_invalid();

    assert_eq!(told(&slice["id"]).await, "imageId is not a structured report\n");
    for image in [&awaited["image"]["id"], &json!("019a3b1c-7e00-7abc-8def-0123456789ab")] {
        assert_eq!(told(image).await, "imageId is not a stored image of this organization\n");
    }
    let elsewhere = hospital.somebody_with("admin", |claims| claims.organization_id = "org-2".to_owned());
    let reply = elsewhere.post(DRY_RUN, json!({"imageId": id(&report)})).await;
    assert_eq!(reply.expect_invalid(), "imageId is not a stored image of this organization\n");
}

#[tokio::test]
async fn every_fault_is_named_at_once() {
    let hospital = Hospital::open().await;
    let admin = hospital.somebody("admin");
    let mut wrong = of_an_algorithm(&json!({"name": "BleedDetect"}));
    wrong["severity"] = json!("SOON");
    wrong["matches"]["threshold"] = json!("high");
    let body =
        json!({"imageId": "x", "rules": [wrong, of_an_algorithm(&json!({"name": "Other"}))], "version": 1});
    assert_snapshot!(admin.post(DRY_RUN, body).await.expect_invalid(), @r"
    imageId must be a UUID
    rules[0].matches.threshold must be a number from 0 to 100
    rules[0].severity must be one of CRITICAL HIGH MODERATE LOW NONE
    version is not a field that can be set here
    ");
    assert_snapshot!(admin.post(DRY_RUN, json!({"rules": {}})).await.expect_invalid(), @r"
    imageId is required
    rules must be a list
    ");
}

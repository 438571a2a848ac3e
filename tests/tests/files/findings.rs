//! What the structured reports that machines send raise: by the rules in force, once, and for whom it may concern.

use futures::future::join_all;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tests::{
    Hospital,
    hospital::{ct_chest, id},
    planted, reports,
};

/// The findings of a study, as its radiologist lists them, a line each.
async fn found(hospital: &Hospital, study: &Value) -> Vec<Value> {
    let path = format!("/api/critical-findings/study/{}", study.as_str().expect("a study"));
    let findings = hospital.radiologist().get(&path).await.expect(200)["findings"].take();
    findings.as_array().expect("findings").clone()
}

/// The study that this report made of an order of its own, and the report's image.
async fn receives(hospital: &Hospital, report: &str) -> Value {
    let order = hospital.provider().places(ct_chest()).await;
    let ingest = hospital.receives(reports::about(&order, report).unwrap()).await;
    assert_eq!(
        (&ingest["status"], &ingest["reason"]),
        (&json!("STORED"), &Value::Null),
        "{report}: {ingest}"
    );
    ingest
}

fn line(finding: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let dicom = &finding["dicom"];
    let images = dicom["images"].as_array().unwrap().len();
    format!(
        "  {} {} by {}, {} on {images} images: {} ({})\n",
        text(&finding["severity"]),
        text(&finding["category"]),
        text(&dicom["rule"]),
        text(&finding["bodyPart"]),
        text(&finding["finding"]),
        text(&finding["reportedBy"]),
    )
}

#[tokio::test]
async fn each_report_raises_what_it_states_to_be_urgent_and_the_radiologist_reads_what_it_says() {
    let hospital = Hospital::open().await;
    let mut sent = Vec::new();
    for report in reports::all().unwrap() {
        let order = hospital.provider().places(ct_chest()).await;
        let upload = hospital.uploads(reports::about(&order, &report.name).unwrap()).await;
        sent.push((report.name, upload));
    }
    let mut shown = String::new();
    for (name, upload) in sent {
        let ingest = hospital.settled(&upload).await;
        assert_eq!(
            (&ingest["status"], &ingest["reason"]),
            (&json!("STORED"), &Value::Null),
            "{name}: {ingest}"
        );
        let image = hospital.stored(ingest["imageId"].as_str().unwrap()).await;
        let mut lines = Vec::new();
        for finding in found(&hospital, &ingest["studyId"]).await {
            assert_eq!((&finding["source"], &finding["status"]), (&json!("DICOM"), &json!("OPEN")));
            assert_eq!(finding["dicom"]["sopInstanceUID"], image["sopInstanceUID"]);
            lines.push(line(&finding));
        }
        lines.sort();
        shown += &format!("{name}\n{}", lines.concat());
    }
    assert_snapshot!(shown, @"
    breast-cad
    breast-cad-failed
    breast-cad-nothing
    category-of-a-text
      HIGH Actionable finding, category 2 by acr-category-2, null on 0 images: ACR Category 2 Actionable Finding: Großer linksseitiger Pneumothorax [unverified] (Structured report)
    chest-cad
    colon-cad
    embolism-in-older-code
      CRITICAL Life-threatening finding by pulmonary-embolism, CHEST on 1 images: Pulmonary embolism [unverified] (Structured report)
    every-category
      CRITICAL Actionable finding, category 1 by acr-category-1, null on 1 images: Nodule (Structured report)
      HIGH Actionable finding, category 2 by acr-category-2, null on 1 images: Nodule (Structured report)
      MODERATE Actionable finding, category 3 by acr-category-3, null on 1 images: Nodule (Structured report)
    every-category-big-endian
      CRITICAL Actionable finding, category 1 by acr-category-1, null on 1 images: Nodule (Structured report)
      HIGH Actionable finding, category 2 by acr-category-2, null on 1 images: Nodule (Structured report)
      MODERATE Actionable finding, category 3 by acr-category-3, null on 1 images: Nodule (Structured report)
    every-category-deflated
      CRITICAL Actionable finding, category 1 by acr-category-1, null on 1 images: Nodule (Structured report)
      HIGH Actionable finding, category 2 by acr-category-2, null on 1 images: Nodule (Structured report)
      MODERATE Actionable finding, category 3 by acr-category-3, null on 1 images: Nodule (Structured report)
    every-category-implicit
      CRITICAL Actionable finding, category 1 by acr-category-1, null on 1 images: Nodule (Structured report)
      HIGH Actionable finding, category 2 by acr-category-2, null on 1 images: Nodule (Structured report)
      MODERATE Actionable finding, category 3 by acr-category-3, null on 1 images: Nodule (Structured report)
    hemorrhage-absent
    hemorrhage-found-by-software
      CRITICAL Actionable finding, category 1 by acr-category-1, Brain on 1 images: Intracranial hemorrhage (Brain) [BleedDetect 2.1 of Acme, 87.5 %, unverified] (BleedDetect 2.1 of Acme)
    partial
      CRITICAL Life-threatening finding by pneumothorax, CHEST on 1 images: Pneumothorax [partial report, unverified] (Structured report)
    ");
    // What they say lies in the database as ciphertext alone.
    let rows = hospital.sql("select string_agg(f::text, e'\\n') from imaging.findings f").await.unwrap();
    assert!(rows.contains("RID") || rows.contains("acr-category-1"), "{rows}");
    assert_eq!(planted::told_of_patients(&rows), None);
}

#[tokio::test]
async fn a_finding_of_a_file_is_followed_like_any_other_and_says_where_it_comes_from() {
    let hospital = Hospital::open().await;
    let ingest = receives(&hospital, "hemorrhage-found-by-software").await;
    let image = hospital.stored(ingest["imageId"].as_str().unwrap()).await;
    let listed = found(&hospital, &ingest["studyId"]).await;
    assert_eq!(listed.len(), 1);

    let path = format!("/api/critical-findings/{}", id(&listed[0]));
    let finding = hospital.radiologist().get(&path).await.expect(200)["finding"].take();

    assert_eq!(
        finding["finding"],
        "Intracranial hemorrhage (Brain) [BleedDetect 2.1 of Acme, 87.5 %, unverified]"
    );
    assert_eq!(
        finding["code"],
        json!({"value": "1386000", "scheme": "SCT", "meaning": "Intracranial hemorrhage"})
    );
    assert_eq!(
        finding["dicom"],
        json!({
            "sopInstanceUID": image["sopInstanceUID"],
            "rule": "acr-category-1",
            "images": ["1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322"],
            "trackingUID": "1.2.3.9",
            "path": "1.7.1.4",
            "algorithm": {"manufacturer": "Acme", "name": "BleedDetect", "version": "2.1"},
            "score": 87.5,
            "isPartial": false,
            "isUnverified": true,
        })
    );
    assert_eq!(
        (&finding["reportedBy"], &finding["reportedById"], &finding["followUpRequired"]),
        (&json!("BleedDetect 2.1 of Acme"), &Value::Null, &json!(true))
    );
    let periods = "select string_agg(concat_ws(' ', e.level, e.target_group, extract(epoch from e.due_at - f.reported_at)::int / 60),
                                     ', ' order by e.level) || '; due ' || extract(epoch from min(f.due_at) - min(f.reported_at))::int / 60
                     from imaging.escalations e
                     join imaging.findings f on f.organization = e.organization and f.id = e.finding_id";
    assert_snapshot!(hospital.sql(periods).await.unwrap(), @"0 10, 1 COVERING_GROUP 20, 2 DEPARTMENT 40, 3 ON_CALL_OPERATOR 60; due 60");
    let events = "select string_agg(concat_ws(' ', actor, action, patient_ids), ', ')
                    from imaging.audit_events where action = 'finding.raise'";
    assert_snapshot!(hospital.sql(events).await.unwrap(), @"ingest finding.raise {MRN-1}");
    let told = "select string_agg(topic, ', ') from imaging.outbox where resource = 'finding'";
    assert_snapshot!(hospital.sql(told).await.unwrap(), @"finding.raised");

    // Its provider takes it on; another organization knows nothing of it.
    hospital.stranger().get(&path).await.expect_refusal(404, "not_found");
    assert_eq!(hospital.provider().get(&path).await.expect(200)["finding"]["finding"], finding["finding"]);
    hospital.provider().acknowledges(&finding).await.expect_status(200);
}

/// How many findings there are, and how often somebody is to be told of one.
async fn counted(hospital: &Hospital) -> String {
    let count = "select concat_ws(' ', (select count(*) from imaging.findings),
                        (select count(*) from imaging.outbox where topic = 'finding.raised'))";
    hospital.sql(count).await.unwrap()
}

#[tokio::test]
async fn a_finding_is_raised_once_however_often_its_file_comes() {
    let hospital = Hospital::open().await;
    let order = hospital.provider().places(ct_chest()).await;
    let file = reports::about(&order, "every-category").unwrap();

    let uploads = join_all((0..8).map(|_| hospital.uploads(file.clone()))).await;
    let mut statuses = Vec::new();
    for upload in &uploads {
        statuses.push(hospital.settled(upload).await["status"].as_str().unwrap().to_owned());
    }

    statuses.sort_unstable();
    assert_eq!(statuses, [vec!["DUPLICATE"; 7], vec!["STORED"]].concat());
    assert_eq!(counted(&hospital).await, "3 3");

    // Not even when it was taken away meanwhile, and nobody remembers that it was there.
    let ingest = hospital.settled(&uploads[0]).await;
    let image = format!("/api/images/{}", ingest["imageId"].as_str().unwrap());
    hospital.radiologist().delete(&image).await.expect_status(204);
    assert_eq!(hospital.receives(file).await["status"], "STORED");
    assert_eq!(counted(&hospital).await, "3 3");
    assert_eq!(found(&hospital, &ingest["studyId"]).await.len(), 3);

    // Another report that states the same is another report.
    let path = format!("/api/studies/{}", ingest["studyId"].as_str().unwrap());
    let study = hospital.radiologist().get(&path).await.expect(200)["study"].take();
    hospital.states(&study, "every-category").await;
    assert_eq!(counted(&hospital).await, "6 6");
}

#[tokio::test]
async fn the_rules_in_force_decide_what_is_raised_and_those_of_another_organization_do_not() {
    let hospital = Hospital::open().await;
    let admin = hospital.somebody("admin");
    let mut rules = admin.get("/api/finding-rules").await.expect(200)["rules"]["rules"].take();
    for rule in rules.as_array_mut().unwrap() {
        rule["enabled"] = json!(false);
    }
    admin.put("/api/finding-rules", json!({"rules": rules})).await.expect(200);
    let elsewhere = hospital.somebody_with("admin", |claims| claims.organization_id = "org-2".to_owned());
    let by_software = |version: &str| {
        json!({"rules": [{
            "id": "bleed-detect",
            "name": "What the software of Acme finds",
            "enabled": true,
            "matches": {"algorithms": [{"manufacturer": "ACME", "version": version}]},
            "severity": "LOW",
            "category": "FOUND_BY_SOFTWARE",
            "bodyPart": "HEAD",
        }]})
    };
    elsewhere.put("/api/finding-rules", by_software("2.1")).await.expect(200);

    let silent = receives(&hospital, "hemorrhage-found-by-software").await;
    assert_eq!(found(&hospital, &silent["studyId"]).await, Vec::<Value>::new());

    admin.put("/api/finding-rules", by_software("2.0")).await.expect(200);
    let silent = receives(&hospital, "hemorrhage-found-by-software").await;
    assert_eq!(found(&hospital, &silent["studyId"]).await, Vec::<Value>::new());

    admin.put("/api/finding-rules", by_software("2.1")).await.expect(200);
    let told = receives(&hospital, "hemorrhage-found-by-software").await;
    let told = found(&hospital, &told["studyId"]).await;
    assert_snapshot!(told.iter().map(line).collect::<String>().trim(), @"LOW FOUND_BY_SOFTWARE by bleed-detect, Brain on 1 images: Intracranial hemorrhage (Brain) [BleedDetect 2.1 of Acme, 87.5 %, unverified] (BleedDetect 2.1 of Acme)");
    // Its deadlines are those of its severity, by the settings of the organization.
    let due = "select (extract(epoch from due_at - reported_at) / 86400)::int::text from imaging.findings";
    assert_eq!(hospital.sql(due).await.as_deref(), Some("15"));
}

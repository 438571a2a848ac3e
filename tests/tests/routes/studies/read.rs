use serde_json::json;
use tests::{Hospital, hospital::id};

#[tokio::test]
async fn a_study_comes_with_its_order_images_reports_and_findings() {
    let hospital = Hospital::open().await;
    let study = hospital.scanned_study().await;
    hospital.technologist().moves(&study, "COMPLETED").await.expect(200);
    hospital.reports(&study, "PRELIMINARY").await;
    hospital.finds(&study, "LOW").await;

    let reply = hospital.radiologist().get(&format!("/api/studies/{}", id(&study))).await;
    let etag = reply.header("etag").to_owned();
    let read = reply.expect(200)["study"].take();
    assert_eq!(etag, format!("\"{}\"", read["version"]));
    assert_eq!(read["order"]["id"], study["orderId"]);
    assert_eq!(read["order"]["clinicalIndication"], "Persistent cough for six weeks");
    assert_eq!(read["images"].as_array().unwrap().len(), 1);
    // What the file says of the patient is with the image alone.
    assert!(read["images"][0].get("metadata").is_none(), "{read}");
    assert_eq!(read["imagesTruncated"], false);
    assert_eq!(read["reports"][0]["status"], "PRELIMINARY");
    assert_eq!(read["criticalFindings"][0]["severity"], "LOW");
}

#[tokio::test]
async fn at_most_a_thousand_images_come_nested_and_the_rest_by_page() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let path = format!("/api/studies/{}", id(&study));
    let fill = |from: u32, to: u32| {
        format!(
            "insert into imaging.uploads (organization, id, blob, status, facility_id, offered_to, expires_at, asked_at,
                 created_at, updated_at)
             values ('org-1', '00000000-0000-7000-8000-000000000001', 'x', 'STORED', 'fac-1', 'x', now(), now(), now(), now())
                 on conflict do nothing;
             insert into imaging.images (organization, id, study_id, upload_id, blob, status, series_instance_uid,
                 sop_instance_uid, series_number, instance_number, created_at, updated_at)
             select 'org-1', gen_random_uuid(), '{study}', '00000000-0000-7000-8000-000000000001', 'x', 'STORED', '1.2',
                    '1.2.' || n, 1, n, now(), now()
               from generate_series({from}, {to}) as n",
            study = id(&study),
        )
    };
    hospital.execute(&fill(1, 1000)).await;
    let read = hospital.radiologist().get(&path).await.expect(200)["study"].take();
    assert_eq!((&read["imagesTruncated"], read["images"].as_array().unwrap().len()), (&json!(false), 1000));

    hospital.execute(&fill(1001, 1001)).await;
    let read = hospital.radiologist().get(&path).await.expect(200)["study"].take();
    assert_eq!((&read["imagesTruncated"], read["images"].as_array().unwrap().len()), (&json!(true), 1000));
    let rest = hospital.radiologist().get(&format!("{path}/images?page=2")).await.expect(200);
    assert_eq!(rest["pagination"], json!({"page": 2, "limit": 1000, "total": 1001, "totalPages": 2}));
    assert_eq!(rest["images"][0]["instanceNumber"], 1001);
}

#[tokio::test]
async fn nested_things_are_only_what_one_may_read() {
    let hospital = Hospital::open().await;
    let study = hospital.scanned_study().await;
    hospital.technologist().moves(&study, "COMPLETED").await.expect(200);
    hospital.reports(&study, "PRELIMINARY").await;
    hospital.finds(&study, "CRITICAL").await;
    let colleague = hospital.somebody_with("provider", |claims| claims.id = "provider-9".to_owned());
    for (who, actor, images, reports, findings) in [
        ("radiologist", hospital.radiologist(), 1, 1, 1),
        ("provider", hospital.provider(), 1, 0, 1),
        ("colleague", colleague, 0, 0, 0),
        ("scheduler", hospital.scheduler(), 0, 0, 0),
        ("technologist", hospital.technologist(), 1, 0, 1),
        ("service", hospital.service(), 1, 1, 1),
        ("patient", hospital.patient("MRN-1"), 0, 0, 0),
    ] {
        let read = actor.get(&format!("/api/studies/{}", id(&study))).await.expect(200)["study"].take();
        assert_eq!(read["order"]["id"], study["orderId"], "{who}");
        assert_eq!(read["patientName"], "Doe^Jane", "{who}");
        for (name, number) in [("images", images), ("reports", reports), ("criticalFindings", findings)] {
            assert_eq!(read[name].as_array().unwrap().len(), number, "{name} for {who}");
        }
    }
}

#[tokio::test]
async fn a_patient_sees_the_images_once_the_study_is_final() {
    let hospital = Hospital::open().await;
    let study = hospital.scanned_study().await;
    let patient = hospital.patient("MRN-1");
    let path = format!("/api/studies/{}", id(&study));
    let image = hospital.radiologist().get(&path).await.expect(200)["study"]["images"][0].take();
    let image = format!("/api/images/{}", id(&image));
    for status in ["SCHEDULED", "ARRIVED", "IN_PROGRESS", "COMPLETED", "PRELIMINARY", "FINAL", "CANCELLED"] {
        hospital
            .execute(&format!("update imaging.studies set status = '{status}' where id = '{}'", id(&study)))
            .await;
        let nested = patient.get(&path).await.expect(200)["study"]["images"].take();
        let others = [
            patient.get(&format!("{path}/images")).await,
            patient.get(&image).await,
            patient.get(&format!("{image}/url")).await,
        ];
        for reply in others {
            if status == "FINAL" { reply.expect_status(200) } else { reply.expect_refusal(404, "not_found") }
        }
        assert_eq!(nested.as_array().unwrap().len(), usize::from(status == "FINAL"), "{status}");
        hospital.patient("MRN-2").get(&image).await.expect_refusal(404, "not_found");
    }
}

use serde_json::{Value, json};
use tests::Hospital;

use super::{hash_of, path_of};

#[tokio::test]
async fn each_version_is_read_as_it_was_when_it_was_written() {
    let hospital = Hospital::open().await;
    let radiologist = hospital.radiologist();
    let written = hospital.reports(&hospital.completed_study().await, "PRELIMINARY").await;
    let path = path_of(&written);
    let change =
        json!({"findings": "No pleural effusion on either side", "comparison": null, "template": "CT chest"});
    let edited = radiologist.patch(&path, change).await.expect(200)["report"].take();
    let signed = radiologist.signs(&written).await.expect(200)["report"].take();
    let amended = radiologist.amends(&written, "AMENDED").await.expect(200)["report"].take();
    let corrected = radiologist.amends(&written, "CORRECTED").await.expect(200)["report"].take();

    for (number, version) in (1..).zip([written, edited, signed, amended, corrected]) {
        let read = radiologist.get(&format!("{path}/versions/{number}")).await.expect(200)["report"].take();
        assert_eq!(read, version);
        assert_eq!(read["contentHash"], hash_of(&hospital, &read));
    }
    let read = "select string_agg(detail->>'contentVersion', ' ' order by at) from imaging.audit_events
                 where action = 'report.read_version'";
    assert_eq!(hospital.sql(read).await.as_deref(), Some("1 2 3 4 5"));
}

#[tokio::test]
async fn what_was_not_signed_yet_is_shown_as_what_is_not_signed_yet() {
    let hospital = Hospital::open().await;
    let signed = hospital.reports(&hospital.completed_study().await, "FINAL").await;
    let path = path_of(&signed);
    for (who, actor, first) in [
        ("patient", hospital.patient("MRN-1"), 404),
        // The order was no hurry.
        ("provider", hospital.provider(), 404),
        ("radiologist", hospital.radiologist(), 200),
        ("service", hospital.service(), 200),
    ] {
        assert_eq!(actor.get(&format!("{path}/versions/1")).await.status, first, "{who}");
        actor.get(&format!("{path}/versions/2")).await.expect_status(200);
        // Nor is it told that it is there.
        let read = actor.get(&path).await.expect(200)["report"].take();
        let versions: Vec<&Value> =
            read["versions"].as_array().unwrap().iter().map(|version| &version["status"]).collect();
        let all = [&json!("PRELIMINARY"), &json!("FINAL")];
        assert_eq!(versions, all[usize::from(first == 404)..], "{who}");
    }
}

#[tokio::test]
async fn a_version_that_is_not_there_is_not_found_and_a_number_that_is_none_malformed() {
    let hospital = Hospital::open().await;
    let report = hospital.reports(&hospital.completed_study().await, "PRELIMINARY").await;
    let read = async |number: &str| {
        hospital.radiologist().get(&format!("{}/versions/{number}", path_of(&report))).await
    };
    for number in ["2", "2147483647"] {
        read(number).await.expect_refusal(404, "not_found");
    }
    for number in ["0", "-1", "1.0", "one", "2147483648", "%20"] {
        let fault = read(number).await.expect_malformed();
        assert_eq!(fault, "version must be the number of a version, from 1\n", "{number}");
    }
}

use insta::assert_snapshot;
use serde_json::json;
use tests::{Hospital, hospital::id};

use super::{PATH, ids};

#[tokio::test]
async fn the_findings_of_one_severity_come_by_page_newest_first() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let first = hospital.finds(&study, "HIGH").await;
    hospital.finds(&study, "CRITICAL").await;
    let second = hospital.finds(&study, "HIGH").await;
    let radiologist = hospital.radiologist();

    let list = radiologist.get(&format!("{PATH}/severity/HIGH?limit=1")).await.expect(200);
    assert_eq!(ids(&list["findings"]), [id(&second)]);
    assert_eq!(list["pagination"], json!({"page": 1, "limit": 1, "total": 2, "totalPages": 2}));
    let list = radiologist.get(&format!("{PATH}/severity/HIGH?page=2&limit=1")).await.expect(200);
    assert_eq!(ids(&list["findings"]), [id(&first)]);
    let none = radiologist.get(&format!("{PATH}/severity/LOW")).await.expect(200);
    assert_eq!((&none["findings"], &none["pagination"]["total"]), (&json!([]), &json!(0)));

    for other in ["high", "URGENT", "%20"] {
        let refused = radiologist.get(&format!("{PATH}/severity/{other}")).await;
        assert_eq!(refused.expect_malformed(), "severity must be one of CRITICAL HIGH MODERATE LOW\n");
    }
    let narrowed = radiologist.get(&format!("{PATH}/severity/HIGH?severity=LOW")).await;
    assert_snapshot!(narrowed.expect_malformed(), @"severity is not a parameter here");
}

use insta::assert_snapshot;
use serde_json::{Value, json};
use tests::{Hospital, actor::report_of, hospital::id};

use super::PATH;

fn ids(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|report| id(report).to_owned()).collect()
}

#[tokio::test]
async fn a_page_is_a_part_of_the_list_newest_first() {
    let hospital = Hospital::open().await;
    let radiologist = hospital.radiologist();
    let study = hospital.completed_study().await;
    let path = format!("{PATH}/radiologist/radiologist-1");
    assert_eq!(
        radiologist.get(&path).await.expect(200),
        json!({"reports": [], "pagination": {"page": 1, "limit": 10, "total": 0, "totalPages": 0}})
    );
    let mut written = Vec::new();
    for _ in 0..6 {
        written.insert(0, id(&radiologist.writes(report_of(&study)).await).to_owned());
    }

    let second = radiologist.get(&format!("{path}?page=2&limit=4")).await.expect(200);
    assert_eq!(second["pagination"], json!({"page": 2, "limit": 4, "total": 6, "totalPages": 2}));
    assert_eq!(ids(&second["reports"]), written[4..]);
    assert_eq!(second["reports"][0]["findings"], "Dense consolidation in the right lower lobe");

    let mut seen = Vec::new();
    let mut next = Some(format!("{path}?cursor=&limit=2"));
    while let Some(path) = next {
        let reply = radiologist.get(&path).await;
        let link = reply.header("link").to_owned();
        let page = reply.expect(200);
        assert_eq!(page["pagination"], json!({"limit": 2}));
        seen.push(ids(&page["reports"]));
        radiologist.writes(report_of(&study)).await;
        next =
            link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).map(str::to_owned);
    }
    assert_eq!(seen.len(), 3, "there is no empty page at the end");
    assert_eq!(seen.concat(), written);
}

#[tokio::test]
async fn it_holds_one_radiologists_reports_as_far_as_one_may_read_them() {
    let hospital = Hospital::open().await;
    let study = hospital.completed_study().await;
    let signed = hospital.reports(&study, "FINAL").await;
    let draft = hospital.reports(&study, "PRELIMINARY").await;
    let mut other = report_of(&study);
    other["radiologistId"] = json!("Ray / 9");
    let other = hospital.radiologist().writes(other).await;
    for (who, actor, sees) in [
        ("radiologist", hospital.radiologist(), vec![&draft, &signed]),
        ("provider", hospital.provider(), vec![&signed]),
        ("patient", hospital.patient("MRN-1"), vec![&signed]),
        ("another patient", hospital.patient("MRN-2"), vec![]),
        ("stranger", hospital.stranger(), vec![]),
    ] {
        let list = actor.get(&format!("{PATH}/radiologist/radiologist-1")).await.expect(200);
        assert_eq!(ids(&list["reports"]), sees.iter().map(|report| id(report)).collect::<Vec<_>>(), "{who}");
        assert_eq!(list["pagination"]["total"], sees.len(), "{who}");
    }
    let of_other = hospital.radiologist().get(&format!("{PATH}/radiologist/Ray%20%2F%209")).await.expect(200);
    assert_eq!(ids(&of_other["reports"]), [id(&other)]);
    hospital.scheduler().get(&format!("{PATH}/radiologist/x")).await.expect_refusal(403, "forbidden");
}

#[tokio::test]
async fn what_cannot_be_read_is_named() {
    let hospital = Hospital::open().await;
    let radiologist = hospital.radiologist();
    let reply =
        radiologist.get(&format!("{PATH}/radiologist/radiologist-1?limit=0&cursor=x&status=FINAL")).await;
    assert_snapshot!(reply.expect_malformed(), @r"
    limit must be a whole number from 1 to 100
    cursor must be a cursor that this service gave, or empty for the first page
    status is not a parameter here
    ");
    let endless = radiologist.get(&format!("{PATH}/radiologist/{}", "x".repeat(65))).await;
    assert_snapshot!(endless.expect_malformed(), @"radiologistId must be at most 64 characters");
}

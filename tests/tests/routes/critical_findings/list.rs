use insta::assert_snapshot;
use serde_json::json;
use tests::{Hospital, actor::finding_of, hospital::id};

use super::{PATH, colleague, ids};

#[tokio::test]
async fn a_page_is_a_part_of_the_list_newest_first() {
    let hospital = Hospital::open().await;
    let radiologist = hospital.radiologist();
    assert_eq!(
        radiologist.get(PATH).await.expect(200),
        json!({"findings": [], "pagination": {"page": 1, "limit": 10, "total": 0, "totalPages": 0}})
    );
    let study = hospital.registered_study().await;
    let mut raised = Vec::new();
    for severity in ["LOW", "CRITICAL", "HIGH", "MODERATE", "LOW"] {
        raised.insert(0, id(&hospital.finds(&study, severity).await).to_owned());
    }

    let second = radiologist.get(&format!("{PATH}?page=2&limit=2")).await.expect(200);
    assert_eq!(second["pagination"], json!({"page": 2, "limit": 2, "total": 5, "totalPages": 3}));
    assert_eq!(ids(&second["findings"]), raised[2..4]);
    assert_eq!(second["findings"][0]["finding"], "Large pneumothorax on the left");

    let mut next = Some(format!("{PATH}?limit=2&cursor="));
    let mut seen = Vec::new();
    while let Some(path) = next {
        let reply = radiologist.get(&path).await;
        let link = reply.header("link").to_owned();
        seen.extend(ids(&reply.expect(200)["findings"]).into_iter().map(str::to_owned));
        hospital.finds(&study, "LOW").await;
        next =
            link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).map(str::to_owned);
    }
    assert_eq!(seen, raised);
}

#[tokio::test]
async fn each_filter_narrows_the_list() {
    let hospital = Hospital::open().await;
    let (first, second) = (hospital.registered_study().await, hospital.registered_study().await);
    let low = hospital.finds(&first, "LOW").await;
    let critical = hospital.finds(&first, "CRITICAL").await;
    let high = hospital.finds(&second, "HIGH").await;
    hospital.provider().acknowledges(&high).await.expect(200);

    for (filter, expected) in [
        (format!("studyId={}", id(&first)), vec![&critical, &low]),
        (format!("studyId={}", id(&second)), vec![&high]),
        ("severity=LOW".to_owned(), vec![&low]),
        ("status=OPEN".to_owned(), vec![&critical, &low]),
        ("status=ACKNOWLEDGED".to_owned(), vec![&high]),
        ("status=OPEN&severity=CRITICAL".to_owned(), vec![&critical]),
        ("status=CLOSED".to_owned(), vec![]),
        ("studyId=019a3b1c-7e00-7abc-8def-0123456789ab".to_owned(), vec![]),
    ] {
        let list = hospital.radiologist().get(&format!("{PATH}?{filter}")).await.expect(200);
        let expected: Vec<_> = expected.into_iter().map(id).collect();
        assert_eq!(ids(&list["findings"]), expected, "{filter}");
        assert_eq!(list["pagination"]["total"], expected.len(), "{filter}");
    }
    let wrong = format!("{PATH}?studyId=7&severity=low&status=NEW&patientId=MRN-1&limit=0");
    assert_snapshot!(hospital.radiologist().get(&wrong).await.expect_malformed(), @r"
    studyId must be a UUID
    severity must be one of CRITICAL HIGH MODERATE LOW
    status must be one of OPEN NOTIFIED ACKNOWLEDGED CLOSED
    limit must be a whole number from 1 to 100
    patientId is not a parameter here
    ");
}

#[tokio::test]
async fn a_list_holds_what_its_reader_may_read_and_the_audit_has_whose_that_was() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let mut told = finding_of(&study, "CRITICAL");
    told["notifiedTo"] = json!(["provider-9"]);
    let told = hospital.radiologist().raises(told).await;
    let other = hospital.finds(&study, "LOW").await;
    let elsewhere =
        hospital.somebody_with("technologist", |claims| claims.facility_ids = vec!["fac-2".to_owned()]);

    for (who, actor, expected) in [
        ("provider", hospital.provider(), vec![&other, &told]),
        ("told", colleague(&hospital), vec![&told]),
        ("technologist", hospital.technologist(), vec![&other, &told]),
        ("technologist elsewhere", elsewhere, vec![]),
        ("radiologist", hospital.radiologist(), vec![&other, &told]),
        ("stranger", hospital.stranger(), vec![]),
    ] {
        let expected: Vec<_> = expected.into_iter().map(id).collect();
        for path in [PATH.to_owned(), format!("{PATH}/pending?limit=50")] {
            let list = actor.get(&path).await.expect(200);
            let mut listed = ids(&list["findings"]);
            listed.sort_unstable_by(|one, other| other.cmp(one));
            assert_eq!(listed, expected, "{who} {path}");
        }
    }
    let lists = r#"
        select string_agg(distinct concat_ws(' ', actor, patient_ids) collate "C", ', '
                          order by concat_ws(' ', actor, patient_ids) collate "C")
          from imaging.audit_events where action = 'finding.list' and organization = 'org-1'"#;
    assert_snapshot!(hospital.sql(lists).await.unwrap(), @"provider-1 {MRN-1}, provider-9 {MRN-1}, radiologist-1 {MRN-1}, technologist-1 {MRN-1}, technologist-1 {}");
}

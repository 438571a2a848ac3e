use futures::future::join_all;
use serde_json::json;
use tests::{Hospital, actor::finding_of, hospital::id};

use super::{PATH, colleague, ids, other_radiologist};

#[tokio::test]
async fn the_findings_of_a_study_come_newest_first_as_far_as_one_may_read_them() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let path = format!("{PATH}/study/{}", id(&study));
    assert_eq!(hospital.provider().get(&path).await.expect(200), json!({"findings": []}));
    let first = hospital.finds(&study, "LOW").await;
    let mut second = finding_of(&study, "CRITICAL");
    second["notifiedTo"] = json!(["provider-9"]);
    let second = hospital.radiologist().raises(second).await;
    hospital.finds(&hospital.registered_study().await, "LOW").await;

    for (who, actor, expected) in [
        ("provider", hospital.provider(), vec![&second, &first]),
        ("told", colleague(&hospital), vec![&second]),
        ("technologist", hospital.technologist(), vec![&second, &first]),
        ("radiologist", other_radiologist(&hospital), vec![&second, &first]),
    ] {
        let list = actor.get(&path).await.expect(200);
        assert_eq!(ids(&list["findings"]), expected.into_iter().map(id).collect::<Vec<_>>(), "{who}");
        assert_eq!(list["findings"][0]["finding"], "Large pneumothorax on the left", "{who}");
    }
    let nobody_told = hospital.somebody_with("provider", |claims| claims.id = "provider-7".to_owned());
    nobody_told.get(&path).await.expect_refusal(404, "not_found");
    hospital.stranger().get(&path).await.expect_refusal(404, "not_found");
}

#[tokio::test]
async fn at_most_a_thousand_come_and_the_rest_is_in_the_list() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let first = hospital.finds(&study, "LOW").await;
    for _ in 0..37 {
        join_all((0..27).map(|_| hospital.finds(&study, "LOW"))).await;
    }
    let path = format!("{PATH}/study/{}", id(&study));
    let all = hospital.radiologist().get(&path).await.expect(200);
    assert_eq!((all["findings"].as_array().unwrap().len(), all.get("findingsTruncated")), (1000, None));
    assert_eq!(all["findings"][999]["id"], first["id"]);

    let last = hospital.finds(&study, "LOW").await;

    let most = hospital.radiologist().get(&path).await.expect(200);
    assert_eq!(
        (most["findings"].as_array().unwrap().len(), &most["findingsTruncated"]),
        (1000, &json!(true))
    );
    assert_eq!(most["findings"][0]["id"], last["id"]);
    let rest = hospital.radiologist().get(&format!("{PATH}?studyId={}&page=11&limit=100", id(&study))).await;
    assert_eq!(ids(&rest.expect(200)["findings"]), [id(&first)]);
}

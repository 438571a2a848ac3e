use serde_json::json;
use tests::{Hospital, hospital::id};

use super::{PATH, ids};

#[tokio::test]
async fn what_nobody_has_acknowledged_comes_by_its_deadline() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    let low = hospital.finds(&study, "LOW").await;
    let critical = hospital.finds(&study, "CRITICAL").await;
    let moderate = hospital.finds(&study, "MODERATE").await;
    let high = hospital.finds(&study, "HIGH").await;
    let second_critical = hospital.finds(&study, "CRITICAL").await;
    let taken = hospital.finds(&study, "CRITICAL").await;
    hospital.provider().acknowledges(&taken).await.expect(200);
    let notified = "update imaging.findings set status = 'NOTIFIED'";
    hospital.execute(&format!("{notified} where id = '{}'", id(&high))).await;

    let list = hospital.radiologist().get(&format!("{PATH}/pending")).await.expect(200);

    let expected = [&critical, &second_critical, &high, &moderate, &low].map(id);
    assert_eq!(ids(&list["findings"]), expected);
    assert_eq!(list["pagination"], json!({"page": 1, "limit": 10, "total": 5, "totalPages": 1}));
}

#[tokio::test]
async fn a_cursor_goes_on_after_the_last_deadline_also_among_equal_ones() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    for severity in ["LOW", "HIGH", "LOW", "CRITICAL", "LOW", "HIGH", "LOW"] {
        hospital.finds(&study, severity).await;
    }
    hospital.execute("update imaging.findings set due_at = '2999-01-01' where severity = 'LOW'").await;
    let all = hospital.radiologist().get(&format!("{PATH}/pending")).await.expect(200)["findings"].take();
    let severities: Vec<_> =
        all.as_array().unwrap().iter().map(|finding| finding["severity"].as_str().unwrap()).collect();
    assert_eq!(severities, ["CRITICAL", "HIGH", "HIGH", "LOW", "LOW", "LOW", "LOW"]);

    let mut seen = Vec::new();
    let mut next = Some(format!("{PATH}/pending?limit=2&cursor="));
    while let Some(path) = next {
        let reply = hospital.radiologist().get(&path).await;
        let link = reply.header("link").to_owned();
        let page = reply.expect(200);
        assert_eq!(page["pagination"], json!({"limit": 2}));
        seen.extend(ids(&page["findings"]).into_iter().map(str::to_owned));
        // Somebody acknowledges the one where this page has ended, and something urgent comes before all of them.
        hospital
            .provider()
            .acknowledges(page["findings"].as_array().unwrap().last().unwrap())
            .await
            .expect(200);
        hospital.finds(&study, "CRITICAL").await;
        next =
            link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).map(str::to_owned);
    }
    assert_eq!(seen, ids(&all));
}

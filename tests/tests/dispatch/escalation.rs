//! A channel that fails escalates at once, and somebody who acknowledges ends it.

use serde_json::{Value, json};
use tests::{
    hospital::id,
    receiver::{Manner, Receiver},
};

use crate::wards::{self, deliveries, dispatches, passes};

/// The levels of a finding that have fired.
async fn fired(hospital: &tests::Hospital, finding: &Value) -> Vec<u64> {
    let finding = wards::read(hospital, finding).await;
    let levels = finding["escalations"].as_array().unwrap().iter();
    levels.filter(|level| !level["firedAt"].is_null()).map(|level| level["level"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn the_third_failure_of_a_critical_message_tells_the_next_group_at_once_and_only_that() {
    let receiver = Receiver::open().await;
    receiver.behaves(|_, request| match request.recipient() {
        "covering-1" | "chief-1" => Manner::Answers(200),
        _ => Manner::Answers(500),
    });
    let hospital = wards::open(&receiver).await;
    wards::sets(&hospital, |_| {}).await;
    let study = hospital.completed_study().await;
    // Neither can be reached; the next group is told once.
    let critical = wards::finds(&hospital, &study, "CRITICAL", &["dr-1", "provider-1"]).await;
    let high = wards::finds(&hospital, &study, "HIGH", &["provider-1"]).await;
    wards::concluded(&hospital, 3).await;
    for pause in ["3 seconds", "6 seconds", "11 seconds", "21 seconds"] {
        assert!(fired(&hospital, &high).await.is_empty());
        passes(&hospital, pause).await;
        dispatches(&hospital).await;
    }

    assert_eq!(fired(&hospital, &critical).await, [1]);
    let covering: Vec<_> =
        receiver.taken().into_iter().filter(|request| request.recipient() == "covering-1").collect();
    assert_eq!(covering.len(), 1);
    assert!(covering[0].text.contains("Nobody has acknowledged it yet."), "{}", covering[0].text);
    let now = wards::read(&hospital, &critical).await;
    assert_eq!((&now["status"], &now["notificationSent"]), (&json!("NOTIFIED"), &json!(true)));
}

#[tokio::test]
async fn a_message_that_is_dead_tells_the_next_group_whatever_the_severity() {
    let receiver = Receiver::open().await;
    receiver.behaves(|_, request| match request.recipient() {
        "provider-1" => Manner::Answers(422),
        _ => Manner::Answers(200),
    });
    let hospital = wards::open(&receiver).await;
    wards::sets(&hospital, |_| {}).await;
    let study = hospital.completed_study().await;
    let finding = wards::finds(&hospital, &study, "LOW", &["provider-1"]).await;
    wards::received(&hospital, &receiver, 1).await;
    hospital.wait_for("it to be given up", async || deliveries(&hospital, "state=DEAD").await.pop()).await;
    dispatches(&hospital).await;

    assert_eq!(fired(&hospital, &finding).await, [1]);
    assert_eq!(receiver.taken().last().unwrap().recipient(), "chief-1");
}

#[tokio::test]
async fn after_an_outage_every_level_fires_once_and_in_order_and_who_is_told_hears_it_in_order() {
    let receiver = Receiver::open().await;
    receiver.is(Manner::IsAway);
    let hospital = wards::open(&receiver).await;
    wards::sets(&hospital, |settings| settings["groups"]["DEPARTMENT"] = json!(["provider-1"])).await;
    let study = hospital.completed_study().await;
    let finding = wards::finds(&hospital, &study, "CRITICAL", &["provider-1"]).await;
    // Whoever was woken by it has found the receiver away, and is at nothing any more when the clock goes on.
    wards::concluded(&hospital, 1).await;
    passes(&hospital, "3 hours").await;
    receiver.is(Manner::Answers(200));
    dispatches(&hospital).await;
    passes(&hospital, "1 minute").await;
    dispatches(&hospital).await;
    wards::settled(&hospital).await;

    assert_eq!(fired(&hospital, &finding).await, [0, 1, 2]);
    let events = "select string_agg(detail->>'level', ' ' order by id) from imaging.outbox where topic = 'finding.escalated'";
    assert_eq!(hospital.sql(events).await.as_deref(), Some("0 1 2"));
    let to_provider: Vec<String> = receiver
        .taken()
        .iter()
        .filter(|request| request.recipient() == "provider-1")
        .map(|request| request.key().to_owned())
        .collect();
    let mut listed: Vec<String> = deliveries(&hospital, &format!("resourceId={}", id(&finding)))
        .await
        .iter()
        .filter(|delivery| delivery["recipient"] == "provider-1")
        .map(|delivery| id(delivery).to_owned())
        .collect();
    listed.sort();
    assert_eq!(to_provider, listed, "it was raised, told again, and told to the department");
}

#[tokio::test]
async fn once_somebody_acknowledges_nobody_else_is_told() {
    let receiver = Receiver::open().await;
    receiver.is(Manner::Answers(500));
    let hospital = wards::open(&receiver).await;
    wards::sets(&hospital, |_| {}).await;
    let study = hospital.completed_study().await;
    let finding = wards::finds(&hospital, &study, "CRITICAL", &["provider-1"]).await;
    wards::received(&hospital, &receiver, 1).await;
    hospital.provider().acknowledges(&finding).await.expect_status(200);
    receiver.is(Manner::Answers(200));
    dispatches(&hospital).await;
    passes(&hospital, "2 hours").await;
    dispatches(&hospital).await;

    assert_eq!(receiver.received().len(), 1);
    let listed = deliveries(&hospital, "").await;
    assert_eq!(listed.iter().map(|delivery| &delivery["state"]).collect::<Vec<_>>(), ["NOT_NEEDED"]);
    assert!(fired(&hospital, &finding).await.is_empty());
}

#[tokio::test]
async fn who_declines_a_finding_moves_it_on_to_the_next_group_at_once_and_to_no_further() {
    let receiver = Receiver::open().await;
    receiver.is(Manner::Answers(200));
    let hospital = wards::open(&receiver).await;
    wards::sets(&hospital, |_| {}).await;
    let study = hospital.completed_study().await;
    let finding = wards::finds(&hospital, &study, "CRITICAL", &["provider-1"]).await;
    wards::concluded(&hospital, 1).await;

    let decline = format!("/api/critical-findings/{}/decline", id(&finding));
    hospital.provider().post(&decline, json!({"reason": "Not on duty"})).await.expect_status(200);
    dispatches(&hospital).await;
    wards::settled(&hospital).await;

    assert_eq!(fired(&hospital, &finding).await, [1]);
    assert_eq!(receiver.taken().last().unwrap().recipient(), "covering-1");
    assert_eq!(wards::read(&hospital, &finding).await["status"], "NOTIFIED");
}

#[tokio::test]
async fn a_group_of_nobody_is_passed_over() {
    let receiver = Receiver::open().await;
    receiver.is(Manner::Answers(200));
    let hospital = wards::open(&receiver).await;
    wards::sets(&hospital, |settings| settings["groups"]["COVERING_GROUP"] = json!([])).await;
    let study = hospital.completed_study().await;
    let finding = wards::finds(&hospital, &study, "CRITICAL", &["provider-1"]).await;
    wards::concluded(&hospital, 1).await;

    passes(&hospital, "21 minutes").await;
    dispatches(&hospital).await;
    wards::settled(&hospital).await;

    assert_eq!(fired(&hospital, &finding).await, [0, 1, 2]);
    assert!(receiver.taken().iter().any(|request| request.recipient() == "chief-1"));
}

#[tokio::test]
async fn a_finding_of_which_nobody_can_be_told_is_the_next_groups_at_once() {
    let receiver = Receiver::open().await;
    let hospital = wards::open(&receiver).await;
    wards::sets(&hospital, |_| {}).await;
    let study = hospital.completed_study().await;
    // The images came without an order, and nobody has read them.
    hospital.execute("update imaging.studies set provider_id = null").await;
    let finding = wards::finds(&hospital, &study, "CRITICAL", &[]).await;
    wards::received(&hospital, &receiver, 1).await;
    wards::settled(&hospital).await;

    assert_eq!(wards::recipients(&receiver.received()), ["covering-1"]);
    assert_eq!(fired(&hospital, &finding).await, [1]);
    assert!(hospital.log().contains("nobody is there to be told of a finding"));
}

#[tokio::test]
async fn where_no_group_has_anybody_the_levels_keep_their_time_for_whoever_is_named_meanwhile() {
    let receiver = Receiver::open().await;
    let hospital = wards::open(&receiver).await;
    let nobody = |settings: &mut Value| {
        settings["groups"]["COVERING_GROUP"] = json!([]);
        settings["groups"]["DEPARTMENT"] = json!([]);
    };
    wards::sets(&hospital, nobody).await;
    let study = hospital.completed_study().await;
    let finding = wards::finds(&hospital, &study, "CRITICAL", &["dr-1"]).await;
    wards::received(&hospital, &receiver, 2).await;
    wards::concluded(&hospital, 2).await;
    passes(&hospital, "21 minutes").await;
    dispatches(&hospital).await;
    assert_eq!(fired(&hospital, &finding).await, [0, 1]);
    assert!(hospital.log().contains("nobody is there to be told of a finding"));

    wards::sets(&hospital, |settings| settings["groups"]["COVERING_GROUP"] = json!([])).await;
    passes(&hospital, "20 minutes").await;
    dispatches(&hospital).await;
    wards::settled(&hospital).await;
    assert_eq!(fired(&hospital, &finding).await, [0, 1, 2]);
    assert_eq!(receiver.taken().last().unwrap().recipient(), "chief-1");
}

#[tokio::test]
async fn when_every_group_was_told_declining_has_the_others_told_again() {
    let receiver = Receiver::open().await;
    let hospital = wards::open(&receiver).await;
    wards::sets(&hospital, |_| {}).await;
    let study = hospital.completed_study().await;
    let finding = wards::finds(&hospital, &study, "CRITICAL", &["provider-1"]).await;
    wards::concluded(&hospital, 1).await;
    passes(&hospital, "41 minutes").await;
    dispatches(&hospital).await;
    wards::settled(&hospital).await;
    let before = receiver.received().len();

    let decline = format!("/api/critical-findings/{}/decline", id(&finding));
    hospital.provider().post(&decline, json!({"reason": "Not on duty"})).await.expect_status(200);
    wards::received(&hospital, &receiver, before + 2).await;
    dispatches(&hospital).await;
    wards::settled(&hospital).await;
    let again = receiver.received().split_off(before);
    assert_eq!(wards::recipients(&again), ["chief-1", "covering-1"]);
}

#[tokio::test]
async fn a_message_that_was_given_up_is_not_sent_by_hand_once_somebody_has_taken_the_finding_on() {
    let receiver = Receiver::open().await;
    receiver.behaves(|_, request| match request.recipient() {
        "dr-1" => Manner::Answers(422),
        _ => Manner::Answers(200),
    });
    let hospital = wards::open(&receiver).await;
    wards::sets(&hospital, |_| {}).await;
    let study = hospital.completed_study().await;
    let finding = wards::finds(&hospital, &study, "HIGH", &["dr-1"]).await;
    let dead = hospital
        .wait_for("it to be given up", async || deliveries(&hospital, "state=DEAD").await.pop())
        .await;
    hospital.provider().acknowledges(&finding).await.expect_status(200);
    dispatches(&hospital).await;
    wards::settled(&hospital).await;
    let before = receiver.received().len();

    let retry = format!("/api/deliveries/{}/retry", id(&dead));
    hospital.somebody("admin").post(&retry, json!({})).await.expect_status(200);
    dispatches(&hospital).await;
    assert_eq!(receiver.received().len(), before);
    let listed = deliveries(&hospital, &format!("resourceId={}", id(&finding))).await;
    assert!(listed.iter().any(|delivery| delivery["id"] == dead["id"] && delivery["state"] == "NOT_NEEDED"));
}

use insta::assert_snapshot;
use serde_json::{Value, json};
use tests::{Hospital, actor::finding_of, hospital::id};

use super::{PATH, colleague};

/// One line of figures.
fn line(figures: &Value) -> String {
    let names = [
        "raised",
        "acknowledged",
        "acknowledgedInTime",
        "percentInTime",
        "medianMinutes",
        "p95Minutes",
        "escalations",
        "open",
        "openPastDeadline",
    ];
    assert_eq!(figures.as_object().unwrap().len(), names.len(), "{figures}");
    names.map(|name| format!("{name} {}", figures[name])).join(", ")
}

async fn metrics(actor: &tests::Actor, query: &str) -> Value {
    actor.get(&format!("{PATH}/metrics{query}")).await.expect(200)["metrics"].take()
}

/// A finding, of which nobody is told any more, that was reported so many hours ago and, if at all, acknowledged so many minutes later.
async fn found(
    hospital: &Hospital,
    study: &Value,
    severity: &str,
    hours_ago: u32,
    minutes: Option<u32>,
) -> Value {
    let finding = hospital.finds(study, severity).await;
    let moved = format!(
        "update imaging.findings
            set reported_at = reported_at - interval '{hours_ago} hours', due_at = due_at - interval '{hours_ago} hours'
          where id = '{id}';
         update imaging.escalations
            set due_at = due_at - interval '{hours_ago} hours', fired_at = case when {fired} then due_at end,
                stopped_at = case when not {fired} then due_at end
          where finding_id = '{id}'",
        id = id(&finding),
        fired = if severity == "CRITICAL" { "level <= 2" } else { "false" },
    );
    hospital.execute(&moved).await;
    if let Some(minutes) = minutes {
        let acknowledged = format!(
            "update imaging.findings set acknowledged_at = reported_at + interval '{minutes} minutes', status = 'ACKNOWLEDGED'
              where id = '{}'",
            id(&finding)
        );
        hospital.execute(&acknowledged).await;
    }
    finding
}

#[tokio::test]
async fn where_nothing_was_found_there_is_nothing_to_divide() {
    let hospital = Hospital::open().await;
    let metrics = metrics(&hospital.somebody("admin"), "").await;
    let empty = line(&metrics["total"]);
    assert_snapshot!(empty, @"raised 0, acknowledged 0, acknowledgedInTime 0, percentInTime null, medianMinutes null, p95Minutes null, escalations 0, open 0, openPastDeadline 0");
    let severities = metrics["severities"].as_object().unwrap();
    assert_eq!(severities.keys().collect::<Vec<_>>(), ["CRITICAL", "HIGH", "LOW", "MODERATE"]);
    assert!(severities.values().all(|figures| line(figures) == empty));
}

#[tokio::test]
async fn in_time_is_what_was_acknowledged_by_its_deadline_of_all_whose_time_has_come() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    // On the last minute is in time, a minute later is late.
    for minutes in [10, 20, 60, 61] {
        found(&hospital, &study, "CRITICAL", 48, Some(minutes)).await;
    }
    // Late already though nobody has acknowledged it; and one whose deadline is yet to come, which counts for nothing.
    found(&hospital, &study, "CRITICAL", 2, None).await;
    found(&hospital, &study, "HIGH", 1, None).await;
    found(&hospital, &study, "HIGH", 1, Some(30)).await;
    // Out of the period.
    found(&hospital, &study, "LOW", 31 * 24, Some(1)).await;

    let metrics = metrics(&hospital.somebody("admin"), "").await;

    let rows: Vec<_> = ["CRITICAL", "HIGH", "MODERATE", "LOW"]
        .into_iter()
        .map(|severity| format!("{severity}: {}", line(&metrics["severities"][severity])))
        .chain([format!("total: {}", line(&metrics["total"]))])
        .collect();
    assert_snapshot!(rows.join("\n"), @r"
    CRITICAL: raised 5, acknowledged 4, acknowledgedInTime 3, percentInTime 60.0, medianMinutes 40.0, p95Minutes 60.9, escalations 10, open 1, openPastDeadline 1
    HIGH: raised 2, acknowledged 1, acknowledgedInTime 1, percentInTime 100.0, medianMinutes 30.0, p95Minutes 30.0, escalations 0, open 1, openPastDeadline 0
    MODERATE: raised 0, acknowledged 0, acknowledgedInTime 0, percentInTime null, medianMinutes null, p95Minutes null, escalations 0, open 0, openPastDeadline 0
    LOW: raised 0, acknowledged 0, acknowledgedInTime 0, percentInTime null, medianMinutes null, p95Minutes null, escalations 0, open 0, openPastDeadline 0
    total: raised 7, acknowledged 5, acknowledgedInTime 4, percentInTime 66.7, medianMinutes 30.0, p95Minutes 60.8, escalations 10, open 2, openPastDeadline 1
    ");
}

#[tokio::test]
async fn a_period_is_of_when_it_was_reported_and_ends_with_its_last_day() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    for at in ["2026-03-01T00:00:00Z", "2026-03-01T23:59:59.5Z", "2026-03-02T12:00:00Z"] {
        let finding = hospital.finds(&study, "LOW").await;
        let moved = format!("update imaging.findings set reported_at = '{at}' where id = '{}'", id(&finding));
        hospital.execute(&moved).await;
    }
    let admin = hospital.somebody("admin");
    for (query, raised) in [
        ("?from=2026-03-01&to=2026-03-01", 2),
        ("?from=2026-03-01T00:00:01Z&to=2026-03-02", 2),
        ("?from=2026-03-02", 1),
        ("?to=2026-03-05", 3),
        ("?to=2026-02-28", 0),
        ("?from=2026-03-02&to=2026-03-01", 0),
    ] {
        assert_eq!(metrics(&admin, query).await["total"]["raised"], raised, "{query}");
    }
    let period = metrics(&admin, "?to=2026-03-31T12:00:00Z").await;
    assert_eq!(
        (&period["from"], &period["to"]),
        (&json!("2026-03-01T12:00:00.000Z"), &json!("2026-03-31T12:00:00.000Z"))
    );
    let refused = admin.get(&format!("{PATH}/metrics?from=yesterday&until=2026-03-01")).await;
    assert_snapshot!(refused.expect_malformed(), @r"
    from must be a date (YYYY-MM-DD) or a time in ISO 8601 with its offset
    until is not a parameter here
    ");
}

#[tokio::test]
async fn figures_are_of_what_one_may_read_and_name_nobody() {
    let hospital = Hospital::open().await;
    let study = hospital.registered_study().await;
    hospital.finds(&study, "LOW").await;
    let mut told = finding_of(&study, "CRITICAL");
    told["notifiedTo"] = json!(["provider-9"]);
    hospital.radiologist().raises(told).await;
    let elsewhere =
        hospital.somebody_with("technologist", |claims| claims.facility_ids = vec!["fac-2".to_owned()]);
    for (who, actor, raised) in [
        ("provider", hospital.provider(), 2),
        ("told", colleague(&hospital), 1),
        ("technologist", hospital.technologist(), 2),
        ("technologist elsewhere", elsewhere, 0),
        ("radiologist", hospital.radiologist(), 2),
        ("service", hospital.service(), 2),
        ("admin", hospital.somebody("admin"), 2),
        ("stranger", hospital.stranger(), 0),
    ] {
        let metrics = metrics(&actor, "").await;
        assert_eq!(metrics["total"]["raised"], raised, "{who}");
        assert!(!metrics.to_string().contains("MRN-1"), "{who}");
    }
    for role in ["scheduler", "patient", "auditor"] {
        hospital.somebody(role).get(&format!("{PATH}/metrics")).await.expect_refusal(403, "forbidden");
    }
    let looks = "select count(*)::text from imaging.audit_events where action = 'finding.figures' and outcome = 'SUCCESS'";
    assert_eq!(hospital.sql(looks).await.as_deref(), Some("8"));
}

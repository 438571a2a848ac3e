use futures::future::join_all;
use insta::assert_snapshot;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Hospital, Reply};

const PATH: &str = "/api/settings/critical-results";

/// Settings as they are sent: without what only the service says of them.
fn sent(settings: &Value) -> Value {
    let mut settings = settings.clone();
    for name in ["version", "changedBy", "changedAt"] {
        settings.as_object_mut().unwrap().remove(name);
    }
    settings
}

async fn settings(hospital: &Hospital) -> Value {
    hospital.somebody("admin").get(PATH).await.expect(200)["settings"].take()
}

#[tokio::test]
async fn nobody_has_to_set_anything() {
    let hospital = Hospital::open().await;
    let reply = hospital.somebody("admin").get(PATH).await;
    assert_eq!(reply.header("etag"), "\"0\"");
    assert_eq!(
        reply.expect(200)["settings"],
        json!({
            "severities": {
                "CRITICAL": {"acknowledgeWithinMinutes": 60, "toldAgainAfterMinutes": 10, "levels": [
                    {"afterMinutes": 20, "group": "COVERING_GROUP"},
                    {"afterMinutes": 40, "group": "DEPARTMENT"},
                    {"afterMinutes": 60, "group": "ON_CALL_OPERATOR"},
                ]},
                "HIGH": {"acknowledgeWithinMinutes": 180, "toldAgainAfterMinutes": 60, "levels": [
                    {"afterMinutes": 120, "group": "COVERING_GROUP"},
                    {"afterMinutes": 180, "group": "DEPARTMENT"},
                ]},
                "MODERATE": {"acknowledgeWithinMinutes": 4320, "toldAgainAfterMinutes": 1440, "levels": [
                    {"afterMinutes": 4320, "group": "DEPARTMENT"},
                ]},
                "LOW": {"acknowledgeWithinMinutes": 21600, "toldAgainAfterMinutes": 10080, "levels": [
                    {"afterMinutes": 21600, "group": "DEPARTMENT"},
                ]},
            },
            "groups": {"COVERING_GROUP": [], "DEPARTMENT": [], "ON_CALL_OPERATOR": []},
            "alwaysNotify": [],
            "privacyOfficers": [],
            "messagesCarryPatientAndFinding": false,
            "version": 0,
            "changedBy": null,
            "changedAt": null,
        })
    );
}

#[tokio::test]
async fn what_is_put_is_in_force_and_what_was_is_kept() {
    let hospital = Hospital::open().await;
    let admin = hospital.somebody("admin");
    let defaults = settings(&hospital).await;
    let mut first = sent(&defaults);
    first["groups"]["DEPARTMENT"] = json!(["chief-1", "chief-2"]);
    first["privacyOfficers"] = json!(["officer-1"]);
    first["severities"]["CRITICAL"]["acknowledgeWithinMinutes"] = json!(30);

    let reply = admin.put(PATH, first.clone()).await;

    assert_eq!(reply.header("etag"), "\"1\"");
    let put = reply.expect(200)["settings"].take();
    assert_eq!(sent(&put), first);
    assert_eq!((&put["version"], &put["changedBy"]), (&json!(1), &json!("admin-1")));
    assert_eq!(settings(&hospital).await, put);

    let mut second = first.clone();
    second["messagesCarryPatientAndFinding"] = json!(true);
    second["privacyOfficers"] = json!([]);
    let other = hospital.somebody("system_admin");
    let put = other.put(PATH, second.clone()).await.expect(200)["settings"].take();
    assert_eq!((&put["version"], sent(&put)), (&json!(2), second));
    let kept =
        "select document->'privacyOfficers'->>0 from imaging.critical_results_settings where version = 1";
    assert_eq!(hospital.sql(kept).await.as_deref(), Some("officer-1"));
    let acts =
        "select string_agg(concat_ws(' ', actor, action, resource, resource_version), ', ' order by at, id)
                  from imaging.audit_events";
    assert_snapshot!(hospital.sql(acts).await.unwrap(), @"admin-1 settings.read settings 0, admin-1 settings.change settings 1, admin-1 settings.read settings 1, system_admin-1 settings.change settings 2");
    // Another organization has its own.
    let elsewhere = hospital.somebody_with("admin", |claims| claims.organization_id = "org-2".to_owned());
    assert_eq!(elsewhere.get(PATH).await.expect(200)["settings"], defaults);
}

#[tokio::test]
async fn a_whole_document_is_put_and_every_fault_in_it_is_named() {
    let hospital = Hospital::open().await;
    let admin = hospital.somebody("admin");
    let whole = sent(&settings(&hospital).await);
    assert_snapshot!(admin.put(PATH, json!({"alwaysNotify": ["dr-1"], "version": 1})).await.expect_invalid(), @r"
    severities is required
    groups is required
    privacyOfficers is required
    messagesCarryPatientAndFinding is required
    version is not a field that can be set here
    ");
    let mut wrong = whole.clone();
    wrong["severities"]["CRITICAL"]["acknowledgeWithinMinutes"] = json!(1441);
    wrong["severities"]["HIGH"]["toldAgainAfterMinutes"] = json!(180);
    wrong["severities"]["MODERATE"]["levels"] = json!([]);
    wrong["severities"]["LOW"]["levels"] =
        json!([{"afterMinutes": 30, "group": "DEPARTMENT"}, {"afterMinutes": 20, "group": "DEPARTMENT"}]);
    wrong["groups"]["FAMILY"] = json!([]);
    wrong["groups"]["DEPARTMENT"] = json!(["", "chief-1"]);
    wrong["privacyOfficers"] = json!("officer-1");
    assert_snapshot!(admin.put(PATH, wrong).await.expect_invalid(), @r"
    severities.CRITICAL.acknowledgeWithinMinutes must be at most 1440: a day
    severities.HIGH.toldAgainAfterMinutes must be less than acknowledgeWithinMinutes
    severities.MODERATE.levels must be 1 to 10 levels
    severities.LOW.levels must come one after the other
    groups.DEPARTMENT holds an id that must not be empty
    groups.FAMILY is not a field that can be set here
    privacyOfficers must be a list of ids
    ");
    for body in [json!([]), json!(null), json!("x")] {
        assert_eq!(admin.put(PATH, body).await.expect_malformed(), "body must be a JSON object\n");
    }
    // Nothing of that was kept, and a day is just short enough.
    assert_eq!(sent(&settings(&hospital).await), whole);
    let mut longest = whole;
    longest["severities"]["CRITICAL"]["acknowledgeWithinMinutes"] = json!(1440);
    admin.put(PATH, longest).await.expect(200);
}

#[tokio::test]
async fn of_two_who_read_the_same_settings_the_second_is_told() {
    let hospital = Hospital::open().await;
    let whole = sent(&settings(&hospital).await);
    let put = |etag: &str| {
        let request = hospital.somebody("admin").request(Method::PUT, PATH).header("if-match", etag);
        Reply::of(request.json(&whole))
    };
    put("\"1\"").await.expect_refusal(412, "stale_version");
    put("\"0\"").await.expect(200);
    let stale = put("\"0\"").await;
    stale.expect_refusal(412, "stale_version");
    assert_eq!(stale.header("etag"), "\"1\"");

    let at_once = join_all((0..10).map(|_| put("\"1\""))).await;
    assert_eq!(at_once.iter().filter(|reply| reply.status == 200).count(), 1);
    assert!(at_once.iter().all(|reply| [200, 412].contains(&reply.status)));
    // Without a version each is taken, one after the other.
    let admin = hospital.somebody("admin");
    let at_once = join_all((0..10).map(|_| admin.put(PATH, whole.clone()))).await;
    let mut versions: Vec<_> =
        at_once.into_iter().map(|reply| reply.expect(200)["settings"]["version"].as_u64().unwrap()).collect();
    versions.sort_unstable();
    assert_eq!(versions, (3..13).collect::<Vec<_>>());
}

#[tokio::test]
async fn only_who_administers_reads_and_changes_them() {
    let hospital = Hospital::open().await;
    let whole = sent(&settings(&hospital).await);
    for role in ["provider", "scheduler", "technologist", "radiologist", "service", "patient", "auditor"] {
        hospital.somebody(role).get(PATH).await.expect_refusal(403, "forbidden");
        hospital.somebody(role).put(PATH, whole.clone()).await.expect_refusal(403, "forbidden");
    }
    hospital.anonymous().put(PATH, whole).await.expect_refusal(401, "unauthenticated");
}

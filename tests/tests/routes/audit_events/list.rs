use insta::assert_snapshot;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Hospital, Reply,
    hospital::{ct_chest, id},
};

use super::{PATH, auditor, events};

async fn quiet() -> Hospital {
    Hospital::open_with(|settings| settings.timers.clear()).await
}

fn order_of(patient: &str) -> Value {
    let mut order = ct_chest();
    order["patientId"] = json!(patient);
    order
}

fn texts<'a>(events: &'a [Value], member: &str) -> Vec<&'a str> {
    events.iter().map(|event| event[member].as_str().unwrap_or_default()).collect()
}

#[tokio::test]
async fn an_event_says_who_did_what_to_whom_from_where_and_why() {
    let hospital = quiet().await;
    let order = hospital.provider().places(ct_chest()).await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let cancelled = hospital
        .technologist()
        .request(Method::DELETE, &format!("/api/imaging-orders/{}", id(&order)))
        .header("x-request-id", "r-17")
        .header("traceparent", trace)
        // What a client says of its own address is believed by nobody.
        .header("spin-client-addr", "6.6.6.6:6")
        .header("x-forwarded-for", "6.6.6.6")
        .json(&json!({"reason": "The patient has moved away"}));
    Reply::of(cancelled).await.expect(200);

    let found = events(&hospital, "action=order.cancel").await;
    let [event] = found.as_slice() else { panic!("{found:?}") };
    assert!(event["source"].as_str().unwrap().starts_with("127.0.0.1:"), "{event}");
    let mut event = event.clone();
    for (member, what) in [("id", "uuid"), ("at", "moment"), ("source", "address"), ("resourceId", "order")] {
        assert!(event[member].is_string(), "{member} in {event}");
        event[member] = json!(format!("({what})"));
    }
    assert_snapshot!(serde_json::to_string_pretty(&event).unwrap(), @r#"
    {
      "action": "order.cancel",
      "actor": "technologist-1",
      "at": "(moment)",
      "code": null,
      "detail": {},
      "emergency": false,
      "emergencyReason": null,
      "id": "(uuid)",
      "outcome": "SUCCESS",
      "patientIds": [
        "MRN-1"
      ],
      "reason": "The patient has moved away",
      "reasonLost": false,
      "requestId": "r-17",
      "resource": "order",
      "resourceId": "(order)",
      "resourceVersion": 2,
      "role": "technologist",
      "source": "(address)",
      "trace": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    }
    "#);
}

#[tokio::test]
async fn each_filter_leaves_what_it_says_and_all_of_it() {
    let hospital = quiet().await;
    let provider = hospital.provider();
    let other = hospital.somebody_with("provider", |claims| claims.id = "provider-2".to_owned());
    let first = provider.places(order_of("MRN-1")).await;
    let second = other.places(order_of("MRN-2")).await;
    let study = hospital.technologist().registers(&second).await;
    let path = |order: &Value| format!("/api/imaging-orders/{}", id(order));
    provider.get(&path(&first)).await.expect(200);
    provider.delete(&path(&first)).await.expect(200);
    provider.delete(&path(&first)).await.expect_status(409);
    hospital.scheduler().post("/api/reports", json!({})).await.expect_status(403);
    let list = provider.get("/api/imaging-orders?limit=100").await.expect(200);
    assert_eq!(list["orders"].as_array().unwrap().len(), 2);

    for (query, actions) in [
        ("patientId=MRN-1", "order.list order.cancel order.cancel order.read order.place"),
        ("patientId=MRN-2", "order.list study.register order.follow_study order.place"),
        ("patientId=MRN-3", ""),
        ("actor=provider-2", "order.place"),
        ("actor=nobody", ""),
        ("resource=study", "study.register"),
        ("resource=finding", ""),
        ("action=order.read", "order.read"),
        ("outcome=REFUSED", "report.write order.cancel"),
        ("outcome=REFUSED&patientId=MRN-1", "order.cancel"),
        ("emergency=true", ""),
        ("emergency=false&actor=technologist-1", "study.register order.follow_study"),
    ] {
        let found = events(&hospital, query).await;
        let mut found = texts(&found, "action");
        // Within one call, the events are of one moment.
        found.sort_unstable();
        let mut expected: Vec<&str> = actions.split_whitespace().collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "{query}");
    }
    for query in [format!("resource=order/{}", id(&first)), format!("resource={}", id(&first))] {
        let found = events(&hospital, &query).await;
        assert_eq!(
            texts(&found, "action"),
            ["order.cancel", "order.cancel", "order.read", "order.place"],
            "{query}"
        );
    }
    assert_eq!(events(&hospital, &format!("resource=order/{}", id(&study))).await, Vec::<Value>::new());
    assert_eq!(events(&hospital, &format!("resource=study/{}", id(&study))).await.len(), 1);
}

#[tokio::test]
async fn events_are_found_by_their_time_to_the_millisecond() {
    let hospital = quiet().await;
    for shift in ["-3 days", "-2 days", "0"] {
        hospital
            .execute(&format!(
                "delete from imaging.clock_shift; insert into imaging.clock_shift values ('{shift}')"
            ))
            .await;
        hospital.provider().places(ct_chest()).await;
    }
    let all = events(&hospital, "action=order.place").await;
    let at = texts(&all, "at");
    assert_eq!(at.len(), 3);
    assert!(at.is_sorted_by(|newer, older| newer > older), "{at:?}");
    let later = |at: &str| {
        let moment: jiff::Timestamp = at.parse().unwrap();
        (moment + jiff::SignedDuration::from_millis(1)).to_string()
    };
    for (query, found) in [
        (format!("from={}", at[1]), 2),
        (format!("from={}", later(at[1])), 1),
        (format!("to={}", later(at[1])), 2),
        (format!("from={}&to={}", at[1], later(at[1])), 1),
        ("from=2000-01-01&to=9999-12-31".to_owned(), 3),
        ("from=1800-01-01&to=1969-01-01".to_owned(), 0),
        (format!("from={day}&to={day}", day = &at[2][..10]), 1),
    ] {
        assert_eq!(events(&hospital, &format!("action=order.place&{query}")).await.len(), found, "{query}");
    }
}

#[tokio::test]
async fn pages_have_a_total_and_a_cursor_leads_through_everything_once() {
    let hospital = quiet().await;
    for _ in 0..7 {
        hospital.provider().places(ct_chest()).await;
    }
    let auditor = auditor(&hospital);
    let page = auditor.get(&format!("{PATH}?action=order.place&page=2&limit=3")).await.expect(200);
    assert_eq!(page["pagination"], json!({"page": 2, "limit": 3, "total": 7, "totalPages": 3}));
    assert_eq!(page["events"].as_array().unwrap().len(), 3);

    let mut seen = Vec::new();
    let mut path = format!("{PATH}?action=order.place&limit=3&cursor=");
    loop {
        let reply = auditor.get(&path).await;
        let next = reply.header("link").strip_prefix('<').and_then(|link| link.split_once('>'));
        let next = next.map(|(next, _)| next.to_owned());
        // What is written meanwhile disturbs nothing.
        hospital.provider().places(ct_chest()).await;
        seen.extend(reply.expect(200)["events"].as_array().unwrap().iter().map(|event| id(event).to_owned()));
        let Some(next) = next else { break };
        path = next;
    }
    assert_eq!(seen.len(), 7);
    assert!(seen.is_sorted_by(|newer, older| newer > older), "{seen:?}");
}

#[tokio::test]
async fn only_an_auditor_reads_the_audit_and_only_that_of_the_own_organization() {
    let hospital = quiet().await;
    let order = hospital.provider().places(ct_chest()).await;
    for role in [
        "provider",
        "scheduler",
        "technologist",
        "radiologist",
        "service",
        "patient",
        "admin",
        "system_admin",
        "auditors",
    ] {
        let somebody = hospital.somebody_with(role, |claims| {
            claims.permissions = vec!["*".to_owned()];
            claims.patient_id = Some("MRN-1".to_owned());
        });
        somebody.get(PATH).await.expect_refusal(403, "forbidden");
    }
    hospital.anonymous().get(PATH).await.expect_refusal(401, "unauthenticated");

    let stranger = hospital.somebody_with("auditor", |claims| claims.organization_id = "org-2".to_owned());
    for query in ["", "patientId=MRN-1", &format!("resource={}", id(&order)), "actor=provider-1"] {
        let found = stranger.get(&format!("{PATH}?{query}")).await.expect(200);
        let others: Vec<&Value> =
            found["events"].as_array().unwrap().iter().filter(|event| event["role"] != "auditor").collect();
        assert_eq!(others, Vec::<&Value>::new(), "{query}");
    }
}

#[tokio::test]
async fn who_looks_into_the_audit_is_in_it() {
    let hospital = quiet().await;
    events(&hospital, "patientId=MRN-7&actor=provider-1").await;
    events(&hospital, "outcome=REFUSED").await;

    let looks = events(&hospital, "actor=auditor-1&action=audit.list").await;

    let shown: Vec<Value> = looks.iter().map(|look| json!([look["patientIds"], look["detail"]])).collect();
    assert_eq!(
        shown,
        [json!([[], {"outcome": "REFUSED"}]), json!([["MRN-7"], {"actor": "provider-1"}])],
        "{looks:?}"
    );
    let found = events(&hospital, "patientId=MRN-7").await;
    assert_eq!(texts(&found, "action"), ["audit.list"]);
}

#[tokio::test]
async fn a_parameter_that_cannot_be_read_is_named() {
    let hospital = quiet().await;
    let query = "patientId=&actor=&resource=Study&action=&outcome=DONE&emergency=perhaps&from=yesterday&to=1&limit=0&who=x";
    let reply = auditor(&hospital).get(&format!("{PATH}?{query}")).await;
    assert_snapshot!(reply.expect_malformed(), @r"
    resource must be a kind of thing such as study, study/<id>, or an id
    patientId must not be empty
    actor must not be empty
    action must not be empty
    outcome must be one of SUCCESS REFUSED
    emergency must be true or false
    from must be a date (YYYY-MM-DD) or a time in ISO 8601 with its offset
    to must be a date (YYYY-MM-DD) or a time in ISO 8601 with its offset
    limit must be a whole number from 1 to 100
    who is not a parameter here
    ");
}

use futures::future::join_all;
use insta::assert_snapshot;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Hospital, Reply};

use super::{PATH, of_an_algorithm, rules};

#[tokio::test]
async fn what_is_put_is_in_force_and_what_was_is_kept() {
    let hospital = Hospital::open().await;
    let admin = hospital.somebody("admin");
    let defaults = rules(&hospital).await;
    let mut first = json!({"rules": defaults["rules"]});
    first["rules"][0]["enabled"] = json!(false);
    first["rules"].as_array_mut().unwrap().push(of_an_algorithm(&json!({"manufacturer": "Acme"})));

    let reply = admin.put(PATH, first.clone()).await;

    assert_eq!(reply.header("etag"), "\"1\"");
    let put = reply.expect(200)["rules"].take();
    assert_eq!(put["rules"], first["rules"]);
    assert_eq!((&put["version"], &put["changedBy"]), (&json!(1), &json!("admin-1")));
    assert_eq!(rules(&hospital).await, put);

    let other = hospital.somebody("system_admin");
    let put = other.put(PATH, json!({"rules": []})).await.expect(200)["rules"].take();
    assert_eq!((&put["version"], &put["rules"]), (&json!(2), &json!([])));
    let kept = "select document->'rules'->0->>'enabled' from imaging.finding_rules where version = 1";
    assert_eq!(hospital.sql(kept).await.as_deref(), Some("false"));
    let acts = "select string_agg(concat_ws(' ', actor, action, resource, resource_version, detail->>'of'), e'\n' order by at, id)
                  from imaging.audit_events";
    assert_snapshot!(hospital.sql(acts).await.unwrap(), @r"
    admin-1 settings.read settings 0 finding-rules
    admin-1 settings.change settings 1 finding-rules
    admin-1 settings.read settings 1 finding-rules
    system_admin-1 settings.change settings 2 finding-rules
    ");
    // Another organization has its own.
    let elsewhere = hospital.somebody_with("admin", |claims| claims.organization_id = "org-2".to_owned());
    assert_eq!(elsewhere.get(PATH).await.expect(200)["rules"], defaults);
}

#[tokio::test]
async fn what_is_left_out_may_as_well_be_null() {
    let hospital = Hospital::open().await;
    let mut sent = of_an_algorithm(&json!({"name": "BleedDetect", "version": null}));
    sent["bodyPart"] = Value::Null;
    for name in ["categories", "findings", "cad", "threshold"] {
        sent["matches"][name] = Value::Null;
    }

    let put = hospital.somebody("admin").put(PATH, json!({"rules": [sent]})).await.expect(200);

    assert_eq!(put["rules"]["rules"], json!([of_an_algorithm(&json!({"name": "BleedDetect"}))]));
}

#[tokio::test]
async fn a_whole_document_is_put_and_every_fault_in_it_is_named() {
    let hospital = Hospital::open().await;
    let admin = hospital.somebody("admin");
    assert_snapshot!(admin.put(PATH, json!({"version": 1})).await.expect_invalid(), @r"
    rules is required
    version is not a field that can be set here
    ");
    let mut wrong = [of_an_algorithm(&json!({"name": "BleedDetect"})), json!({}), json!(5)].to_vec();
    wrong.push(wrong[0].clone());
    wrong[0]["severity"] = json!("SOON");
    wrong[3]["matches"] = json!({
        "categories": [{"value": "RID49480"}], "algorithms": [{}], "cad": ["HEART"], "threshold": 101, "colour": "red",
    });
    wrong.push(of_an_algorithm(&json!({"name": "Other"})));
    wrong[4]["id"] = json!("Not an id");
    wrong[4]["matches"] = json!({"threshold": 50});
    wrong.push(of_an_algorithm(&json!({"name": "Other"})));
    wrong.push(of_an_algorithm(&json!({"name": "Other"})));
    assert_snapshot!(admin.put(PATH, json!({"rules": wrong})).await.expect_invalid(), @r"
    rules[0].severity must be one of CRITICAL HIGH MODERATE LOW NONE
    rules[1].id is required
    rules[1].name is required
    rules[1].enabled is required
    rules[1].matches is required
    rules[1].severity is required
    rules[1].category is required
    rules[2] must be an object
    rules[3].matches.categories[0].scheme is required
    rules[3].matches.algorithms[0].name is required, or a manufacturer or a version
    rules[3].matches.cad[0] must be one of MAMMOGRAPHY CHEST COLON
    rules[3].matches.threshold must be a number from 0 to 100
    rules[3].matches.colour is not a field that can be set here
    rules[4].id must be 1 to 64 lower case letters, digits and hyphens
    rules[4].matches must name categories, findings, algorithms or cad
    rules[5].id is another rule's
    rules[6].id is another rule's
    ");
    let many = vec![Value::Null; 201];
    let too_many = admin.put(PATH, json!({"rules": many})).await;
    assert_eq!(too_many.expect_invalid(), "rules must be a list of at most 200\n");
    for body in [json!([]), json!(null), json!("x")] {
        assert_eq!(admin.put(PATH, body).await.expect_malformed(), "body must be a JSON object\n");
    }
    assert_eq!(rules(&hospital).await["version"], 0);
}

#[tokio::test]
async fn of_two_who_read_the_same_rules_the_second_is_told() {
    let hospital = Hospital::open().await;
    let put = |etag: &str| {
        let request = hospital.somebody("admin").request(Method::PUT, PATH).header("if-match", etag);
        Reply::of(request.json(&json!({"rules": []})))
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
    let at_once = join_all((0..10).map(|_| admin.put(PATH, json!({"rules": []})))).await;
    let mut versions: Vec<_> =
        at_once.into_iter().map(|reply| reply.expect(200)["rules"]["version"].as_u64().unwrap()).collect();
    versions.sort_unstable();
    assert_eq!(versions, (3..13).collect::<Vec<_>>());
}

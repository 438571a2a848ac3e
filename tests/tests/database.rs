//! What the database promises by itself, whoever calls it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    path::Path,
};

use domain::FindingRules;
use insta::assert_snapshot;
use local::Stack;
use migrate::{Options, Standing};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tests::{
    Hospital, Reply,
    actor::{critical_results, finding_of, report_of, study_of},
    dicom,
    hospital::{ct_chest, id, instance_of},
    planted,
};
use uuid::Uuid;

/// The functions that the service calls: two documents in, one out, in a family's schema.
const DOORS: &str = "
    select p.oid, n.nspname || '.' || p.proname as name, p.prosecdef, p.proconfig
      from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where n.nspowner = 'imaging_owner'::regrole and n.nspname not in ('imaging', 'imaging_migrations')
       and p.prorettype = 'jsonb'::regtype and not p.proretset
       and p.pronargs = 2 and p.proargtypes[0] = 'jsonb'::regtype and p.proargtypes[1] = 'jsonb'::regtype";

/// Tables that hold what is an organization's.
const TABLES: &str = "
    select c.oid, n.nspname || '.' || c.relname as name, c.relrowsecurity, c.relforcerowsecurity
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspowner = 'imaging_owner'::regrole and n.nspname <> 'imaging_migrations' and c.relkind in ('r', 'p')";

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

async fn texts(connection: &mut PgConnection, query: &str) -> Vec<String> {
    sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_all(connection).await.unwrap()
}

fn code(error: &sqlx::Error) -> String {
    error.as_database_error().and_then(|error| error.code()).map(Into::into).unwrap_or_default()
}

/// A hospital where nothing happens by itself.
async fn quiet() -> Hospital {
    Hospital::open_with(|settings| settings.timers.clear()).await
}

#[tokio::test]
async fn the_service_reads_and_writes_no_table() {
    let hospital = quiet().await;
    let mut admin = connect(&hospital.database.admin_url()).await;
    let mut service = connect(&hospital.database.service_url()).await;
    let every_relation = "
        select quote_ident(n.nspname) || '.' || quote_ident(c.relname)
          from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspowner = 'imaging_owner'::regrole and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f') order by 1";
    let relations = texts(&mut admin, every_relation).await;
    assert!(relations.len() > 10, "{relations:?}");
    for relation in &relations {
        for statement in [
            format!("select * from {relation}"),
            format!("insert into {relation} default values"),
            format!("delete from {relation}"),
            format!("truncate {relation}"),
            format!("copy {relation} to stdout"),
        ] {
            let refused = sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(&mut service).await;
            // Permission denied; or, of a sequence, that it is no table at all.
            assert!(
                matches!(&refused, Err(error) if ["42501", "42809"].contains(&&*code(error))),
                "{statement}: {refused:?}"
            );
        }
    }
    // Nor any column, nor by any grant that nobody tried.
    let granted = texts(
        &mut admin,
        &format!(
            "select c.name || ' ' || privilege from ({TABLES}) c,
                 unnest(array['select', 'insert', 'update', 'references']) privilege
              where has_any_column_privilege('imaging_service', c.oid, privilege)"
        ),
    )
    .await;
    assert_eq!(granted, Vec::<String>::new());
}

#[tokio::test]
async fn the_service_executes_the_functions_that_answer_requests_and_nothing_else() {
    let hospital = quiet().await;
    let mut admin = connect(&hospital.database.admin_url()).await;
    let executable = texts(
        &mut admin,
        "select p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace
          where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
            and has_schema_privilege('imaging_service', n.oid, 'usage')
            and has_function_privilege('imaging_service', p.oid, 'execute') order by 1",
    )
    .await;
    let doors =
        texts(&mut admin, &format!("select oid::regprocedure::text from ({DOORS}) doors order by 1")).await;
    assert_eq!(executable, doors);
    assert!(doors.len() > 20, "{doors:?}");

    // Each acts as the owner, who is no superuser, and looks nothing up where a caller could have put it.
    let open = texts(
        &mut admin,
        &format!(
            "select name from ({DOORS}) doors
              where not prosecdef or not coalesce('search_path=pg_catalog, pg_temp' = any(proconfig), false)"
        ),
    )
    .await;
    assert_eq!(open, Vec::<String>::new());
    let owner =
        "select rolsuper or rolbypassrls or rolcanlogin from pg_roles where rolname = 'imaging_owner'";
    assert!(!sqlx::query_scalar::<_, bool>(owner).fetch_one(&mut admin).await.unwrap());

    // And it can give itself nothing.
    let mut service = connect(&hospital.database.service_url()).await;
    for statement in [
        "set role imaging_owner",
        "set row_security = off; select * from imaging.orders",
        "create table public.mine (x text)",
        "create schema mine",
        "create function imaging.mine() returns void language sql as ''",
        "alter table imaging.orders disable row level security",
        "select imaging.clock()",
        "select nextval('imaging.numbers')",
    ] {
        let refused = sqlx::raw_sql(statement).execute(&mut service).await;
        assert!(matches!(&refused, Err(error) if code(error) == "42501"), "{statement}: {refused:?}");
    }
}

#[tokio::test]
async fn row_level_security_is_forced_on_every_table() {
    let hospital = quiet().await;
    let mut admin = connect(&hospital.database.admin_url()).await;
    let open = texts(
        &mut admin,
        &format!("select name from ({TABLES}) tables where not (relrowsecurity and relforcerowsecurity)"),
    )
    .await;
    assert_eq!(open, Vec::<String>::new());

    // The ways past the own organization are those of the tasks that work across all of them: to the uploads, to what is to
    // be told or to go, and to the audit's events, which they read only. The batches that seal the events are nobody's, and say nothing of anybody.
    let policies = texts(
        &mut admin,
        "select distinct policyname || ': ' || qual
             || case when policyname = 'own_organization' then '' else ' on ' || tablename || ', ' || lower(cmd) end
           from pg_policies order by 1",
    )
    .await;
    assert_snapshot!(policies.join("\n"), @r"
    every_organization: (imaging.organization() = '*'::text) on audit_batches, all
    every_organization: (imaging.organization() = '*'::text) on audit_events, select
    every_organization: (imaging.organization() = '*'::text) on audit_patients, select
    every_organization: (imaging.organization() = '*'::text) on deliveries, all
    every_organization: (imaging.organization() = '*'::text) on escalations, all
    every_organization: (imaging.organization() = '*'::text) on idempotency_keys, all
    every_organization: (imaging.organization() = '*'::text) on outbox, all
    every_organization: (imaging.organization() = '*'::text) on removals, all
    every_organization: (imaging.organization() = '*'::text) on uploads, all
    everybody: true on audit_batches, select
    everybody: true on clock_shift, all
    own_organization: (organization = imaging.organization())
    ");
    let without = texts(
        &mut admin,
        &format!("select name from ({TABLES}) tables where not exists (select from pg_policy where polrelid = tables.oid)"),
    )
    .await;
    assert_eq!(without, Vec::<String>::new());

    // Even the owner sees nothing before it says for whom it acts.
    hospital.provider().places(ct_chest()).await;
    for (organization, seen) in [("", 0_i64), ("org-1", 1), ("org-2", 0), ("*", 0)] {
        let mut transaction = admin.begin().await.unwrap();
        sqlx::raw_sql("set local role imaging_owner").execute(&mut *transaction).await.unwrap();
        sqlx::query("select set_config('imaging.organization', $1, true)")
            .bind(organization)
            .execute(&mut *transaction)
            .await
            .unwrap();
        let count: i64 = sqlx::query_scalar("select count(*) from imaging.orders")
            .fetch_one(&mut *transaction)
            .await
            .unwrap();
        assert_eq!(count, seen, "as {organization:?}");
    }
}

#[tokio::test]
async fn every_key_begins_with_the_organization() {
    let hospital = quiet().await;
    let mut admin = connect(&hospital.database.admin_url()).await;
    let keys = sqlx::query(
        "select c.conname, c.contype::text as kind, first.attname as first, refers.attname as refers
           from pg_constraint c
           join pg_namespace n on n.oid = c.connamespace
           join pg_attribute first on first.attrelid = c.conrelid and first.attnum = c.conkey[1]
           left join pg_attribute refers on refers.attrelid = c.confrelid and refers.attnum = c.confkey[1]
          where n.nspname = 'imaging' and c.contype in ('p', 'u', 'f')",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    assert!(keys.len() > 20);
    for key in keys {
        let (name, kind): (String, String) = (key.get("conname"), key.get("kind"));
        // An upload's id names its blob, of which nobody knows yet whose it is; and the audit of the whole database is one
        // chain, for it is restored, or tampered with, as a whole.
        if ["uploads_id", "audit_batches_pkey"].contains(&&*name) {
            continue;
        }
        assert_eq!(key.get::<String, _>("first"), "organization", "{name}");
        if kind == "f" {
            assert_eq!(key.get::<Option<String>, _>("refers").as_deref(), Some("organization"), "{name}");
        }
    }
    let without = texts(
        &mut admin,
        &format!(
            "select name from ({TABLES}) tables
              where name <> 'imaging.clock_shift'
                and not exists (select from pg_constraint where conrelid = tables.oid and contype = 'p')"
        ),
    )
    .await;
    assert_eq!(without, Vec::<String>::new(), "tables without a primary key");
    let other_unique = texts(
        &mut admin,
        "select i.indexrelid::regclass::text from pg_index i join pg_class c on c.oid = i.indrelid
           join pg_namespace n on n.oid = c.relnamespace
          where n.nspname = 'imaging' and i.indisunique
            and not exists (select from pg_constraint where conindid = i.indexrelid)",
    )
    .await;
    assert_eq!(other_unique, Vec::<String>::new(), "unique indexes that are no constraint");
}

/// A study with an image that is announced, reports, a finding, and an upload that has arrived.
struct Planted {
    order: String,
    study: Value,
    image: String,
    /// One whose bytes are there, as the database is told.
    stored: String,
    upload: String,
    received: String,
    signed: String,
    /// One for each function that leaves none as it was.
    drafts: [String; 3],
    found: String,
    /// Another, for the function that leaves none as it was.
    taken: String,
    /// Events that nobody has worked yet.
    events: [String; 2],
    /// A message that was given up, and one that is on its way.
    dead: String,
    sent: String,
}

async fn plant(hospital: &Hospital) -> Planted {
    let study = hospital.registered_study().await;
    let technologist = hospital.technologist();
    let announced = json!({"seriesInstanceUID": "1.2.3", "sopInstanceUID": "1.2.3.4", "seriesNumber": 1, "instanceNumber": 1});
    let images = format!("/api/studies/{}/images", id(&study));
    let stored = json!({"seriesInstanceUID": "1.2.9", "sopInstanceUID": "1.2.9.1", "seriesNumber": 2, "instanceNumber": 1});
    let stored = technologist.post(&images, stored).await.expect(201);
    let registered = technologist.post(&images, announced).await.expect(201);
    let image = id(&registered["image"]).to_owned();
    let stored = id(&stored["image"]).to_owned();
    let files =
        "update imaging.images set status = 'STORED', sop_class_uid = '1.2.840.10008.5.1.4.1.1.88.33'";
    hospital.execute(&format!("{files} where id = '{stored}'")).await;
    hospital
        .execute(&format!("update imaging.uploads set status = 'STORED' where image_id = '{stored}'"))
        .await;
    hospital.completes(&study).await;
    let signed = id(&hospital.reports(&study, "FINAL").await).to_owned();
    let mut drafts = [const { String::new() }; 3];
    for draft in &mut drafts {
        *draft = id(&hospital.reports(&study, "PRELIMINARY").await).to_owned();
    }
    let found = id(&hospital.finds(&study, "CRITICAL").await).to_owned();
    let taken = id(&hospital.finds(&study, "CRITICAL").await).to_owned();
    let settings = hospital.somebody("admin").put("/api/settings/critical-results", critical_results()).await;
    settings.expect_status(200);
    hospital.somebody("admin").put("/api/finding-rules", json!({"rules": []})).await.expect_status(200);
    let offered = technologist.post("/api/uploads", json!({"count": 1})).await.expect(201);
    let received = id(&offered["uploads"][0]).to_owned();
    hospital
        .execute(&format!("update imaging.uploads set status = 'RECEIVED' where id = '{received}'"))
        .await;
    let dead = hospital.gives_up_telling(&json!({"id": found})).await;
    let sent = hospital.gives_up_telling(&json!({"id": found})).await;
    // All else is worked by itself, and findings wait for a notification service; from then on nothing happens here.
    hospital.machine().post("/tasks/dispatch", json!({})).await.expect_status(200);
    let waiting =
        "select count(*)::text from imaging.outbox where state = 'PENDING' and topic <> 'finding.raised'";
    hospital
        .wait_for("the events to be worked", async || hospital.sql(waiting).await.filter(|left| left == "0"))
        .await;
    hospital.execute("update imaging.outbox set state = 'DELIVERED'").await;
    let pending = "update imaging.deliveries set state = 'PENDING', due_at = now() + interval '1 hour'";
    hospital.execute(&format!("{pending} where id = '{sent}'")).await;
    let mut events = [const { String::new() }; 2];
    for event in &mut events {
        let insert = "insert into imaging.outbox (organization, topic, resource, resource_id, due_at, created_at)
            values ('org-1', 'finding.raised', 'finding', $1, now() + interval '1 hour', now()) returning id::text";
        *event = hospital.sql(&insert.replace("$1", &format!("'{found}'"))).await.unwrap();
    }
    let upload = technologist.get("/api/ingest?status=EXPECTED").await.expect(200)["ingests"][0].take();
    Planted {
        order: study["orderId"].as_str().unwrap().to_owned(),
        study,
        image,
        stored,
        upload: id(&upload).to_owned(),
        received,
        signed,
        drafts,
        found,
        taken,
        events,
        dead,
        sent,
    }
}

/// For each function that acts for one organization, a document that makes it act on what is planted.
fn asks(planted: &Planted) -> BTreeMap<&'static str, Value> {
    let reach = json!({"everything": true});
    let (order, study, image) = (&planted.order, id(&planted.study), &planted.image);
    let new = || Uuid::now_v7().to_string();
    let page = json!({"reach": reach, "counted": true, "limit": 100, "offset": 0});
    let everywhere =
        json!(["PENDING", "SCHEDULED", "IN_PROGRESS", "ON_HOLD", "ARRIVED", "COMPLETED", "FINAL"]);
    let (signed, [edited, removed, draft]) = (&planted.signed, &planted.drafts);
    let found = &planted.found;
    let step = |report: &str, from: &str, status: &str| {
        json!({
            "id": report, "reach": reach, "within": [reach], "from": {from: false}, "status": status, "contentHash": "k1.x",
            "signature": {"signedById": "radiologist-1"}, "sealed": {}, "follow": null,
        })
    };
    let mut amendment = step(signed, "FINAL", "AMENDED");
    amendment["sealed"] = json!({"amendmentReason": "x"});
    let mut of_radiologist = page.clone();
    of_radiologist["radiologistId"] = json!("radiologist-1");
    BTreeMap::from([
        ("audit.list", page.clone()),
        (
            "idempotency.once",
            json!({
                "function": "ingest.read", "ask": {"id": planted.upload}, "key": "k-1", "fingerprints": ["k1.x"],
            }),
        ),
        (
            "orders.place",
            json!({
                "id": new(), "patientId": "P", "providerId": "p", "facilityId": "f", "priority": "STAT", "modality": "CT",
                "bodyPart": "x", "transportRequired": false, "contrastAllergy": false, "sealed": {},
            }),
        ),
        ("orders.list", page.clone()),
        ("orders.of_patient", json!({"reach": reach, "patientId": "MRN-1"})),
        (
            "orders.read",
            json!({"id": order, "reach": reach, "studies": reach, "reports": reach, "findings": reach}),
        ),
        (
            "orders.change",
            json!({"id": order, "reach": reach, "within": [reach], "priority": "STAT", "sealed": {}}),
        ),
        (
            "studies.register",
            json!({
                "id": new(), "orderId": order, "patientId": "MRN-1", "modality": "CT", "bodyPart": "x", "studyDate": "2026-01-02",
                "studyInstanceUID": "1.9", "studyInstanceUIDIssued": true, "sealed": {}, "open": everywhere, "follow": null,
            }),
        ),
        ("studies.list", page.clone()),
        (
            "studies.read",
            json!({"id": study, "reach": reach, "orders": reach, "images": reach, "reports": reach, "findings": reach}),
        ),
        (
            "studies.change",
            json!({"id": study, "reach": reach, "within": [reach], "stationName": "x", "sealed": {}}),
        ),
        (
            "images.register",
            json!({
                "id": new(), "studyId": study, "reach": reach, "within": [reach], "open": everywhere, "seriesInstanceUID": "1.9",
                "sopInstanceUID": "1.9.9", "seriesNumber": 1, "instanceNumber": 1, "attributes": {}, "sealed": {},
                "upload": {"id": new(), "blob": "x", "facilityId": "f", "expectedFor": "PT24H"},
            }),
        ),
        ("images.list", json!({"studyId": study, "reach": reach, "limit": 100, "offset": 0})),
        ("images.read", json!({"id": image, "reach": reach, "act": "image.read"})),
        ("images.annotate", json!({"id": image, "reach": reach, "sealed": {"metadata": "x"}})),
        (
            "images.remove",
            json!({"id": image, "reach": reach, "onlyBeforeReport": false, "retentionDays": 30}),
        ),
        (
            "reports.write",
            json!({
                "id": new(), "studyId": study, "radiologistId": "radiologist-1", "radiologistName": "x", "status": "PRELIMINARY",
                "sealed": {"findings": "x", "impression": "x"}, "contentHash": "k1.x", "reportable": everywhere, "follow": null,
            }),
        ),
        ("reports.change", step(edited, "PRELIMINARY", "PRELIMINARY")),
        ("reports.content", json!({"id": draft, "reach": reach, "within": [reach]})),
        ("reports.sign", step(draft, "PRELIMINARY", "FINAL")),
        ("reports.amend", amendment),
        ("reports.remove", step(removed, "PRELIMINARY", "PRELIMINARY")),
        ("reports.read", json!({"id": signed, "reach": reach})),
        ("reports.read_version", json!({"id": signed, "contentVersion": 1, "reach": reach})),
        ("reports.list_of_study", json!({"studyId": study, "reach": reach})),
        (
            "findings.raise",
            json!({
                "id": new(), "studyId": study, "reach": reach, "severity": "LOW", "category": "x", "notifiedTo": ["p"],
                "followUpRequired": true, "source": "RADIOLOGIST", "sealed": {"finding": "x"}, "studies": everywhere,
                "defaults": critical_results(),
            }),
        ),
        ("findings.list", page.clone()),
        ("findings.pending", page.clone()),
        ("findings.list_of_study", json!({"studyId": study, "reach": reach, "limit": 100})),
        ("findings.read", json!({"id": found, "reach": reach})),
        (
            "findings.change",
            json!({
                "id": found, "reach": reach, "within": [reach], "changeable": ["OPEN", "NOTIFIED"], "closedFrom": {}, "followUpDone": [],
                "sealed": {"notes": "x"},
            }),
        ),
        (
            "findings.decline",
            json!({
                "id": found, "decline": new(), "reach": reach, "within": [reach], "from": {"OPEN": false},
                "sealed": {"reason": "x"}, "audited": {"reason": "x"},
            }),
        ),
        (
            "findings.acknowledge",
            json!({
                "id": planted.taken, "reach": reach, "within": [reach], "from": {"OPEN": false}, "readBackFor": ["CRITICAL"],
                "followUpDone": [], "sealed": {"readBack": "x"},
            }),
        ),
        (
            "findings.figures",
            json!({"reach": reach, "from": "2000-01-01", "to": "9999-12-31", "severities": ["CRITICAL", "LOW"]}),
        ),
        ("dispatch.list", page.clone()),
        ("dispatch.retry", json!({"id": planted.dead, "from": {"DEAD": false}})),
        (
            "dispatch.expand",
            json!({
                "event": planted.events[0], "recipients": ["dr-9"], "open": {"OPEN": false},
                "deliveries": [{"id": new(), "channel": "NOTIFICATION", "recipient": "dr-9", "sealed": {"request": "x"}}],
            }),
        ),
        (
            "dispatch.give_up",
            json!({"event": planted.events[1], "delivery": new(), "channel": "NOTIFICATION", "code": "not_made"}),
        ),
        (
            "dispatch.describe_patient",
            json!({"study": study, "patientId": "MRN-1", "open": everywhere, "sealed": {"patientName": "x"}}),
        ),
        ("dispatch.tell_care_team", json!({"finding": planted.taken, "members": ["dr-9"]})),
        (
            "dispatch.conclude",
            json!({
                "id": planted.sent, "attempt": 1, "state": "DELIVERED", "from": {"PENDING": false}, "code": "200",
                "notified": {"OPEN": false}, "hasten": [],
            }),
        ),
        ("fhir.read_order", json!({"id": order, "reach": reach})),
        ("fhir.read_study", json!({"id": study, "reach": reach})),
        ("fhir.read_report", json!({"id": signed, "reach": reach})),
        ("fhir.list_orders", page.clone()),
        ("fhir.list_studies", page.clone()),
        ("fhir.list_reports", page.clone()),
        (
            "fhir.place_order",
            json!({
                "identifiers": [{"system": "urn:ehr", "value": "E-1"}], "fingerprints": ["k1.x"],
                "order": {
                    "id": new(), "patientId": "P", "providerId": "p", "facilityId": "f", "priority": "STAT", "modality": "CT",
                    "bodyPart": "x", "transportRequired": false, "contrastAllergy": false, "sealed": {},
                },
            }),
        ),
        (
            "fhir.cancel_order",
            json!({"id": order, "reach": reach, "within": [reach], "priority": "STAT", "sealed": {}}),
        ),
        (
            "fhir.describe_patient",
            json!({
                "patientId": "MRN-1", "open": everywhere, "described": [study], "studies": [{"id": study, "sealed": {"patientSex": "x"}}],
            }),
        ),
        (
            "fhir.acknowledge",
            json!({
                "clinician": "provider-1",
                "acknowledgement": {
                    "id": planted.taken, "reach": reach, "within": [reach], "from": {"OPEN": false}, "readBackFor": ["CRITICAL"],
                    "followUpDone": [], "sealed": {"readBack": "x"},
                },
            }),
        ),
        ("findings.read_settings", json!({"defaults": critical_results()})),
        ("findings.change_settings", json!({"document": critical_results()})),
        ("findings.read_rules", json!({"defaults": FindingRules::default()})),
        ("findings.change_rules", json!({"document": {"rules": []}})),
        ("findings.rules_in_force", json!({})),
        ("reports.list_of_radiologist", of_radiologist),
        (
            "ingest.offer",
            json!({"uploads": [{"id": new(), "blob": "y"}], "facilityId": "f", "expectedFor": "PT24H"}),
        ),
        ("ingest.list", page),
        ("ingest.read", json!({"id": planted.upload})),
        (
            "ingest.resolve",
            json!({"id": planted.received, "action": "RETRY", "from": ["RECEIVED", "CONFLICT"]}),
        ),
        ("ingest.read_settings", json!({"defaults": {"unscheduledStudies": false, "patientIdIssuers": []}})),
        ("ingest.change_settings", json!({"document": {"unscheduledStudies": true, "patientIdIssuers": []}})),
        ("ingest.find_report", json!({"imageId": planted.stored})),
        (
            "ingest.dry_run",
            json!({"imageId": planted.stored, "report": {"template": "1500"}, "raised": [{"key": "1.2.9.1/r/1.1"}]}),
        ),
        ("ingest.settle", json!({"id": planted.received, "status": "QUARANTINED", "reason": "x", "size": 1})),
        (
            "ingest.file",
            json!({
                "id": planted.received, "studyInstanceUID": planted.study["studyInstanceUID"], "patientId": "MRN-2", "size": 1,
                "accessionNumber": planted.study["accessionNumber"], "openOrders": everywhere,
            }),
        ),
    ])
}

/// What these do they do for all organizations: each row knows whose it is. Only machines get to them.
const ACROSS: [&str; 13] = [
    "audit.publish",
    "audit.seal",
    "dispatch.forget",
    "dispatch.take_deliveries",
    "dispatch.take_events",
    "findings.fire_due",
    "idempotency.forget_all",
    "images.removed",
    "images.take_removals",
    "ingest.begin",
    "ingest.missing",
    "ingest.waiting",
    "portal.check",
];

/// What these show names nothing: it is another organization's when it is the same.
const NAMING_NOTHING: [&str; 7] = [
    "findings.figures",
    "findings.read_rules",
    "findings.read_settings",
    "findings.rules_in_force",
    "ingest.dry_run",
    "ingest.find_report",
    "ingest.read_settings",
];

async fn call(connection: &mut PgConnection, function: &str, organization: &str, ask: &Value) -> Value {
    let cx = json!({"organization": organization, "actor": "tester", "role": "service", "requestId": "r-1"});
    sqlx::query_scalar(AssertSqlSafe(format!("select {function}($1, $2)")))
        .bind(cx)
        .bind(ask)
        .fetch_one(connection)
        .await
        .unwrap_or_else(|error| panic!("{function}: {error}"))
}

/// What is written about acts, and what belongs to no organization.
const NOT_BELONGINGS: &str =
    "'imaging.audit_events', 'imaging.audit_patients', 'imaging.audit_batches', 'imaging.clock_shift'";

/// Everything that an organization has, but what is written about acts.
async fn belongings(connection: &mut PgConnection, organization: &str) -> String {
    let tables = texts(
        connection,
        &format!("select name from ({TABLES}) tables where name not in ({NOT_BELONGINGS}) order by 1"),
    )
    .await;
    let mut all = String::new();
    for table in tables {
        let rows = format!(
            "select coalesce(string_agg(t::text, chr(10) order by t::text), '') from {table} t where organization = '{organization}'"
        );
        all.push_str(&texts(connection, &rows).await.concat());
    }
    all
}

#[tokio::test]
async fn no_function_shows_or_touches_what_is_another_organizations() {
    let hospital = quiet().await;
    let planted = plant(&hospital).await;
    let mut admin = connect(&hospital.database.admin_url()).await;
    let mut service = connect(&hospital.database.service_url()).await;
    let asks = asks(&planted);

    let doors = texts(&mut admin, &format!("select name from ({DOORS}) doors")).await;
    // That somebody was refused belongs to no one but the auditor; whom it names is tried in routes/audit_events.
    let tried: BTreeSet<&str> = asks.keys().copied().chain(ACROSS).chain(["audit.refuse"]).collect();
    assert_eq!(
        doors.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        tried,
        "each function is tried here"
    );

    let secrets: Vec<&str> = [
        &planted.study["id"],
        &planted.study["accessionNumber"],
        &planted.study["studyInstanceUID"],
        &planted.study["patientId"],
    ]
    .into_iter()
    .map(|value| value.as_str().unwrap())
    .chain([
        &*planted.order,
        &*planted.image,
        &*planted.upload,
        &*planted.received,
        &*planted.dead,
        "1.2.3.4",
        "fac-1",
    ])
    .collect();
    for (function, ask) in &asks {
        let before = belongings(&mut admin, "org-1").await;
        let answer = call(&mut service, function, "org-2", ask).await;
        for secret in &secrets {
            assert!(!answer.to_string().contains(secret), "{function} shows {secret}: {answer}");
        }
        assert_eq!(
            belongings(&mut admin, "org-1").await,
            before,
            "{function} changes what is not its caller's"
        );

        // Two organizations' uploads never have one id.
        hospital.execute("delete from imaging.uploads where organization = 'org-2'").await;
        hospital.execute("delete from imaging.finding_rules where organization = 'org-2'").await;
        // The same document does act for the organization whose things it names, or this would prove nothing.
        let own = call(&mut service, function, "org-1", ask).await;
        let shows = secrets.iter().any(|secret| own.to_string().contains(secret))
            || NAMING_NOTHING.contains(function) && own != answer;
        let changes = belongings(&mut admin, "org-1").await != before;
        assert!(own.get("done").is_some() && (shows || changes), "{function} does nothing: {own}");
        // Each function finds everything as it was planted.
        restore(&hospital, &planted).await;
    }
}

/// Puts back what the functions take away from each other.
async fn restore(hospital: &Hospital, planted: &Planted) {
    hospital
        .execute(&format!(
            "update imaging.findings set status = 'OPEN', acknowledged_at = null where id = '{}';
             update imaging.uploads set status = 'RECEIVED', reason = null, study_id = null, resolution = null where id = '{}';
             delete from imaging.removals;
             update imaging.findings set status = 'OPEN', notification_sent = false where status = 'NOTIFIED';
             insert into imaging.images (organization, id, study_id, upload_id, blob, status, series_instance_uid,
                 sop_instance_uid, series_number, instance_number, created_at, updated_at)
             values ('org-1', '{}', '{}', '{}', 'x', 'EXPECTED', '1.2.3', '1.2.3.4', 1, 1, now(), now())
             on conflict do nothing",
            planted.taken,
            planted.received,
            planted.image,
            id(&planted.study),
            planted.upload,
        ))
        .await;
}

#[tokio::test]
async fn what_is_done_once_is_what_the_service_may_do_itself() {
    let hospital = quiet().await;
    let mut service = connect(&hospital.database.service_url()).await;
    let cx = json!({"organization": "org-1", "actor": "tester", "role": "service", "requestId": "r-1"});
    for function in [
        json!("idempotency.once"),
        json!("imaging.refused_version"),
        json!("idempotency.forget"),
        json!("pg_catalog.jsonb_concat"),
        json!("jsonb_concat"),
        json!("ingest.read(jsonb, jsonb); select pg_sleep"),
        json!("ingest.nothing"),
        json!(""),
        Value::Null,
    ] {
        let ask = json!({"function": function, "ask": {}, "key": "k-1", "fingerprints": ["k1.x"]});
        let refused =
            sqlx::query("select idempotency.once($1, $2)").bind(&cx).bind(ask).execute(&mut service);
        assert!(refused.await.is_err(), "{function}");
    }
    let kept = hospital.sql("select count(*)::text from imaging.idempotency_keys").await;
    assert_eq!(kept.as_deref(), Some("0"));
}

#[tokio::test]
async fn what_a_report_once_said_is_changed_by_nobody() {
    let hospital = quiet().await;
    hospital.reports(&hospital.completed_study().await, "AMENDED").await;
    let mut admin = connect(&hospital.database.admin_url()).await;
    let versions =
        "select string_agg(v::text, chr(10) order by content_version) from imaging.report_versions v";
    let before = hospital.sql(versions).await;
    assert_eq!(before.as_deref().unwrap_or_default().lines().count(), 3);
    for statement in [
        "update imaging.report_versions set content_hash = content_hash",
        "delete from imaging.report_versions where content_version = 1",
        "delete from imaging.report_versions where false",
        "truncate imaging.report_versions",
        "merge into imaging.report_versions v using imaging.reports r on r.id = v.report_id when matched then delete",
    ] {
        for role in ["imaging_owner", "none"] {
            let mut transaction = admin.begin().await.unwrap();
            let role = format!("set local role {role}; set local imaging.organization = 'org-1'");
            sqlx::raw_sql(AssertSqlSafe(role)).execute(&mut *transaction).await.unwrap();
            let refused = sqlx::raw_sql(statement).execute(&mut *transaction).await.unwrap_err();
            assert_eq!(code(&refused), "P0001", "{statement}: {refused}");
        }
    }
    assert_eq!(hospital.sql(versions).await, before);
}

#[tokio::test]
async fn a_report_is_not_signed_by_half() {
    let hospital = quiet().await;
    let study = hospital.completed_study().await;
    let mut admin = connect(&hospital.database.admin_url()).await;
    for status in ["PRELIMINARY", "FINAL", "AMENDED"] {
        let report = hospital.reports(&study, status).await;
        let others: &[&str] = match status {
            "PRELIMINARY" => &[
                "status = 'FINAL'",
                "signed_by = 'x'",
                "signed_at = now()",
                "signed_by_id = radiologist_id",
                "finalized_date = now()",
                "preliminary_date = null",
                "sealed = sealed || '{\"amendmentReason\": \"x\"}'",
            ],
            "FINAL" => &[
                "status = 'PRELIMINARY'",
                "status = 'CORRECTED'",
                "signed_by = null",
                "signed_by_id = null",
                "signed_by_id = 'radiologist-9'",
                "radiologist_id = 'radiologist-9'",
                "signed_at = null",
                "amended_date = now()",
                "sealed = sealed - 'findings'",
                "sealed = sealed || '{\"amendmentReason\": \"x\"}'",
            ],
            _ => &[
                "status = 'FINAL'",
                "amended_date = null",
                "signed_by_id = null",
                "finalized_date = null",
                "sealed = sealed - 'amendmentReason'",
            ],
        };
        for other in others {
            let statement = format!("update imaging.reports set {other} where id = '{}'", id(&report));
            let refused = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut admin).await.unwrap_err();
            assert_eq!(code(&refused), "23514", "{status}: {other}: {refused}");
        }
    }
}

#[tokio::test]
async fn a_call_for_nobody_is_refused() {
    let hospital = quiet().await;
    let mut service = connect(&hospital.database.service_url()).await;
    for cx in [json!({}), json!({"organization": ""}), json!({"organization": null})] {
        let refused = sqlx::query("select orders.list($1, '{}')").bind(&cx).execute(&mut service).await;
        assert!(refused.is_err(), "{cx}");
    }
}

/// The members of a document and of what lies in it, an object a line.
fn members(path: &str, document: &Value, lines: &mut BTreeMap<String, BTreeSet<String>>) {
    match document {
        Value::Object(object) => {
            lines.entry(path.to_owned()).or_default().extend(object.keys().cloned());
            for (name, value) in object {
                members(&format!("{path}.{name}"), value, lines);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| members(&format!("{path}[]"), value, lines)),
        _ => {}
    }
}

#[tokio::test]
async fn the_documents_have_the_members_that_the_guests_count_on() {
    let hospital = quiet().await;
    let planted = plant(&hospital).await;
    let mut service = connect(&hospital.database.service_url()).await;
    let asks = asks(&planted);
    let mut lines = BTreeMap::new();
    for function in [
        "orders.read",
        "orders.list",
        "studies.read",
        "studies.list",
        "images.read",
        "images.list",
        "reports.read",
        "reports.read_version",
        "reports.list_of_study",
        "reports.list_of_radiologist",
        "findings.read",
        "findings.list",
        "findings.figures",
        "findings.read_settings",
        "findings.read_rules",
        "findings.rules_in_force",
        "audit.list",
        "ingest.read",
        "ingest.list",
        "ingest.read_settings",
        "ingest.find_report",
        "ingest.dry_run",
    ] {
        let answer = call(&mut service, function, "org-1", &asks[function]).await;
        members(function, &answer["done"], &mut lines);
    }
    // An object that has the members of one before it names that one.
    let mut first: BTreeMap<BTreeSet<String>, String> = BTreeMap::new();
    let mut shown = String::new();
    for (path, names) in lines {
        match first.get(&names) {
            Some(same) => shown.push_str(&format!("{path}: as {same}\n")),
            None => shown.push_str(&format!("{path}:{}\n", wrapped(&names))),
        }
        first.entry(names).or_insert(path);
    }
    assert_snapshot!(shown, @r"
    audit.list:
      events total
    audit.list.events[]:
      action actor at code detail emergency id outcome patientIds reasons requestId resource resourceId
      resourceVersion role source trace
    audit.list.events[].detail:
      contentHash contentVersion of
    audit.list.events[].reasons:
      emergencyReason reason
    audit.list.events[].reasons.emergencyReason:
      id parts
    audit.list.events[].reasons.emergencyReason.parts:
      emergencies
    audit.list.events[].reasons.reason: as audit.list.events[].reasons.emergencyReason
    audit.list.events[].reasons.reason.parts:
    findings.figures:
      from severities to total
    findings.figures.severities:
      CRITICAL LOW
    findings.figures.severities.CRITICAL:
      acknowledged acknowledgedInTime escalations medianMinutes open openPastDeadline p95Minutes
      percentInTime raised
    findings.figures.severities.LOW: as findings.figures.severities.CRITICAL
    findings.figures.total: as findings.figures.severities.CRITICAL
    findings.list:
      findings total
    findings.list.findings[]:
      acknowledgedAt acknowledgedBy acknowledgedById bodyPart category code createdAt dicom dueAt
      finding followUpAction followUpRequired followUpStatus id notes notificationSent notifiedTo
      readBack reportContentVersion reportId reportedAt reportedBy reportedById sealed severity source
      status studyId updatedAt version
    findings.list.findings[].sealed:
      findings
    findings.list.findings[].sealed.findings:
      finding
    findings.read:
      acknowledgedAt acknowledgedBy acknowledgedById bodyPart category code createdAt declines dicom
      dueAt escalations finding followUpAction followUpRequired followUpStatus id notes notificationSent
      notifications notifiedTo readBack reportContentVersion reportId reportedAt reportedBy reportedById
      sealed severity source status study studyId updatedAt version
    findings.read.escalations[]:
      dueAt firedAt group kind level stoppedAt
    findings.read.sealed: as findings.list.findings[].sealed
    findings.read.sealed.findings: as findings.list.findings[].sealed.findings
    findings.read.study:
      accessionNumber bodyPart id modality patientDOB patientId patientName patientSex sealed status
      studyDate studyInstanceUID
    findings.read.study.sealed:
      studies
    findings.read.study.sealed.studies:
      patientDOB patientName patientSex
    findings.read_rules:
      changedAt changedBy rules version
    findings.read_settings:
      alwaysNotify changedAt changedBy groups messagesCarryPatientAndFinding privacyOfficers severities
      version
    findings.read_settings.groups:
      COVERING_GROUP DEPARTMENT ON_CALL_OPERATOR
    findings.read_settings.severities:
      CRITICAL HIGH LOW MODERATE
    findings.read_settings.severities.CRITICAL:
      acknowledgeWithinMinutes levels toldAgainAfterMinutes
    findings.read_settings.severities.CRITICAL.levels[]:
      afterMinutes group
    findings.read_settings.severities.HIGH: as findings.read_settings.severities.CRITICAL
    findings.read_settings.severities.HIGH.levels[]: as findings.read_settings.severities.CRITICAL.levels[]
    findings.read_settings.severities.LOW: as findings.read_settings.severities.CRITICAL
    findings.read_settings.severities.LOW.levels[]: as findings.read_settings.severities.CRITICAL.levels[]
    findings.read_settings.severities.MODERATE: as findings.read_settings.severities.CRITICAL
    findings.read_settings.severities.MODERATE.levels[]: as findings.read_settings.severities.CRITICAL.levels[]
    findings.rules_in_force:
      rules
    images.list:
      images total
    images.list.images[]:
      acquisitionDate acquisitionTime bitsAllocated bitsStored columns contentDate contentTime createdAt
      fileSize id imageOrientation imagePosition imageType instanceNumber photometricInterpretation
      pixelSpacing rows seriesDescription seriesInstanceUID seriesNumber sliceLocation sliceThickness
      sopClassUID sopInstanceUID status storageUrl studyId thumbnailUrl transferSyntaxUID updatedAt
      version windowCenter windowWidth
    images.read:
      acquisitionDate acquisitionTime bitsAllocated bitsStored columns contentDate contentTime createdAt
      fileSize id imageOrientation imagePosition imageType instanceNumber metadata
      photometricInterpretation pixelSpacing rows sealed seriesDescription seriesInstanceUID
      seriesNumber sliceLocation sliceThickness sopClassUID sopInstanceUID status storageUrl study
      studyId thumbnailUrl transferSyntaxUID updatedAt version windowCenter windowWidth
    images.read.sealed:
      images
    images.read.sealed.images: as audit.list.events[].reasons.reason.parts
    images.read.study:
      accessionNumber id modality patientName sealed
    images.read.study.sealed: as findings.read.study.sealed
    images.read.study.sealed.studies:
      patientName
    ingest.dry_run:
      raised report
    ingest.dry_run.raised[]:
      alreadyRaised
    ingest.dry_run.report:
      template
    ingest.find_report:
      blob rules sopClassUID
    ingest.find_report.rules: as findings.rules_in_force
    ingest.list:
      ingests total
    ingest.list.ingests[]:
      attempts blob differences id imageId reason receivedAt status studyId updatedAt
    ingest.read:
      attempts awaited blob differences id imageId reason receivedAt status studyId updatedAt
    ingest.read_settings:
      changedAt changedBy patientIdIssuers unscheduledStudies version
    orders.list:
      orders total
    orders.list.orders[]:
      accessionNumber bodyPart clinicalIndication contrastAllergy contrastNotes createdAt facilityId id
      instructions modality orderNumber patientId priority providerId requestedAt requestedBy
      scheduledAt sealed status statusReason studies transportRequired updatedAt urgency version
    orders.list.orders[].sealed:
      orders
    orders.list.orders[].sealed.orders:
      clinicalIndication
    orders.list.orders[].studies[]:
      accessionNumber id status
    orders.read: as orders.list.orders[]
    orders.read.sealed: as orders.list.orders[].sealed
    orders.read.sealed.orders: as orders.list.orders[].sealed.orders
    orders.read.studies[]:
      accessionNumber bodyPart createdAt criticalFindings id imagesAfterReportAt institutionName
      modality numberOfInstances numberOfSeries operatorName orderId patientDOB patientId patientName
      patientSex performingPhysician priority reports sealed stationName status statusReason studyDate
      studyDescription studyInstanceUID studyTime updatedAt version
    orders.read.studies[].criticalFindings[]: as findings.list.findings[]
    orders.read.studies[].criticalFindings[].sealed: as findings.list.findings[].sealed
    orders.read.studies[].criticalFindings[].sealed.findings: as findings.list.findings[].sealed.findings
    orders.read.studies[].reports[]:
      amendedDate amendmentReason clinicalHistory comparison contentHash contentVersion createdAt
      finalizedDate findings id impression macros preliminaryDate radiologistId radiologistName
      recommendations reportNumber sealed signedAt signedBy status studyId technique template
      transcribedAt transcribedBy updatedAt version
    orders.read.studies[].reports[].sealed:
      reports
    orders.read.studies[].reports[].sealed.reports:
      comparison findings impression
    orders.read.studies[].sealed: as findings.read.study.sealed
    orders.read.studies[].sealed.studies: as findings.read.study.sealed.studies
    reports.list_of_radiologist:
      reports total
    reports.list_of_radiologist.reports[]: as orders.read.studies[].reports[]
    reports.list_of_radiologist.reports[].sealed: as orders.read.studies[].reports[].sealed
    reports.list_of_radiologist.reports[].sealed.reports: as orders.read.studies[].reports[].sealed.reports
    reports.list_of_study[]: as orders.read.studies[].reports[]
    reports.list_of_study[].sealed: as orders.read.studies[].reports[].sealed
    reports.list_of_study[].sealed.reports: as orders.read.studies[].reports[].sealed.reports
    reports.read:
      amendedDate amendmentReason clinicalHistory comparison contentHash contentVersion createdAt
      finalizedDate findings id impression macros preliminaryDate radiologistId radiologistName
      recommendations reportNumber sealed signedAt signedBy status study studyId technique template
      transcribedAt transcribedBy updatedAt version versions
    reports.read.sealed: as orders.read.studies[].reports[].sealed
    reports.read.sealed.reports: as orders.read.studies[].reports[].sealed.reports
    reports.read.study: as findings.read.study
    reports.read.study.sealed: as findings.read.study.sealed
    reports.read.study.sealed.studies: as findings.read.study.sealed.studies
    reports.read.versions[]:
      at by contentHash contentVersion status
    reports.read_version: as orders.read.studies[].reports[]
    reports.read_version.sealed: as orders.read.studies[].reports[].sealed
    reports.read_version.sealed.reports: as orders.read.studies[].reports[].sealed.reports
    studies.list:
      studies total
    studies.list.studies[]:
      accessionNumber bodyPart createdAt id imagesAfterReportAt institutionName modality
      numberOfInstances numberOfSeries operatorName order orderId patientDOB patientId patientName
      patientSex performingPhysician priority reports sealed stationName status statusReason studyDate
      studyDescription studyInstanceUID studyTime updatedAt version
    studies.list.studies[].order:
      orderNumber priority
    studies.list.studies[].sealed: as findings.read.study.sealed
    studies.list.studies[].sealed.studies: as findings.read.study.sealed.studies
    studies.read:
      accessionNumber bodyPart createdAt criticalFindings id images imagesAfterReportAt imagesTruncated
      institutionName modality numberOfInstances numberOfSeries operatorName order orderId patientDOB
      patientId patientName patientSex performingPhysician priority reports sealed stationName status
      statusReason studyDate studyDescription studyInstanceUID studyTime updatedAt version
    studies.read.criticalFindings[]: as findings.list.findings[]
    studies.read.criticalFindings[].sealed: as findings.list.findings[].sealed
    studies.read.criticalFindings[].sealed.findings: as findings.list.findings[].sealed.findings
    studies.read.images[]: as images.list.images[]
    studies.read.order:
      accessionNumber bodyPart clinicalIndication contrastAllergy contrastNotes createdAt facilityId id
      instructions modality orderNumber patientId priority providerId requestedAt requestedBy
      scheduledAt sealed status statusReason transportRequired updatedAt urgency version
    studies.read.order.sealed: as orders.list.orders[].sealed
    studies.read.order.sealed.orders: as orders.list.orders[].sealed.orders
    studies.read.reports[]: as orders.read.studies[].reports[]
    studies.read.reports[].sealed: as orders.read.studies[].reports[].sealed
    studies.read.reports[].sealed.reports: as orders.read.studies[].reports[].sealed.reports
    studies.read.sealed: as findings.read.study.sealed
    studies.read.sealed.studies: as findings.read.study.sealed.studies
    ");
}

/// Names in lines of at most a hundred characters.
fn wrapped(names: &BTreeSet<String>) -> String {
    let mut lines = String::new();
    let mut width = 100;
    for name in names {
        if width + name.len() >= 100 {
            lines.push_str("\n ");
            width = 1;
        }
        lines.push(' ');
        lines.push_str(name);
        width += name.len() + 1;
    }
    lines
}

#[test]
fn each_table_is_written_by_one_family() {
    let components = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("components");
    let mut writers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut files = 0;
    for family in fs::read_dir(&components).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        for file in fs::read_dir(family.path().join("src")).unwrap().flatten() {
            if file.path().extension().is_none_or(|extension| extension != "sql") {
                continue;
            }
            files += 1;
            let sql: String = fs::read_to_string(file.path())
                .unwrap()
                .lines()
                .map(|line| line.split("--").next().unwrap())
                .collect::<Vec<_>>()
                .join(" ");
            let words: Vec<&str> = sql
                .split(|character: char| character.is_whitespace() || "(;".contains(character))
                .filter(|word| !word.is_empty())
                .collect();
            for window in words.windows(3) {
                let table = match window {
                    [verb, "into", table] if *verb == "insert" => table,
                    [verb, "from", table] if *verb == "delete" => table,
                    [before, "update", table] if *before != "for" && *before != "do" => table,
                    ["truncate" | "merge", _, table] => table,
                    _ => continue,
                };
                let family = family.file_name().to_string_lossy().into_owned();
                writers.entry((*table).to_owned()).or_default().insert(family);
            }
        }
    }
    assert!(files > 30, "{files} files");
    let shown: Vec<String> = writers
        .into_iter()
        .map(|(table, families)| format!("{table}: {}", families.into_iter().collect::<Vec<_>>().join(" ")))
        .collect();
    assert_snapshot!(shown.join("\n"), @r"
    imaging.audit_batches: audit
    imaging.audit_events: service
    imaging.audit_patients: service
    imaging.critical_results_settings: findings
    imaging.declines: findings
    imaging.deliveries: dispatch
    imaging.escalations: findings
    imaging.finding_rules: findings
    imaging.findings: findings
    imaging.idempotency_keys: service
    imaging.images: images
    imaging.ingest_settings: ingest
    imaging.notifications: findings
    imaging.order_identifiers: orders
    imaging.orders: orders
    imaging.outbox: dispatch service
    imaging.removals: images
    imaging.report_versions: reports
    imaging.reports: reports
    imaging.studies: studies
    imaging.uploads: ingest
    ");
}

/// Everything in the database, of every table, as text.
async fn dump(hospital: &Hospital) -> String {
    let mut admin = connect(&hospital.database.admin_url()).await;
    let tables = texts(
        &mut admin,
        "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname not in ('pg_catalog', 'information_schema')",
    )
    .await;
    let mut dump = String::new();
    for table in tables {
        dump.push_str(
            &texts(&mut admin, &format!("select coalesce(string_agg(t::text, chr(10)), '') from {table} t"))
                .await
                .concat(),
        );
    }
    dump
}

#[tokio::test]
async fn what_is_about_a_patient_is_nowhere_in_clear() {
    let hospital = Hospital::open().await;
    let technologist = hospital.technologist();
    let mut order = ct_chest();
    order["clinicalIndication"] = json!("Planted-Indication of a cough");
    order["instructions"] = json!("Planted-Instruction");
    order["contrastNotes"] = json!("Planted-Contrast");
    let order = hospital.provider().places(order).await;
    let order_path = format!("/api/imaging-orders/{}", id(&order));
    let mut study = study_of(&order);
    study["patientName"] = json!("Plantedname^Adelheid^^Dr.");
    study["patientDOB"] = json!("1931-07-23");
    study["patientSex"] = json!("PLANTEDSEX");
    let study = technologist.post("/api/studies", study).await.expect(201)["study"].take();
    let study_path = format!("/api/studies/{}", id(&study));
    let announced = json!({
        "seriesInstanceUID": "1.2.3", "sopInstanceUID": "1.2.3.4", "seriesNumber": 1, "instanceNumber": 1,
        "metadata": {"planted-key": "Planted-Metadata"},
    });
    let registered = technologist.post(&format!("{study_path}/images"), announced).await.expect(201);
    let file = instance_of(&study).series("1.2.3").sop("1.2.3.4").born("19310723").sex("O");
    hospital.send(&registered["upload"], file.write().unwrap()).await.expect_status(201);
    let image = hospital.stored(id(&registered["image"])).await;
    technologist
        .patch(&format!("/api/images/{}/metadata", id(&image)), json!({"metadata": {"note": "Planted-Note"}}))
        .await
        .expect(200);

    // What is held for review, and a study that the images made themselves.
    let other_order = hospital.provider().places(ct_chest()).await;
    let made = json!({"patientId": "MRN-1", "accessionNumber": other_order["accessionNumber"], "patientName": "Plantedname^Berta"});
    let made =
        hospital.receives(instance_of(&made).study(&dicom::uid()).born("19310723").write().unwrap()).await;
    assert_eq!(made["status"], "STORED", "{made}");
    let held = instance_of(&json!({"patientId": "MRN-PLANTED", "patientName": "Plantedname^Carla"}))
        .study(&dicom::uid());
    assert_eq!(hospital.receives(held.born("19310723").write().unwrap()).await["status"], "CONFLICT");
    hospital.receives(b"Plantedname^Dora is no DICOM file at all, whatever it says of her".repeat(8)).await;

    // What is reported of it, by the one who signs it.
    let radiologist = hospital.radiologist();
    let made = technologist.get(&format!("/api/studies/{}", made["studyId"].as_str().unwrap())).await;
    let made = made.expect(200)["study"].take();
    technologist.moves(&made, "COMPLETED").await.expect_status(200);
    let mut report = report_of(&made);
    for text in ["clinicalHistory", "technique", "comparison", "findings", "impression", "recommendations"] {
        report[text] = json!(format!("Planted-{text}"));
    }
    report["macros"] = json!({"planted-key": ["Planted-Macro"]});
    let report = radiologist.writes(report).await;
    let report_path = format!("/api/reports/{}", id(&report));
    let edit = json!({"impression": "Planted-impression, edited", "technique": null});
    radiologist.patch(&report_path, edit).await.expect_status(200);
    radiologist.signs(&report).await.expect_status(200);
    let amendment = json!({"amendmentReason": "Planted-Reason", "findings": "Planted-findings, corrected"});
    let amend = radiologist.request(Method::POST, &format!("{report_path}/amend"));
    let amend = amend.header("idempotency-key", "k-1").json(&amendment);
    Reply::of(amend).await.expect_status(200);
    radiologist.signs(&report).await.expect_status(409);

    // What was found in it, and who takes it on.
    let mut finding = finding_of(&made, "CRITICAL");
    for text in ["finding", "followUpAction", "notes"] {
        finding[text] = json!(format!("Planted-{text}"));
    }
    let finding = radiologist.raises(finding).await;
    let finding_path = format!("/api/critical-findings/{}", id(&finding));
    let declined = json!({"reason": "Planted-Reason"});
    hospital.provider().post(&format!("{finding_path}/decline"), declined).await.expect_status(200);
    let acknowledged = json!({"readBack": "Planted-readBack"});
    hospital.provider().post(&format!("{finding_path}/acknowledge"), acknowledged).await.expect_status(200);
    let noted = json!({"followUpAction": "Planted-followUpAction, changed", "notes": null});
    hospital.provider().patch(&finding_path, noted).await.expect_status(200);

    // Changes with their reasons, and what is refused.
    let reason = json!({"status": "CANCELLED", "reason": "Planted-Reason"});
    technologist.patch(&format!("{study_path}/status"), reason.clone()).await.expect(200);
    technologist.patch(&format!("{study_path}/status"), reason).await.expect_status(409);
    Reply::of(technologist.request(Method::DELETE, &order_path).json(&json!({"reason": "Planted-Reason"})))
        .await
        .expect_status(200);
    hospital
        .provider()
        .post(
            "/api/imaging-orders",
            json!({"patientName": "Plantedname^Erna", "modality": "Planted-Modality"}),
        )
        .await
        .expect_invalid();
    hospital.provider().get("/api/imaging-orders?patientName=Plantedname").await.expect_malformed();
    hospital.provider().get("/api/imaging-orders/patient/MRN-PLANTED").await.expect(200);
    hospital.provider().get("/Plantedname/1931-07-23").await.expect_status(404);

    // It is there for who may read it.
    let read = hospital.radiologist().get(&study_path).await.expect(200)["study"].take();
    assert_eq!(
        (&read["patientName"], &read["patientDOB"]),
        (&json!("Plantedname^Adelheid^^Dr."), &json!("1931-07-23T00:00:00.000Z"))
    );
    assert_eq!(
        (&read["patientSex"], &read["statusReason"]),
        (&json!("PLANTEDSEX"), &json!("Planted-Reason"))
    );
    let read = radiologist.get(&report_path).await.expect(200)["report"].take();
    assert_eq!(
        (&read["findings"], &read["impression"], &read["amendmentReason"]),
        (
            &json!("Planted-findings, corrected"),
            &json!("Planted-impression, edited"),
            &json!("Planted-Reason")
        )
    );
    assert_eq!(read["study"]["patientName"], "Plantedname^Berta");
    let read = radiologist.get(&finding_path).await.expect(200)["finding"].take();
    assert_eq!(
        (&read["finding"], &read["followUpAction"], &read["notes"], &read["readBack"]),
        (
            &json!("Planted-finding"),
            &json!("Planted-followUpAction, changed"),
            &Value::Null,
            &json!("Planted-readBack")
        )
    );
    assert_eq!(read["declines"][0]["reason"], "Planted-Reason");
    assert_eq!(read["study"]["patientName"], "Plantedname^Berta");

    let dump = dump(&hospital).await;
    assert!(
        dump.contains("MRN-1") && dump.contains("CT") && dump.len() > 5000,
        "the dump is of this database"
    );
    // The log is read when the hospital closes, as every hospital's is.
    assert!(hospital.log().contains("/api/studies"), "the log is of this host");
    if let Some(found) = planted::told_of_patients(&dump.replace("MRN-PLANTED", "")) {
        panic!("{:?} lies in clear in the database: {}", found.word, found.line);
    }
}

#[tokio::test]
async fn the_service_cannot_make_postgres_log_what_it_is_given() {
    let stack = Stack::shared().await.unwrap();
    let postgres = stack.private_postgres().await.unwrap();
    let mut service = connect(&postgres.service_url().unwrap()).await;
    for setting in [
        "log_error_verbosity = verbose",
        "log_min_error_statement = error",
        "log_min_messages = debug5",
        "log_min_duration_statement = 0",
        "log_parameter_max_length = -1",
        "log_statement = 'all'",
        "session_preload_libraries = 'auto_explain'",
    ] {
        let refused =
            sqlx::raw_sql(AssertSqlSafe(format!("set {setting}"))).execute(&mut service).await.unwrap_err();
        assert_eq!(code(&refused), "42501", "{setting}");
    }
    // What every role may set for itself adds nothing to what is logged.
    let debugging = "set log_parameter_max_length_on_error = -1; set debug_print_parse = on;
                     set debug_print_rewritten = on; set debug_print_plan = on";
    sqlx::raw_sql(debugging).execute(&mut service).await.unwrap();
    let cx = json!({"organization": "org-1", "actor": "tester", "role": "service", "requestId": "r-1"});
    // A row that lacks what it must have; Postgres would add it to the error.
    let ask =
        json!({"id": Uuid::now_v7(), "patientId": "MRN-1", "bodyPart": "Doe^Jane, 1970-02-03", "sealed": {}});
    let failed = sqlx::query("select orders.place($1, $2)")
        .bind(&cx)
        .bind(&ask)
        .execute(&mut service)
        .await
        .unwrap_err();
    assert_eq!(code(&failed), "23502");

    let log = fs::read_to_string(postgres.get().unwrap().log()).unwrap();
    assert!(log.contains("ERROR:  null value in column"), "{log}");
    assert_eq!(planted::told_in_log(&log), None, "{log}");
}

#[tokio::test]
async fn a_test_fails_when_its_host_has_logged_what_is_about_a_patient() {
    let hospital = quiet().await;
    let mut log = fs::File::options().append(true).open(hospital.host.log()).unwrap();
    writeln!(log, "{}", json!({"message": "no image of DOE, JANE", "level": "ERROR"})).unwrap();

    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(hospital))).unwrap_err();

    let message = failed.downcast_ref::<String>().unwrap();
    assert!(message.contains("\"Doe^Jane\" was planted") && message.contains("no image of"), "{message}");
}

/// A database beside a test's own, without anything in it. Dropped by the test that made it.
async fn empty_database(beside: &str) -> String {
    let mut admin = connect(beside).await;
    let (server, name) = beside.rsplit_once('/').unwrap();
    let empty = format!("{name}_empty");
    sqlx::raw_sql(AssertSqlSafe(format!("create database {empty} template template0")))
        .execute(&mut admin)
        .await
        .unwrap();
    format!("{server}/{empty}")
}

async fn drop_database(beside: &str, url: &str) {
    let name = url.rsplit('/').next().unwrap();
    let statement = format!("drop database {name} with (force)");
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connect(beside).await).await.unwrap();
}

/// What a migration makes, as text: tables, columns, constraints, policies, functions and every right.
async fn catalog(url: &str) -> String {
    let mut admin = connect(url).await;
    let mut all = Vec::new();
    for query in [
        "select nspname || coalesce(nspacl::text, '') from pg_namespace where nspowner = 'imaging_owner'::regrole order by 1",
        "select c.oid::regclass || coalesce(c.relacl::text, '') || c.relrowsecurity || c.relforcerowsecurity from pg_class c
          where c.relowner = 'imaging_owner'::regrole order by 1",
        "select table_schema || table_name || column_name || data_type || is_nullable || coalesce(column_default, '')
           from information_schema.columns where table_schema like 'imaging%' order by 1",
        "select conname || pg_get_constraintdef(oid) from pg_constraint where connamespace = 'imaging'::regnamespace order by 1",
        "select policyname || tablename || qual from pg_policies order by 1",
        "select pg_get_functiondef(oid) || coalesce(proacl::text, '') from pg_proc where proowner = 'imaging_owner'::regrole order by 1",
        "select version || encode(checksum, 'hex') || installed_on from imaging_migrations.applied order by 1",
        "select path || checksum || replaced_at from imaging_migrations.functions order by 1",
    ] {
        all.extend(texts(&mut admin, query).await);
    }
    all.join("\n")
}

#[tokio::test]
async fn two_migrations_of_one_empty_database_at_once_both_succeed() {
    let database = Stack::shared().await.unwrap().database().await.unwrap();
    let url = empty_database(&database.admin_url()).await;
    let options = Options::default();
    let (first, second) = tokio::join!(migrate::up(&url, &options), migrate::up(&url, &options));
    let (first, second) = (first.unwrap(), second.unwrap());
    // One did it all, the other found it done.
    let mut applied = [first.applied.len(), second.applied.len()];
    applied.sort_unstable();
    assert_eq!(applied[0], 0);
    assert!(applied[1] >= 1);
    assert_ne!(first.functions.replaced, second.functions.replaced);
    assert!(migrate::status(&url).await.unwrap().is_current());
    let made = catalog(&url).await;
    drop_database(&database.admin_url(), &url).await;
    assert!(made.contains("orders.place"));
}

#[tokio::test]
async fn a_second_migration_changes_nothing() {
    let database = Stack::shared().await.unwrap().database().await.unwrap();
    let url = database.admin_url();
    let before = catalog(&url).await;
    let report = migrate::up(&url, &Options::default()).await.unwrap();
    assert_eq!((report.roles_made, report.applied), (vec![], vec![]));
    assert!(!report.functions.replaced);
    assert_eq!((report.functions.dropped, report.functions.left_over), (vec![], vec![]));
    assert_eq!(catalog(&url).await, before);
}

#[tokio::test]
async fn status_tells_what_up_would_do_and_does_nothing() {
    let database = Stack::shared().await.unwrap().database().await.unwrap();
    let url = empty_database(&database.admin_url()).await;

    let empty = migrate::status(&url).await.unwrap();
    assert!(!empty.is_current());
    assert!(
        empty.migrations.iter().chain(&empty.functions).all(|(_, standing)| *standing == Standing::Pending)
    );
    assert!(empty.migrations.iter().any(|(path, _)| path == "migrations/0001_imaging.sql"));
    let schemas = "select count(*) from pg_namespace where nspowner = 'imaging_owner'::regrole";
    let schemas: i64 = sqlx::query_scalar(schemas).fetch_one(&mut connect(&url).await).await.unwrap();
    assert_eq!(schemas, 0, "it was only looked at");

    let report = migrate::up(&url, &Options::default()).await.unwrap();
    assert_eq!(report.applied, empty.migrations.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>());
    assert_eq!(report.functions.files, empty.functions.len());
    let current = migrate::status(&url).await.unwrap();
    assert!(current.is_current(), "{current:?}");

    // A function that an older release made is known as such, and is replaced.
    let older = "update imaging_migrations.functions set checksum = 'older' where path like '%orders/src/place.sql';
                 create or replace function orders.place(cx jsonb, ask jsonb) returns jsonb language sql as 'select null::jsonb'";
    sqlx::raw_sql(older).execute(&mut connect(&url).await).await.unwrap();
    let changed = migrate::status(&url).await.unwrap();
    let standing = |path: &str| changed.functions.iter().find(|(known, _)| known == path).unwrap().1;
    assert_eq!(standing("components/orders/src/place.sql"), Standing::Changed);
    assert_eq!(standing("components/orders/src/read.sql"), Standing::Current);
    assert!(migrate::up(&url, &Options::default()).await.unwrap().functions.replaced);
    assert!(migrate::status(&url).await.unwrap().is_current());
    assert!(catalog(&url).await.contains("insert into imaging.orders"));

    // A migration that was applied with other text is never run over.
    let other = "update imaging_migrations.applied set checksum = 'other'";
    sqlx::raw_sql(other).execute(&mut connect(&url).await).await.unwrap();
    assert_eq!(migrate::status(&url).await.unwrap().migrations[0].1, Standing::Changed);
    let refused = migrate::up(&url, &Options::default()).await.unwrap_err();
    assert!(migrate::explain(&refused).contains("migrations/0001_imaging.sql"), "{refused:#}");
    drop_database(&database.admin_url(), &url).await;
}

#[tokio::test]
async fn the_service_may_not_migrate() {
    let database = Stack::shared().await.unwrap().database().await.unwrap();
    let refused = migrate::up(&database.service_url(), &Options::default()).await.unwrap_err();
    assert!(migrate::explain(&refused).contains("may not migrate"), "{refused:#}");
    assert!(!migrate::explain(&refused).contains(&database.service_url()), "no password is told");
}

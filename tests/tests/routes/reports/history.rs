//! Whatever is done to a report, in whatever order: what it once said, and who signed what, stays.

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};
use tests::{Hospital, Reply, actor::report_of, hospital::id};

use super::{acts, colleague, hash_of, now, path_of, told};

#[derive(Clone, Debug)]
enum Act {
    Edit(Value),
    Sign { by_colleague: bool },
    Amend(&'static str, Value),
    Delete,
}

/// Changes of some texts, to one of a few, or to nothing.
fn changes() -> impl Strategy<Value = Value> {
    let text = prop::sample::select(vec![json!("As seen"), json!("As before"), Value::Null]);
    let field =
        prop::sample::select(vec!["technique", "comparison", "findings", "impression", "macros", "template"]);
    prop::collection::btree_map(field, text, 1..4).prop_map(|changes| json!(changes))
}

fn acts_of_people() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => changes().prop_map(Act::Edit),
        2 => any::<bool>().prop_map(|by_colleague| Act::Sign { by_colleague }),
        3 => (prop::sample::select(vec!["AMENDED", "CORRECTED"]), changes())
            .prop_map(|(kind, changes)| Act::Amend(kind, changes)),
        1 => Just(Act::Delete),
    ];
    prop::collection::vec(act, 1..14)
}

async fn act(hospital: &Hospital, report: &Value, act: &Act) -> Reply {
    let (radiologist, path) = (hospital.radiologist(), path_of(report));
    match act {
        Act::Edit(changes) => radiologist.patch(&path, changes.clone()).await,
        Act::Sign { by_colleague: true } => colleague(hospital).signs(report).await,
        Act::Sign { by_colleague: false } => radiologist.signs(report).await,
        Act::Amend(kind, changes) => {
            let mut amendment = changes.clone();
            amendment["kind"] = json!(kind);
            amendment["amendmentReason"] = json!("The side was wrong");
            radiologist.post(&format!("{path}/amend"), amendment).await
        }
        Act::Delete => radiologist.delete(&path).await,
    }
}

/// Does all of it to a new report, and holds what comes of it against what was answered.
async fn holds(hospital: &Hospital, done: &[Act]) {
    let radiologist = hospital.radiologist();
    let study = hospital.completed_study().await;
    let mut versions = vec![radiologist.writes(report_of(&study)).await];
    let (report, path) = (versions[0].clone(), path_of(&versions[0]));
    let mut deleted = false;
    for next in done {
        let reply = act(hospital, &report, next).await;
        match reply.status {
            200 => versions.push(reply.expect(200)["report"].take()),
            204 => {
                assert_eq!(versions.last().unwrap()["status"], "PRELIMINARY");
                deleted = true;
                break;
            }
            // Not the report's radiologist, not from this status, or nothing was changed.
            status => assert!([403, 409, 422].contains(&status), "{next:?}: {reply}"),
        }
    }

    // One signature and one message for each time that the report was signed, and it becomes FINAL once.
    let finals = versions.iter().filter(|version| version["status"] == "FINAL").count();
    assert!(finals <= 1, "{done:?}");
    let signed = acts(hospital, &report).await.iter().filter(|act| act.starts_with("report.sign ")).count();
    let sent =
        told(hospital, &report).await.iter().filter(|topic| topic.starts_with("report.signed ")).count();
    assert_eq!((signed, sent), (finals, finals), "{done:?}");

    // Each version is the one after the last, and still says what it said.
    for (number, version) in (1..).zip(&versions) {
        assert_eq!((&version["contentVersion"], &version["version"]), (&json!(number), &json!(number)));
        assert_eq!(version["contentHash"], hash_of(hospital, version), "{done:?}");
        let read = radiologist.get(&format!("{path}/versions/{number}")).await;
        if deleted {
            read.expect_refusal(404, "not_found");
        } else {
            assert_eq!(read.expect(200)["report"], *version, "{done:?}");
        }
    }
    let kept = format!(
        "select string_agg(content_hash, ',' order by content_version) from imaging.report_versions where report_id = '{}'",
        id(&report)
    );
    let hashes: Vec<&str> = versions.iter().map(|version| version["contentHash"].as_str().unwrap()).collect();
    assert_eq!(hospital.sql(&kept).await, Some(hashes.join(",")), "{done:?}");

    let of_study = if deleted { "COMPLETED" } else { ["PRELIMINARY", "FINAL"][finals] };
    assert_eq!(now(hospital, &study).await["status"], of_study, "{done:?}");
}

#[test]
fn what_was_said_and_signed_stays_whatever_is_done_afterwards() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let hospital = runtime.block_on(Hospital::open_with(|settings| settings.timers.clear()));
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&acts_of_people(), |done| {
            runtime.block_on(holds(&hospital, &done));
            Ok(())
        })
        .unwrap();
    // A hospital closes by itself, but inside the runtime that it was opened in.
    runtime.block_on(async { drop(hospital) });
}

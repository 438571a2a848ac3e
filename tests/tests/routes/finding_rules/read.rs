use domain::FindingRules;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tests::Hospital;

use super::PATH;

#[tokio::test]
async fn nobody_has_to_set_any_and_the_defaults_are_version_0() {
    let hospital = Hospital::open().await;

    let reply = hospital.somebody("admin").get(PATH).await;

    assert_eq!(reply.header("etag"), "\"0\"");
    let rules = reply.expect(200)["rules"].take();
    assert_eq!(rules["rules"], json!(FindingRules::default())["rules"]);
    let said = (&rules["version"], &rules["changedBy"], &rules["changedAt"]);
    assert_eq!(said, (&json!(0), &Value::Null, &Value::Null));
    let lines: String = rules["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| {
            let codes = |of: &str| {
                let codes = rule["matches"][of].as_array().into_iter().flatten();
                codes.map(|code| format!(" {} {}", code["scheme"], code["value"])).collect::<String>()
            };
            let off = if rule["enabled"] == true { "" } else { ", off" };
            let about = codes("categories") + &codes("findings");
            format!("{} {}{about}{off}\n", rule["id"], rule["severity"])
        })
        .collect();
    assert_snapshot!(lines.replace('"', ""), @r"
    acr-category-1 CRITICAL RADLEX RID49480
    acr-category-2 HIGH RADLEX RID49481
    acr-category-3 MODERATE RADLEX RID49482
    acr-non-actionable NONE RADLEX RID50261
    intracranial-hemorrhage CRITICAL SCT 1386000
    pneumothorax CRITICAL SCT 36118008
    pulmonary-embolism CRITICAL SCT 59282003
    aortic-dissection CRITICAL SCT 308546005
    cad-marks MODERATE, off
    ");
}

#[tokio::test]
async fn only_who_administers_reads_changes_and_tries_them() {
    let hospital = Hospital::open().await;
    let whole = json!({"rules": []});
    let dry_run = format!("{PATH}/dry-run");
    let trial = json!({"imageId": "019a3b1c-7e00-7abc-8def-0123456789ab"});
    for role in ["provider", "scheduler", "technologist", "radiologist", "service", "patient", "auditor"] {
        let somebody = hospital.somebody(role);
        somebody.get(PATH).await.expect_refusal(403, "forbidden");
        somebody.put(PATH, whole.clone()).await.expect_refusal(403, "forbidden");
        somebody.post(&dry_run, trial.clone()).await.expect_refusal(403, "forbidden");
    }
    for admin in [hospital.somebody("admin"), hospital.somebody("system_admin")] {
        admin.get(PATH).await.expect_status(200);
        admin.post(&dry_run, trial.clone()).await.expect_status(422);
    }
    hospital.anonymous().put(PATH, whole).await.expect_refusal(401, "unauthenticated");
    hospital.anonymous().post(&dry_run, trial).await.expect_refusal(401, "unauthenticated");
}

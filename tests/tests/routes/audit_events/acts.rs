//! What every endpoint leaves in the audit.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tests::{Hospital, Reply};

use crate::every_endpoint::{ENDPOINTS, Names, body_for, endpoints, user_of};

/// The events of one request: what was done, to what, and whose it is.
async fn left_by(hospital: &Hospital, names: &BTreeMap<String, &str>, request: &str) -> String {
    let mut admin = PgConnection::connect(&hospital.database.admin_url()).await.unwrap();
    let events: Vec<Value> =
        sqlx::query_scalar("select to_jsonb(e) from imaging.audit_events e where request_id = $1")
            .bind(request)
            .fetch_all(&mut admin)
            .await
            .unwrap();
    let mut shown: Vec<String> = events
        .iter()
        .map(|event| {
            let id = event["resource_id"].as_str();
            let id = id.map_or(String::new(), |id| format!("/{}", names.get(id).unwrap_or(&"{another}")));
            let patients: Vec<&str> =
                event["patient_ids"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            let text = |member: &str| event[member].as_str().unwrap();
            format!("{} {}{id} {}", text("action"), text("resource"), patients.join(" ")).trim().to_owned()
        })
        .collect();
    shown.sort();
    shown.join(" + ")
}

#[tokio::test]
async fn every_endpoint_leaves_what_it_did_and_what_it_refused() {
    let hospital = Hospital::open().await;
    let read = Names::of(&hospital).await;
    let nobody = hospital.somebody("superuser");
    let mut shown = String::new();
    for (number, (method, path)) in endpoints(ENDPOINTS).into_iter().enumerate() {
        // What one has changed, or taken away, is of no use to the next.
        let changed = if method == Method::GET { None } else { Some(Names::of(&hospital).await) };
        let names = changed.as_ref().unwrap_or(&read);
        let known = names.by_id();
        let ask = async |actor: &tests::Actor, request: &str| {
            let asked = actor.request(method.clone(), &names.fill(&path)).header("x-request-id", request);
            Reply::of(match method {
                Method::GET => asked,
                // Its scan has begun.
                Method::DELETE if path == "/api/imaging-orders/{order}" => {
                    asked.json(&json!({"reason": "Asked to"}))
                }
                _ => asked.json(&body_for(&method, &path, names)),
            })
            .await
        };
        if path.ends_with("/amend") {
            let sign = names.fill("/api/reports/{report}/sign");
            hospital.radiologist().post(&sign, json!({})).await.expect(200);
        }
        let refused = format!("refused-{number}");
        ask(&nobody, &refused).await.expect_refusal(403, "forbidden");
        let done = format!("done-{number}");
        let reply = ask(&user_of(&hospital, &method, &path), &done).await;
        assert!((200..300).contains(&reply.status), "{method} {path}: {reply}");

        let (done, refused) =
            (left_by(&hospital, &known, &done).await, left_by(&hospital, &known, &refused).await);
        shown.push_str(&format!("{method} {path}\n  {done}\n  refused: {refused}\n"));
    }
    assert_snapshot!(shown, @r"
    GET /api/imaging-orders
      order.list order MRN-1
      refused: order.read order
    POST /api/imaging-orders
      order.place order/{another} MRN-1
      refused: order.place order
    GET /api/imaging-orders/{order}
      order.read order/{order} MRN-1
      refused: order.read order/{order} MRN-1
    PATCH /api/imaging-orders/{order}
      order.change order/{order} MRN-1
      refused: order.read order/{order} MRN-1
    DELETE /api/imaging-orders/{order}
      order.cancel order/{order} MRN-1
      refused: order.cancel order/{order} MRN-1
    GET /api/imaging-orders/patient/MRN-1
      order.list order MRN-1
      refused: order.read order MRN-1
    GET /api/studies
      study.list study MRN-1
      refused: study.read study
    POST /api/studies
      study.register study/{another} MRN-1
      refused: study.register study
    GET /api/studies/{study}
      study.read study/{study} MRN-1
      refused: study.read study/{study} MRN-1
    PATCH /api/studies/{study}
      study.change study/{study} MRN-1
      refused: study.move study/{study} MRN-1
    PATCH /api/studies/{study}/status
      order.follow_study order/{order} MRN-1 + study.change study/{study} MRN-1
      refused: study.move study/{study} MRN-1
    GET /api/studies/accession/{accession}
      study.read study/{study} MRN-1
      refused: study.read study/{study} MRN-1
    GET /api/studies/{study}/images
      image.list study/{study} MRN-1
      refused: image.read study/{study} MRN-1
    POST /api/studies/{study}/images
      image.register image/{another} MRN-1
      refused: image.upload study/{study} MRN-1
    GET /api/studies/{study}/series/1.2.3/images
      image.list study/{study} MRN-1
      refused: image.read study/{study} MRN-1
    GET /api/images/{image}
      image.read image/{image} MRN-1
      refused: image.read image/{image} MRN-1
    DELETE /api/images/{image}
      image.remove image/{image} MRN-1
      refused: image.remove image/{image} MRN-1
    GET /api/images/{image}/url
      image.url image/{image} MRN-1
      refused: image.read image/{image} MRN-1
    PATCH /api/images/{image}/metadata
      image.annotate image/{image} MRN-1 + image.read image/{image} MRN-1
      refused: image.upload image/{image} MRN-1
    POST /api/reports
      report.write report/{another} MRN-1
      refused: report.write report
    GET /api/reports/{report}
      report.read report/{report} MRN-1
      refused: report.read report/{report} MRN-1
    PATCH /api/reports/{report}
      report.change report/{report} MRN-1
      refused: report.write report/{report} MRN-1
    DELETE /api/reports/{report}
      report.remove report/{report} MRN-1 + study.follow_report study/{another} MRN-1
      refused: report.write report/{report} MRN-1
    GET /api/reports/{report}/versions/1
      report.read_version report/{report} MRN-1
      refused: report.read report/{report} MRN-1
    POST /api/reports/{report}/sign
      report.sign report/{report} MRN-1 + study.follow_report study/{another} MRN-1
      refused: report.sign report/{report} MRN-1
    POST /api/reports/{report}/amend
      report.amend report/{report} MRN-1
      refused: report.sign report/{report} MRN-1
    GET /api/reports/study/{study}
      report.list report MRN-1
      refused: report.read study/{study} MRN-1
    GET /api/reports/radiologist/radiologist-1
      report.list report MRN-1
      refused: report.read report
    GET /api/critical-findings
      finding.list finding MRN-1
      refused: finding.read finding
    POST /api/critical-findings
      finding.raise finding/{another} MRN-1
      refused: finding.raise finding
    GET /api/critical-findings/{finding}
      finding.read finding/{finding} MRN-1
      refused: finding.read finding/{finding} MRN-1
    PATCH /api/critical-findings/{finding}
      finding.change finding/{finding} MRN-1
      refused: finding.acknowledge finding/{finding} MRN-1
    POST /api/critical-findings/{finding}/decline
      finding.decline finding/{finding} MRN-1
      refused: finding.acknowledge finding/{finding} MRN-1
    POST /api/critical-findings/{finding}/acknowledge
      finding.acknowledge finding/{finding} MRN-1
      refused: finding.acknowledge finding/{finding} MRN-1
    GET /api/critical-findings/pending
      finding.list finding MRN-1
      refused: finding.read finding
    GET /api/critical-findings/metrics
      finding.figures finding
      refused: finding.figures finding
    GET /api/critical-findings/study/{study}
      finding.list study/{study} MRN-1
      refused: finding.read study/{study} MRN-1
    GET /api/critical-findings/severity/HIGH
      finding.list finding MRN-1
      refused: finding.read finding
    GET /api/finding-rules
      settings.read settings
      refused: settings.administer settings
    PUT /api/finding-rules
      settings.change settings
      refused: settings.administer settings
    POST /api/finding-rules/dry-run
      image.dry_run image/{stated} MRN-1
      refused: settings.administer settings
    GET /api/settings/critical-results
      settings.read settings
      refused: settings.administer settings
    PUT /api/settings/critical-results
      settings.change settings
      refused: settings.administer settings
    POST /api/uploads
      upload.offer upload
      refused: image.upload image
    GET /api/ingest
      upload.list upload MRN-1
      refused: image.upload image
    GET /api/ingest/{upload}
      upload.read upload/{upload} MRN-1
      refused: image.upload upload/{upload} MRN-1
    POST /api/ingest/{held}/resolve
      upload.read upload/{held} MRN-1 + upload.resolve upload/{held} MRN-1
      refused: upload.resolve upload/{held}
    GET /api/settings/ingest
      settings.read settings
      refused: settings.administer settings
    PUT /api/settings/ingest
      settings.change settings
      refused: settings.administer settings
    GET /api/audit-events
      audit.list audit
      refused: audit.read audit
    GET /api/deliveries
      delivery.list delivery
      refused: settings.administer settings
    POST /api/deliveries/{delivery}/retry
      delivery.retry delivery/{delivery} MRN-1
      refused: settings.administer delivery/{delivery} MRN-1
    ");
}

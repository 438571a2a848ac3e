//! The document of the service is true, and the service keeps to it: schemathesis reads the one and asks the other,
//! whatever comes to its mind, as everybody who works in a hospital.

use std::{collections::BTreeMap, fs, io::Write, path::PathBuf, process::Command};

use local::root;
use serde_json::{Value, json};
use tests::{
    Hospital,
    actor::finding_of,
    hospital::{ct_chest, id},
    python::Packages,
};

const REQUIREMENTS: &str = include_str!("../contract/requirements.txt");

/// How many things of each kind are there to be asked for.
const THINGS: usize = 6;

fn packages() -> Packages {
    Packages::installed("schemathesis", REQUIREMENTS).unwrap_or_else(|error| {
        panic!("The contract is tested with schemathesis, which is not to be had: {error:#}")
    })
}

#[tokio::test]
async fn the_document_is_what_openapi_3_1_says_a_document_is() {
    let hospital = Hospital::open_with(|settings| settings.timers.clear()).await;
    let document = hospital.anonymous().get("/openapi.json").await.text;
    let file = reports("document").join("openapi.json");
    fs::write(&file, document).unwrap();
    let mut validator = packages().module("openapi_spec_validator");
    let output = validator.args(["--schema", "3.1.0"]).arg(file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

/// Everything, in every phase: each operation is asked by somebody whose it is.
#[tokio::test]
async fn everybody_is_answered_as_the_document_says() {
    ask("everybody", "examples,coverage,fuzzing,stateful", 20).await;
}

// The others see that a role is answered as described also where it may do nothing.

#[tokio::test]
async fn a_radiologist_is_answered_as_the_document_says() {
    ask("radiologist", "examples,fuzzing,stateful", 8).await;
}

#[tokio::test]
async fn a_service_is_answered_as_the_document_says() {
    ask("service", "examples,fuzzing,stateful", 8).await;
}

#[tokio::test]
async fn a_provider_is_answered_as_the_document_says() {
    ask("provider", "examples,fuzzing,stateful", 8).await;
}

#[tokio::test]
async fn a_scheduler_is_answered_as_the_document_says() {
    ask("scheduler", "examples,fuzzing", 6).await;
}

#[tokio::test]
async fn an_administrator_is_answered_as_the_document_says() {
    ask("admin", "examples,fuzzing", 6).await;
}

#[tokio::test]
async fn an_auditor_is_answered_as_the_document_says() {
    ask("auditor", "examples,fuzzing", 6).await;
}

/// Has schemathesis ask a hospital of its own as somebody, so many times an operation in each phase.
async fn ask(role: &str, phases: &str, examples: u32) {
    let packages = packages();
    let hospital = Hospital::open_with(|settings| settings.timers.clear()).await;
    let given = given(&hospital, role).await;
    let folder = reports(role);
    let (how, report) = (root().join("tests/contract"), folder.join("report.json"));
    let mut schemathesis = packages.module("schemathesis.cli");
    schemathesis
        .arg(format!("--config-file={}", how.join("schemathesis.toml").display()))
        .args(["run", &format!("{}/openapi.json", hospital.host.address())])
        .args(["--no-color", "--phases", phases, "--max-examples", &examples.to_string()])
        .args(["--report", "junit,json,ndjson", "--report-dir", "."])
        .arg(format!("--report-json-path={}", report.display()))
        .env("SCHEMATHESIS_HOOKS", how.join("hooks.py"))
        .env("CONTRACT", given.to_string())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        // What it leaves lying about belongs with the reports.
        .current_dir(&folder);
    let output = output_of(schemathesis).await;
    fs::write(folder.join("output.txt"), &output).unwrap();

    let report: Value =
        serde_json::from_str(&fs::read_to_string(report).unwrap_or_default()).unwrap_or_default();
    let summary = format!(
        "schemathesis as {role}: {} cases, {} failed, over {} operations in {:.0} s\n",
        report["test_cases"]["generated"],
        report["test_cases"]["with_failures"],
        report["operations"]["tested"],
        report["running_time"].as_f64().unwrap_or_default(),
    );
    fs::write(folder.join("summary.txt"), &summary).unwrap();
    // Past the test harness, which would keep it to itself unless the test fails.
    std::io::stderr().write_all(summary.as_bytes()).unwrap();

    let log = hospital.log();
    let faults: Vec<&str> = log.lines().filter(|line| line.contains("\"status\":5")).collect();
    assert!(faults.is_empty(), "{summary}{output}\n{}", faults.join("\n"));
    assert!(report["exit_code"] == 0 && report["complete"] == true, "{summary}{output}");
}

/// The folder of a run's reports, empty.
fn reports(run: &str) -> PathBuf {
    let folder = root().join("target/tests/schemathesis/reports").join(run);
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// What a program says, which runs as long as it takes.
async fn output_of(mut command: Command) -> String {
    let ran =
        tokio::task::spawn_blocking(move || command.output()).await.unwrap().expect("schemathesis runs");
    [ran.stdout, ran.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat()
}

/// What hooks.py is told: who there is, and what.
async fn given(hospital: &Hospital, role: &str) -> Value {
    let (mut orders, mut studies, mut images, mut uploads) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut reports, mut findings, mut completed) = (Vec::new(), Vec::new(), Vec::new());
    let mut deliveries = Vec::new();
    let (service, technologist, radiologist) =
        (hospital.service(), hospital.technologist(), hospital.radiologist());
    for number in 0..THINGS {
        let order = hospital.provider().places(ct_chest()).await;
        let study = technologist.registers(&order).await;
        let instance = json!({
            "seriesInstanceUID": "1.2.3", "sopInstanceUID": format!("1.2.3.{number}"),
            "seriesNumber": 1, "instanceNumber": 1,
        });
        let images_of_study = format!("/api/studies/{}/images", id(&study));
        let image = technologist.post(&images_of_study, instance).await.expect(201)["image"].take();
        let offered = technologist.post("/api/uploads", json!({})).await.expect(201)["uploads"][0].take();
        orders.push(id(&order).to_owned());
        studies.push(id(&study).to_owned());
        images.push(id(&image).to_owned());
        uploads.push(id(&offered).to_owned());

        let read = service.registers(&service.places(ct_chest()).await).await;
        hospital.completes(&read).await;
        let report = hospital.reports(&read, if number % 2 == 0 { "PRELIMINARY" } else { "FINAL" }).await;
        let severity = if number % 2 == 0 { "CRITICAL" } else { "LOW" };
        let finding = radiologist.post("/api/critical-findings", finding_of(&read, severity)).await;
        let finding = finding.expect(201)["finding"].take();
        reports.push(id(&report).to_owned());
        deliveries.push(hospital.gives_up_telling(&finding).await);
        findings.push(id(&finding).to_owned());
        completed.push(id(&read).to_owned());
    }
    hospital.execute("update imaging.images set status = 'STORED' where sop_instance_uid < '1.2.3.3'").await;

    let all_studies = [studies, completed.clone()].concat();
    let roles = ["provider", "scheduler", "technologist", "radiologist", "service", "admin", "auditor"];
    let tokens: BTreeMap<&str, String> = roles.into_iter().map(|role| (role, hospital.token(role))).collect();
    json!({
        "role": role,
        "tokens": tokens,
        "eventKey": hospital.setting("event_key"),
        "ids": {
            "orderId": orders,
            "studyId": all_studies,
            "imageId": images,
            "uploadId": uploads,
            "reportId": reports,
            "findingId": findings,
            "deliveryId": deliveries,
            "registerStudy.orderId": orders,
            "writeReport.studyId": completed,
            "raiseFinding.studyId": completed,
            "raiseFinding.reportId": reports,
        },
        "fit": {
            "placeOrder": {"facilityId": "fac-1", "providerId": "provider-1"},
            "registerStudy": {"patientId": "MRN-1", "modality": "CT"},
            "writeReport": {"radiologistId": "radiologist-1"},
        },
    })
}

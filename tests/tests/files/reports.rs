//! What structured reports state, by our reader and by another one.

use domain::{
    FindingRules,
    dicom::{Statement, StructuredReport, is_structured_report, read_header, read_structured_report},
};
use insta::assert_snapshot;
use serde_json::{Value, json};
use tests::{
    files,
    reports::{self, Report},
};

fn read(report: &Report) -> StructuredReport {
    let read =
        read_structured_report(&report.content).unwrap_or_else(|error| panic!("{}: {error}", report.name));
    read.unwrap_or_else(|| panic!("{} is no report", report.name))
}

#[test]
fn every_report_states_what_pydicom_finds_in_it() {
    let (mut compared, mut differences) = (0, Vec::new());
    for written in reports::all().unwrap() {
        let report = read(&written);
        let statements: Vec<Value> = report.statements.iter().map(as_found).collect();
        let ours = json!({
            "sopClassUID": report.sop_class_uid,
            "sopInstanceUID": report.sop_instance_uid,
            "title": report.title.map(|title| title.meaning),
            "completion": report.completion,
            "verification": report.verification,
            "communication": report.communication,
            "statements": statements,
        });
        for (member, ours) in ours.as_object().unwrap() {
            compared += 1;
            if *ours != written.found[member] {
                differences.push(format!("{}: {member} {ours} {}", written.name, written.found[member]));
            }
        }
        // A header is read of each as well, and says that it is one.
        let header = read_header(&written.content, written.content.len() as u64).unwrap();
        assert!(is_structured_report(&header.facts.image.sop_class_uid), "{}", written.name);
        assert!(!report.is_incomplete, "{}", written.name);
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(compared > 90, "only {compared}");
}

/// A statement as the catalogue has it.
fn as_found(statement: &Statement) -> Value {
    let mut images: Vec<&str> = statement.images.iter().map(|image| image.as_str()).collect();
    images.sort_unstable();
    let algorithm = statement.algorithm.as_ref();
    json!({
        "kind": statement.kind,
        "path": statement.path,
        "finding": statement.finding.as_ref().map(|code| &code.value),
        "category": statement.categories.first().map(|code| &code.value),
        "site": statement.site.as_ref().map(|code| &code.value),
        "trackingUID": statement.tracking_uid,
        "algorithm": [
            algorithm.map(|algorithm| algorithm.name.as_str()),
            algorithm.and_then(|algorithm| algorithm.version.as_deref()),
        ],
        "score": statement.score,
        "images": images,
        "isAbsent": statement.is_absent,
    })
}

#[test]
fn the_default_rules_raise_what_the_reports_say_is_urgent() {
    let rules = FindingRules::default();
    let mut lines = String::new();
    for written in reports::all().unwrap() {
        let report = read(&written);
        let cad = report.cad_outcome.map(|outcome| format!(" ({outcome})")).unwrap_or_default();
        lines += &format!("{}{cad}\n", written.name);
        for raised in rules.raise(&report) {
            let place = raised.key.rsplit('/').next().unwrap();
            let rule = raised.rule.as_str();
            lines += &format!("  {} by {rule} at {place}:\n    {}\n", raised.severity, raised.finding);
        }
    }
    assert_snapshot!(lines, @"
    breast-cad (FINDINGS)
    breast-cad-failed (FAILED)
    breast-cad-nothing (NO_FINDINGS)
    category-of-a-text
      HIGH by acr-category-2 at 1.1.1:
        ACR Category 2 Actionable Finding: Großer linksseitiger Pneumothorax [unverified]
    chest-cad (PARTLY_FAILED_WITH_FINDINGS)
    colon-cad (FINDINGS)
    embolism-in-older-code
      CRITICAL by pulmonary-embolism at 1.2.3.9:
        Pulmonary embolism [unverified]
    every-category
      CRITICAL by acr-category-1 at 1.2.3.1:
        Nodule
      HIGH by acr-category-2 at 1.2.3.2:
        Nodule
      MODERATE by acr-category-3 at 1.2.3.3:
        Nodule
    every-category-big-endian
      CRITICAL by acr-category-1 at 1.2.3.1:
        Nodule
      HIGH by acr-category-2 at 1.2.3.2:
        Nodule
      MODERATE by acr-category-3 at 1.2.3.3:
        Nodule
    every-category-deflated
      CRITICAL by acr-category-1 at 1.2.3.1:
        Nodule
      HIGH by acr-category-2 at 1.2.3.2:
        Nodule
      MODERATE by acr-category-3 at 1.2.3.3:
        Nodule
    every-category-implicit
      CRITICAL by acr-category-1 at 1.2.3.1:
        Nodule
      HIGH by acr-category-2 at 1.2.3.2:
        Nodule
      MODERATE by acr-category-3 at 1.2.3.3:
        Nodule
    hemorrhage-absent
    hemorrhage-found-by-software
      CRITICAL by acr-category-1 at 1.2.3.9:
        Intracranial hemorrhage (Brain) [BleedDetect 2.1 of Acme, 87.5 %, unverified]
    partial
      CRITICAL by pneumothorax at 1.2.3.9:
        Pneumothorax [partial report, unverified]
    ");
}

#[test]
fn other_real_files_are_no_reports_and_harm_nobody() {
    let mut stated = String::new();
    for file in files::all().unwrap() {
        let is_report = file.modality() == Some("SR");
        match read_structured_report(&file.read().unwrap()) {
            Ok(Some(report)) => {
                assert!(is_report, "{}", file.name);
                let title = report.title.map(|title| title.meaning).unwrap_or_default();
                stated += &format!("{}: {title}, {} statements\n", file.name, report.statements.len());
            }
            Ok(None) => assert!(!is_report, "{}", file.name),
            Err(reason) => assert!(!is_report, "{}: {reason}", file.name),
        }
    }
    assert_snapshot!(stated, @"
    pydicom/test_files/reportsi.dcm: Document Title, 0 statements
    pydicom/test_files/test-SR.dcm: Diagnosis, 0 statements
    ");
}

//! What a structured report states, and what the rules make of it.
#![no_main]

use std::{collections::BTreeSet, sync::LazyLock};

use domain::{
    FindingRules,
    dicom::{
        IMAGES_LIMIT, STATEMENT_LENGTH, STATEMENT_LIMIT, is_structured_report, read_header,
        read_structured_report,
    },
};
use libfuzzer_sys::fuzz_target;

/// The default rules, all of them turned on.
static RULES: LazyLock<FindingRules> = LazyLock::new(|| {
    let mut rules = serde_json::to_value(FindingRules::default()).expect("rules are JSON");
    for rule in rules["rules"].as_array_mut().expect("a list") {
        rule["enabled"] = true.into();
    }
    FindingRules::read(rules.as_object().expect("an object")).expect("rules")
});

fuzz_target!(|file: &[u8]| {
    let report = read_structured_report(file);
    assert_eq!(report, read_structured_report(file));
    if let Ok(header) = read_header(file, file.len() as u64)
        && is_structured_report(&header.facts.image.sop_class_uid)
    {
        let report = report.as_ref().expect("read like its header").as_ref().expect("a report");
        assert_eq!(report.sop_instance_uid, header.facts.image.sop_instance_uid);
    }
    let Ok(Some(report)) = report else { return };

    serde_json::to_string(&report).expect("reports are JSON");
    assert!(report.statements.len() <= STATEMENT_LIMIT);
    let mut paths = BTreeSet::new();
    for statement in &report.statements {
        assert!(!statement.text.is_empty() && statement.text.chars().count() <= STATEMENT_LENGTH);
        assert!(!statement.text.contains(char::is_control));
        assert!(statement.images.len() <= IMAGES_LIMIT);
        assert!(statement.score.is_none_or(|score| (0.0..=100.0).contains(&score)));
        assert!(paths.insert(&statement.path));
    }

    let raised = RULES.raise(&report);
    assert_eq!(raised, RULES.raise(&report));
    let keys: BTreeSet<&str> = raised.iter().map(|raised| raised.key.as_str()).collect();
    assert_eq!(keys.len(), raised.len());
});

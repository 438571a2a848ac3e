//! Structured reports that another implementation wrote: `tests/files/reports.py`, with highdicom.
//!
//! `tests/files/reports.json` says what pydicom finds in each, so that our reading is compared with another parser's.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::dicom::identity::Identity;

const FOUND: &str = include_str!("../files/reports.json");

#[derive(Clone, Debug)]
pub struct Report {
    pub name: String,
    pub content: Vec<u8>,
    /// What the report says of itself, and its statements.
    pub found: Value,
}

pub fn all() -> Result<Vec<Report>> {
    let found: BTreeMap<String, Value> =
        serde_json::from_str(FOUND).context("tests/files/reports.json does not parse")?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("files/reports");
    let read = |(name, found): (String, Value)| {
        let path = folder.join(format!("{name}.dcm"));
        let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Report { name, content, found })
    };
    found.into_iter().map(read).collect()
}

/// The report of that name.
pub fn named(name: &str) -> Result<Report> {
    let mut all = all()?.into_iter();
    all.find(|report| report.name == name).with_context(|| format!("tests/files/reports.json has no {name}"))
}

/// The report of that name as a machine sends it about a study, or about an order that has none yet: an instance that
/// nobody else has.
pub fn about(study_or_order: &Value, name: &str) -> Result<Vec<u8>> {
    let text = |member: &str| study_or_order[member].as_str().map(str::to_owned);
    let fresh = Identity::fresh();
    let identity = Identity {
        study: text("studyInstanceUID").or(fresh.study),
        patient_id: text("patientId"),
        accession: text("accessionNumber"),
        ..fresh
    };
    identity.rewrite(&named(name)?.content)
}

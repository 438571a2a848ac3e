//! Structured reports (PS3.3 C.17.3), as far as they state something that somebody may have to act on.
//!
//! [`read_structured_report`] is the way in: from a whole file to what it states, each [`Statement`] with where it
//! stands. What comes of a statement is not decided here but by [rules](crate::FindingRules).
//!
//! Only codes state anything. Free text is shown beside what is stated in code, and never stands for itself.

mod code;
mod statement;
mod tree;

#[cfg(test)]
mod tests;

use std::fmt;

use serde::Serialize;

use crate::enumeration::enumeration;

use super::header::HEADER_LIMIT;
use super::inflate::Inflater;
use super::part10;
use super::reason::{HeaderError, Reason};
use super::uid::Uid;
use super::walk::{Encoding, Walk};
use tree::Tree;

pub use code::Code;

/// How many statements of one report are looked at. A report with hundreds of measured lesions stays below it.
pub const STATEMENT_LIMIT: usize = 500;

/// The longest text of a statement, in characters.
pub const STATEMENT_LENGTH: usize = 1000;

/// How many images are named as what one statement is about.
pub const IMAGES_LIMIT: usize = 16;

/// Basic text, enhanced, comprehensive and comprehensive 3D reports; CAD of breast, chest and colon.
const CLASSES: [&str; 7] = [
    "1.2.840.10008.5.1.4.1.1.88.11",
    "1.2.840.10008.5.1.4.1.1.88.22",
    "1.2.840.10008.5.1.4.1.1.88.33",
    "1.2.840.10008.5.1.4.1.1.88.34",
    MAMMOGRAPHY_CAD,
    CHEST_CAD,
    COLON_CAD,
];
const MAMMOGRAPHY_CAD: &str = "1.2.840.10008.5.1.4.1.1.88.50";
const CHEST_CAD: &str = "1.2.840.10008.5.1.4.1.1.88.65";
const COLON_CAD: &str = "1.2.840.10008.5.1.4.1.1.88.69";

enumeration! {
    /// Completion Flag (PS3.3 C.17.2).
    Completion { Partial = "PARTIAL", Complete = "COMPLETE" }
}

enumeration! {
    /// Verification Flag (PS3.3 C.17.2): whether a person has put a name to it.
    Verification { Unverified = "UNVERIFIED", Verified = "VERIFIED" }
}

enumeration! {
    /// What a computer-aided detection looked at.
    CadType { Mammography = "MAMMOGRAPHY", Chest = "CHEST", Colon = "COLON" }
}

enumeration! {
    /// What came of a computer-aided detection (PS3.16 CID 6047). Where not all of its algorithms succeeded, that
    /// there is no finding does not mean that there is nothing to be found.
    CadOutcome {
        Findings = "FINDINGS",
        NoFindings = "NO_FINDINGS",
        PartlyFailedWithFindings = "PARTLY_FAILED_WITH_FINDINGS",
        PartlyFailedWithoutFindings = "PARTLY_FAILED_WITHOUT_FINDINGS",
        Failed = "FAILED",
    }
}

enumeration! {
    /// In which way something is stated.
    StatementKind {
        /// A finding by its code.
        Finding = "FINDING",
        /// That there is something to act on, in a category of its urgency, and no code for what.
        Category = "CATEGORY",
        /// A mark that computer-aided detection made for a reader to look at.
        Mark = "MARK",
    }
}

/// A report. Serialises under camelCase names.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StructuredReport {
    #[serde(rename = "sopClassUID")]
    pub sop_class_uid: Uid,
    #[serde(rename = "sopInstanceUID")]
    pub sop_instance_uid: Uid,
    pub title: Option<Code>,
    /// The template that its content follows, by its number: `1500`.
    pub template: Option<String>,
    pub completion: Option<Completion>,
    pub verification: Option<Verification>,
    pub cad_type: Option<CadType>,
    pub cad_outcome: Option<CadOutcome>,
    /// What the report says of who was told of a critical result, when and how: the text, possibly empty, under
    /// the heading of TID 2000 that stands for it. Evidence that somebody was told; nothing of it is stated in code.
    pub communication: Option<Told>,
    /// In the order of the tree.
    pub statements: Vec<Statement>,
    /// Whether there is more in the report than was looked at: a person has to read it.
    pub is_incomplete: bool,
}

/// Text about a patient, which has no place in a log.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Told(pub String);

impl fmt::Debug for Told {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Told(…)")
    }
}

/// One thing that a report states.
#[derive(Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    pub kind: StatementKind,
    /// What was found.
    pub finding: Option<Code>,
    /// How urgent the report says that it is: codes of PS3.16 CID 7035 or of whatever categories the sender uses.
    pub categories: Vec<Code>,
    /// Where in the body.
    pub site: Option<Code>,
    pub laterality: Option<Code>,
    /// What to show: the meanings of the codes and the text beside them, on one line, never empty.
    pub text: String,
    /// The SOP Instance UIDs of the images that it points at.
    pub images: Vec<Uid>,
    #[serde(rename = "trackingUID")]
    pub tracking_uid: Option<Uid>,
    /// What found it, unless a person did.
    pub algorithm: Option<Algorithm>,
    /// How certain it is, or how likely to be cancer, in percent.
    pub score: Option<f64>,
    /// Where in the content tree it stands: `1.4.2`.
    pub path: String,
    /// Whether the report says that the finding is not there.
    pub is_absent: bool,
}

impl fmt::Debug for Statement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Statement({} at {})", self.kind, self.path)
    }
}

/// Software that found something (PS3.16 TID 4019).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Algorithm {
    /// Whose it is; where the report does not say so, who made the device that wrote the report.
    pub manufacturer: Option<String>,
    pub name: String,
    pub version: Option<String>,
}

/// Whether instances of a SOP class are reports that [`read_structured_report`] reads.
pub fn is_structured_report(sop_class: &Uid) -> bool {
    CLASSES.contains(&sop_class.as_str())
}

/// Read what a report states; nothing when the file is of another SOP class.
///
/// `file` is all of it: a report has no pixels, so [`read_header`](super::read_header) has needed all of it too.
/// Nothing is allocated beyond a small multiple of it, or of what it inflates to, up to 16 MiB.
pub fn read_structured_report(file: &[u8]) -> Result<Option<StructuredReport>, Reason> {
    let total = file.len() as u64;
    let opened = part10::open(file, total).map_err(|error| refused(error, Reason::Truncated))?;
    if !opened.deflated {
        let walk = Walk::new(file, total, opened.start, opened.encoding);
        return read(walk).map_err(|error| refused(error, Reason::Truncated));
    }
    let compressed = usize::try_from(opened.start).ok().and_then(|start| file.get(start..));
    let mut inflater = Inflater::new(compressed.unwrap_or_default());
    inflater.fill(HEADER_LIMIT as usize)?;
    let inflated = inflater.bytes();
    let total = if inflater.is_finished() { inflated.len() as u64 } else { u64::MAX >> 1 };
    let walk = Walk::new(inflated, total, 0, Encoding::EXPLICIT_LITTLE);
    read(walk).map_err(|error| refused(error, Reason::TooLong))
}

fn read(walk: Walk<'_>) -> Result<Option<StructuredReport>, HeaderError> {
    let is_wanted = |class: &str| Uid::read(class).is_ok_and(|class| is_structured_report(&class));
    let Some(tree) = Tree::read(walk, is_wanted)? else { return Ok(None) };
    let document = &tree.document;
    let sop_class_uid = Uid::read(&document.sop_class_uid).map_err(|_| Reason::InvalidSopClassUid)?;
    if document.sop_instance_uid.is_empty() {
        return Err(Reason::MissingSopInstanceUid.into());
    }
    let sop_instance_uid =
        Uid::read(&document.sop_instance_uid).map_err(|_| Reason::InvalidSopInstanceUid)?;
    let stated = statement::of(&tree, &sop_class_uid);
    Ok(Some(StructuredReport {
        sop_class_uid,
        sop_instance_uid,
        title: stated.title,
        template: Some(document.template.to_owned()).filter(|template| !template.is_empty()),
        completion: document.completion.parse().ok(),
        verification: document.verification.parse().ok(),
        cad_type: stated.cad_type,
        cad_outcome: stated.cad_outcome,
        communication: stated.communication.map(Told),
        statements: stated.statements,
        is_incomplete: tree.is_incomplete || stated.is_incomplete,
    }))
}

/// There are no more bytes to be had.
fn refused(error: HeaderError, for_want_of_more: Reason) -> Reason {
    match error {
        HeaderError::NeedMore { .. } => for_want_of_more,
        HeaderError::Refused(reason) => reason,
    }
}

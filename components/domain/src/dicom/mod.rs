//! DICOM, as far as a file's header goes: from bytes that nobody vouches for to typed facts.
//!
//! [`read_header`] is the way in. It takes the beginning of a file and answers what the file says before its
//! pixels, or how much more of it must be seen, or why it is refused. It reads no files, never recurses, and
//! holds no more than a small multiple of what it is given.
//!
//! What is deliberately absent: pixels are never looked at, and nothing here writes DICOM.

mod accession_number;
mod character_set;
mod dictionary;
mod facts;
mod header;
mod inflate;
mod metadata;
mod modality;
mod moment;
mod part10;
mod person_name;
mod reason;
mod structured_report;
mod tag;
mod uid;
mod value;
mod vr;
mod walk;

#[cfg(test)]
mod tests;

pub use accession_number::{AccessionNumber, InvalidAccessionNumber};
pub use facts::{Facts, ImageFacts, PatientFacts, StudyFacts};
pub use header::{HEADER_LIMIT, Header, PixelData, read_header};
pub use metadata::{METADATA_LIMIT, Metadata};
pub use modality::{InvalidModality, Modality};
pub use moment::{Date, InvalidDate, InvalidTime, Time};
pub use person_name::{InvalidPersonName, PersonName};
pub use reason::{HeaderError, Reason};
pub use structured_report::{
    Algorithm, CadOutcome, CadType, Code, Completion, IMAGES_LIMIT, STATEMENT_LENGTH, STATEMENT_LIMIT,
    Statement, StatementKind, StructuredReport, Told, Verification, is_structured_report,
    read_structured_report,
};
pub use tag::Tag;
pub use uid::{InvalidUid, Uid};

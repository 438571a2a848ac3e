//! What is true without a computer: ids, statuses and what may follow what, rights, and DICOM facts.
//!
//! No I/O, no async, and nothing of the runtime.

pub mod dicom;
mod enumeration;
mod id;
mod moment;
mod order;
mod parse;
mod report;
mod right;
mod study;
mod text;
mod transition;
mod upload;
mod wire;

pub use dicom::Modality;
pub use id::{FindingId, ImageId, OrderId, ReportId, StudyId, UploadId};
pub use moment::{BirthDate, Moment, RangeEnd};
pub use order::{OrderStatus, Priority};
pub use parse::{Count, Fault, Parse};
pub use report::ReportStatus;
pub use right::{Caller, Extent, Reach, Right, Role};
pub use study::StudyStatus;
pub use text::{ExternalId, Line, Prose, Sex, Text};
pub use transition::{Transition, sources, targets};
pub use upload::{EXPECTED_FOR, IngestStatus, blob_name, hour_prefix, upload_of};

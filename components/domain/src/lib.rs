//! What is true without a computer: ids, statuses and what may follow what, rights, and DICOM facts.
//!
//! No I/O, no async, and nothing of the runtime.

mod audit;
mod critical_results;
mod delivery;
pub mod dicom;
mod enumeration;
pub mod fhir;
mod fields;
mod finding;
mod finding_rule;
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

pub use audit::{About, AuditOutcome};
pub use critical_results::{CRITICAL_WITHIN, CriticalResults, Group, LEVELS, Level, Minutes, Plan};
pub use delivery::{
    Attempt, Channel, DeliveryState, LONGEST_RETRY_AFTER, MOST_ATTEMPTS, StateFilter, Verdict, retry_after,
};
pub use dicom::Modality;
pub use finding::{FOLLOW_UP_DONE, FindingSource, FindingStatus, Recipients, Severity};
pub use finding_rule::{AlgorithmPattern, FindingRule, FindingRules, Matches, Raised, RuleId, RuleSeverity};
pub use id::{DeclineId, DeliveryId, FindingId, ImageId, OrderId, ReportId, ResourceId, StudyId, UploadId};
pub use moment::{BirthDate, Moment, RangeEnd};
pub use order::{OrderStatus, Priority};
pub use parse::{Count, Fault, Parse};
pub use report::{Amendment, Content, FirstStatus, Macros, ReportStatus, Signature, Standing};
pub use right::{Caller, Extent, Reach, Right, Role};
pub use study::StudyStatus;
pub use text::{ExternalId, Line, Prose, Sex, Text};
pub use transition::{Transition, sources, targets};
pub use upload::{
    EXPECTED_FOR, IngestSettings, IngestStatus, Resolution, blob_name, offered_together, upload_of,
};

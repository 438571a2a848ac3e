//! FHIR R4 (4.0.1): the documents of this service as resources, and what other systems send as what it means here.
//!
//! Nothing is sent or kept here. Resources are made of documents whose sealed parts are open:
//!
//! | Resource | of | as SQL makes it |
//! | --- | --- | --- |
//! | ServiceRequest | an order, with `identifiers` | `orders.exchanged(o)` |
//! | ImagingStudy | a study, with its `order` and `series` | `studies.exchanged(s)` |
//! | DiagnosticReport | a report, with its `study` and `order` | `reports.exchanged(r)` |
//!
//! Whoever answers a request makes them by [`Exchange::here`]. Whoever sends them makes them by [`Exchange::elsewhere`],
//! and sends each by its [`Update`]: `PUT {ehr_service_url}/{path}` with `resource` as `application/fhir+json`. That is a
//! conditional update (R4 3.1.0.4.3): made where it is not there yet, and replaced where it is, so that sending it twice
//! does no harm. The ImagingStudy and the ServiceRequest go with the DiagnosticReport, which refers to them by identifier: in
//! whatever order they arrive. That ServiceRequest is this service's own, known by the order's number and based on the one that the order was placed by:
//! the placer's is the placer's, and never written over.
//!
//! What is asked of the other side is a [`Question`] about a patient: `GET {ehr_service_url}/{place}`, where the place is
//! [`Exchange::place_of`], whose answer [`Demographics::answered`] or [`members`] reads.

mod bundle;
mod capabilities;
mod care_team;
mod communication;
mod diagnostic_report;
mod element;
mod exchange;
mod imaging_study;
mod outcome;
mod patient;
mod question;
mod search;
mod service_request;
#[cfg(test)]
mod tests;

pub use bundle::{Found, searchset};
pub use capabilities::capabilities;
pub use communication::Acknowledgement;
pub use exchange::{Exchange, System, Update};
pub use outcome::{Issue, IssueType, outcome};
pub use patient::Demographics;
pub use question::{Question, members};
pub use search::{Called, Format, PageSize, PatientReference, Token};
pub use service_request::{Asked, Identifier, Known, Numbered, OrderNumber, Placed};

/// The media type of FHIR in JSON.
pub const MEDIA_TYPE: &str = "application/fhir+json";

/// What is wrong with a resource: each element by its FHIRPath, such as `ServiceRequest.code`.
pub type Faults = Vec<(String, crate::Fault)>;

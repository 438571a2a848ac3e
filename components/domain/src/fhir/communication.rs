//! Communication: that a clinician has taken on a critical finding.

use serde_json::{Value, json};

use super::{
    Faults,
    element::{self, Element, id_in},
};
use crate::{ExternalId, FindingId, Parse, Prose};

/// The elements that R4 has; those that mean nothing here are read over.
const ELEMENTS: &[&str] = &[
    "identifier",
    "instantiatesCanonical",
    "instantiatesUri",
    "basedOn",
    "partOf",
    "inResponseTo",
    "status",
    "statusReason",
    "category",
    "priority",
    "medium",
    "subject",
    "topic",
    "about",
    "encounter",
    "sent",
    "received",
    "recipient",
    "sender",
    "reasonCode",
    "reasonReference",
    "payload",
    "note",
];

/// That a clinician acknowledges a finding, as another system has been told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    pub finding: FindingId,
    pub clinician: ExternalId,
    /// Whose finding it is, where that is said.
    pub patient_id: Option<ExternalId>,
    /// The finding in the clinician's own words.
    pub read_back: Option<Prose>,
}

impl Acknowledgement {
    /// Reads a Communication that was sent.
    pub fn read(resource: &Value) -> Result<Self, Faults> {
        element::read(resource, "Communication", ELEMENTS, |communication| {
            let status = communication.code("status", &[("completed", ())]);
            communication.required("status", status);
            let finding = finding(communication);
            let subject = communication.child("subject");
            let patient_id = subject.and_then(|subject| subject.refers_to(&["Patient"]));
            let sender = communication.child("sender").and_then(|by| by.refers_to_practitioner());
            let clinician = communication.required("sender", sender);
            let payload = communication.each("payload");
            let said: Vec<&str> = payload.iter().filter_map(|part| part.text("contentString")).collect();
            let read_back = (!said.is_empty()).then(|| said.join("\n")).and_then(|said| {
                Prose::parse(&json!(said))
                    .map_err(|fault| communication.fault_of("payload", fault.to_string()))
                    .ok()
            });
            Some(Self { finding: finding?, clinician: clinician?, patient_id, read_back })
        })
    }
}

/// The finding that it is about: by the end of a reference, whatever the other system takes a finding for, or by its
/// identifier.
fn finding(communication: &Element<'_>) -> Option<FindingId> {
    let about = communication.each("about");
    let named = about.iter().find_map(|about| {
        let kinds = ["DetectedIssue", "Observation", "Flag", "Communication", "CommunicationRequest", "Task"];
        let by_place = about.text("reference").and_then(|reference| id_in(reference, &kinds));
        let by_identifier = || about.child("identifier")?.text("value");
        by_place.and_then(|id| id.parse().ok()).or_else(|| by_identifier()?.parse().ok())
    });
    if named.is_none() {
        communication.fault_of(
            "about",
            "must name a finding: by a reference that ends with its id, or by its identifier",
        );
    }
    named
}

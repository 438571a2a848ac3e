//! Resources of FHIR R4. What each of their elements may be, R4 says; here stands which there are.

use domain::{
    OrderId,
    fhir::{Format, MEDIA_TYPE, PageSize, PatientReference, Token},
};
use serde_json::{Map, Value, json};

use super::{
    operation::Operation,
    schema::{Described, described, one_of, reference},
    shared,
};

pub(super) const TAG: (&str, &str) = (
    "FHIR",
    "FHIR R4 (4.0.1) for other systems of the hospital, whose token has the role service. A failure is an OperationOutcome.",
);

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let resource = |kind: &'static str, description: &str| {
        let schema = json!({
            "type": "object",
            "required": ["resourceType"],
            "properties": {"resourceType": one_of(&[kind])},
        });
        (kind, described(schema, description))
    };
    vec![
        resource("ServiceRequest", "An order."),
        resource("ImagingStudy", "A study, its series, and at most 1,000 of its instances."),
        resource("DiagnosticReport", "A report: its impression, and the whole of it as text."),
        resource("Patient", "A patient: name, birth date and gender are looked at."),
        resource("Communication", "That a clinician acknowledges a critical finding."),
        resource("Bundle", "A page of a search; `link` leads to the next."),
        resource("CapabilityStatement", "What can be asked here."),
        resource("OperationOutcome", "What became of a request: each fault by its FHIRPath in `expression`."),
    ]
}

impl Described for PageSize {
    fn schema() -> Value {
        json!({"type": "integer", "minimum": 1, "maximum": u32::MAX})
    }

    fn example() -> Value {
        json!(10)
    }
}

/// A resource, as a reply carries it.
fn fhir(schema: &str) -> Value {
    shared::content(MEDIA_TYPE, reference(schema), None)
}

/// A resource, as a request carries it.
fn either(schema: &str, example: &Value) -> Value {
    let content = |media_type| shared::content(media_type, reference(schema), Some(example));
    let both = [content(MEDIA_TYPE), content("application/json")];
    both.into_iter()
        .filter_map(|content| content.as_object().cloned())
        .flatten()
        .collect::<Map<_, _>>()
        .into()
}

/// What the host answers for itself it answers in its own form.
fn refusal(status: u16) -> Value {
    let mut content = fhir("OperationOutcome");
    let name = match status {
        500 => "InternalError",
        503 => "Unavailable",
        504 => "DeadlineExceeded",
        _ => return shared::refusal_with(status, content),
    };
    if let (Some(content), Value::Object(own)) =
        (content.as_object_mut(), shared::json(reference(name), None))
    {
        content.extend(own);
    }
    shared::refusal_with(status, content)
}

fn operation(method: &'static str, path: &'static str, id: &'static str) -> Operation {
    Operation::new(method, path, id).refused_as(refusal)
}

fn read(path: &'static str, id: &'static str, kind: &'static str, summary: &'static str) -> Operation {
    operation("get", path, id)
        .says(summary, "As it is by now.")
        .filter::<Format>("_format", "Always the same: JSON.")
        .replies(200, fhir(kind))
}

fn search(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation("get", path, id)
        .says(summary, "Newest first; with several parameters, what fits all of them.")
        .filter::<Token>(
            "identifier",
            "A number of this service's, or another system's: system|value, or a value.",
        )
        .filter::<PatientReference>("patient", "Of this patient.")
        .filter::<PageSize>("_count", "How many a page: 10 unless told otherwise, and 100 if told more.")
        .filter::<OrderId>("cursor", "Reads on: the page's `link` has it.")
        .filter::<Format>("_format", "Always the same: JSON.")
        .replies(200, fhir("Bundle"))
}

fn conflicts(codes: &[(&str, &str)]) -> String {
    let meanings: String = codes.iter().map(|(code, meaning)| format!("\n- `{code}`: {meaning}")).collect();
    format!("Something stands in the way, by the code in `details`:\n{meanings}")
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        operation("get", "/fhir/metadata", "readCapabilities")
            .says("What can be asked here", "For anybody, without a token.")
            .for_anybody()
            .filter::<Format>("_format", "Always the same: JSON.")
            .refuses(&[400])
            .replies(200, fhir("CapabilityStatement")),
        search("/fhir/ServiceRequest", "searchServiceRequests", "Search orders"),
        operation("post", "/fhir/ServiceRequest", "placeServiceRequest")
            .says(
                "Place an order, or cancel it",
                "`active` places it, once by the first of its identifiers: sent again it is answered as it is by now, with \
                    200; and so is what has the number of an order that is here already. Needed are identifier, intent (an \
                    order), subject, requester (of a PractitionerRole its identifier counts), locationReference or a \
                    performer that is an Organization, a coding of DICOM's modality in code, orderDetail or category, \
                    bodySite, and reasonCode or note. What else code and orderDetail say is added to the instructions. \
                    `revoked` and `entered-in-error` cancel the order that is known by its number or the first \
                    identifier; once the scan has begun that takes a note. A `draft` is refused.",
            )
            .takes_any(either(
                "ServiceRequest",
                &json!({
                    "resourceType": "ServiceRequest",
                    "identifier": [{"system": "urn:ehr:orders", "value": "E-1"}],
                    "status": "active",
                    "intent": "order",
                    "priority": "urgent",
                    "code": {"coding": [{"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "CT"}]},
                    "subject": {"reference": "Patient/MRN-1"},
                    "requester": {"reference": "Practitioner/dr-1"},
                    "locationReference": [{"reference": "Location/fac-1"}],
                    "bodySite": [{"text": "CHEST"}],
                    "reasonCode": [{"text": "Persistent cough for six weeks"}],
                }),
            ))
            .once()
            .refuses(&[404])
            .reply(
                409,
                &conflicts(&[
                    ("identifier_in_use", "another order is known by one of the identifiers, or by the number"),
                    ("duplicate", "another order or study has the accession number"),
                    ("other_patient", "the order that is to be cancelled is another patient's"),
                    ("order_not_cancellable", "it is completed"),
                ]),
                Some(fhir("OperationOutcome")),
            )
            .replies(200, fhir("ServiceRequest"))
            .tells_as("ETag", "WeakETag")
            .replies(201, fhir("ServiceRequest"))
            .tells_as("ETag", "WeakETag")
            .tells("Location"),
        read("/fhir/ServiceRequest/{orderId}", "readServiceRequest", "ServiceRequest", "Read an order")
            .tells_as("ETag", "WeakETag"),
        search("/fhir/ImagingStudy", "searchImagingStudies", "Search studies"),
        read("/fhir/ImagingStudy/{studyId}", "readImagingStudy", "ImagingStudy", "Read a study"),
        search("/fhir/DiagnosticReport", "searchDiagnosticReports", "Search reports").says(
            "Search reports",
            "Newest first; with several parameters, what fits all of them. One that does not say what it said when it was \
                written is left out: an OperationOutcome stands in its place.",
        ),
        read("/fhir/DiagnosticReport/{reportId}", "readDiagnosticReport", "DiagnosticReport", "Read a report")
            .tells_as("ETag", "WeakETag"),
        operation("post", "/fhir/Patient", "describePatient")
            .says(
                "Say who a patient is",
                "Name, birth date and sex follow in the patient's studies that are neither cancelled nor have a signed \
                    report; what is not said stays as it is, and a birth date without its day is not said. The name is the official \
                    one, else the usual one, of those that hold today, and has a family or given name. The patient is \
                    named by `id`, or by an identifier of type MR, or by the only one of no type. A record that is not \
                    `active`, or that another one replaces, is refused.",
            )
            .takes_any(either(
                "Patient",
                &json!({
                    "resourceType": "Patient",
                    "id": "MRN-1",
                    "name": [{"use": "official", "family": "Doe", "given": ["Jane"]}],
                    "gender": "female",
                    "birthDate": "1970-02-03",
                }),
            ))
            .replies(200, fhir("OperationOutcome")),
        operation("post", "/fhir/Communication", "acknowledgeByCommunication")
            .says(
                "Say that a critical finding is acknowledged",
                "By the sender, a Practitioner who was told of the finding that it is about or who ordered its study: never \
                    the one who reported it. Said again it is the same acknowledgement, with 200. The subject, when it is \
                    given, is the finding's patient. The payload is the read-back, needed for a CRITICAL one.",
            )
            .takes_any(either(
                "Communication",
                &json!({
                    "resourceType": "Communication",
                    "status": "completed",
                    "about": [{"reference": "DetectedIssue/019a3b1c-7e00-7abc-8def-000000000007"}],
                    "sender": {"reference": "Practitioner/dr-1"},
                    "payload": [{"contentString": "Pneumothorax left, understood"}],
                }),
            ))
            .once()
            .refuses(&[404])
            .reply(
                409,
                &conflicts(&[("finding_already_acknowledged", "somebody else has acknowledged it")]),
                Some(fhir("OperationOutcome")),
            )
            .replies(200, fhir("OperationOutcome")),
    ]
}

//! CapabilityStatement: what can be asked here.

use serde_json::{Value, json};

use super::{MEDIA_TYPE, exchange::compact};

/// What this service does in FHIR, as a release of it says.
pub fn capabilities(version: &str, base: Option<&str>) -> Value {
    let parameter =
        |name: &str, kind: &str, about: &str| json!({"name": name, "type": kind, "documentation": about});
    let searched = |kind: &str, versioning: &str, creates: bool, about: &str| {
        let interactions = ["read", "search-type"].into_iter().chain(creates.then_some("create"));
        json!({
            "type": kind,
            "documentation": about,
            "interaction": interactions.map(|code| json!({"code": code})).collect::<Vec<_>>(),
            "versioning": versioning,
            "searchParam": [
                parameter("identifier", "token", "system|value, or a value."),
                parameter("patient", "reference", "Patient/id, or the id."),
            ],
        })
    };
    let pushed = |kind: &str, about: &str| json!({"type": kind, "documentation": about, "interaction": [{"code": "create"}]});
    let statement = json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-24",
        "kind": "instance",
        "software": {"name": "Imaging service", "version": version},
        "implementation": {
            "description": "Radiology from the order to the image and its report",
            "url": base.map(|base| format!("{base}/fhir")),
        },
        "fhirVersion": "4.0.1",
        "format": [MEDIA_TYPE, "json"],
        "rest": [{
            "mode": "server",
            "documentation": "For systems of the hospital, whose token has the role service. A failure is an \
                OperationOutcome. A search is read on by the link next.",
            "security": {"description": "Authorization: Bearer with a token of the platform."},
            "resource": [
                searched(
                    "ServiceRequest",
                    "versioned",
                    true,
                    "An order. One that is active is placed, once by the first of its identifiers: sent again it is \
                        answered as it is now, and with another content refused. One that is revoked, or entered in \
                        error, is cancelled.",
                ),
                searched("ImagingStudy", "no-version", false, "A study, with at most 1,000 of its instances."),
                searched(
                    "DiagnosticReport",
                    "versioned",
                    false,
                    "A report: preliminary, final, amended or corrected.",
                ),
                pushed("Patient", "Name, birth date and sex follow in the studies that nobody has signed a report of."),
                pushed(
                    "Communication",
                    "The sender, who was told of it or ordered the study, acknowledges the critical finding that it is \
                        about; the payload is the read-back.",
                ),
            ],
        }],
    });
    compact(statement).unwrap_or_default()
}

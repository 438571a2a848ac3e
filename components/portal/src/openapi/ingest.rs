//! `/api/uploads`, `/api/ingest` and `/api/settings/ingest`

use domain::{Count, ExternalId, ImageId, IngestSettings, IngestStatus, Resolution, StudyId, UploadId};
use serde_json::{Value, json};

use super::{
    operation::Operation,
    schema::{
        Described, Member, Number, Time, described, list, nullable, object, one_of, optional, reference,
        required, sometimes, with,
    },
};

pub(super) const TAG: (&str, &str) = (
    "Uploads",
    "For a gateway or a modality that knows no study yet: the files say themselves where they belong.",
);

/// What became of an upload.
fn ingest() -> Vec<Member> {
    vec![
        required::<UploadId>("id"),
        required::<IngestStatus>("status").like("STORED"),
        nullable::<String>("reason").like(Value::Null).says("A word for why it is where it is."),
        required::<String>("blob").like("incoming/2026010207/019a3b1c-7e00-7abc-8def-000000000004.dcm"),
        nullable::<ImageId>("imageId"),
        nullable::<StudyId>("studyId"),
        Member::new("differences", list(String::schema()))
            .like(json!([]))
            .says("The fields in which the file and what is known differ; never their values."),
        required::<Number>("attempts").says("How often it was taken up."),
        nullable::<Time>("receivedAt"),
        required::<Time>("updatedAt"),
    ]
}

/// What an organization wants done with what arrives: what is sent and, in a reply, what is in force.
fn settings() -> Vec<Member> {
    let issuers = with(list(ExternalId::schema()), "maxItems", IngestSettings::MOST.into());
    vec![
        required::<bool>("unscheduledStudies")
            .like(false)
            .says("Whether images that nobody ordered make a study; else they wait for a person."),
        Member::new("patientIdIssuers", issuers).like(json!([])).says(
            "Whose patient ids the organization's own are. A file that names another issuer waits for a person; \
             without any here, who issued an id is not asked for.",
        ),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("Ingest", object(ingest())),
        (
            "WholeIngest",
            object(
                ingest().into_iter().chain([
                    sometimes("upload", reference("Upload")).says("A fresh URL, while it may still be sent."),
                    sometimes(
                        "file",
                        object([
                            required::<String>("url").like("https://example.org/medical-images/a.dcm?sig=…"),
                            required::<Time>("expiresAt"),
                        ]),
                    )
                    .says("Of a conflict, for who may decide about it: where to look at the file."),
                ]),
            ),
        ),
        (
            "IngestResolution",
            described(
                json!({"anyOf": [
                    object([
                        Member::new("action", one_of(&[Resolution::Attach])),
                        required::<StudyId>("studyId"),
                    ]),
                    object([Member::new(
                        "action",
                        one_of(&[Resolution::Accept, Resolution::Reject, Resolution::Retry]),
                    )]),
                ]}),
                "`ATTACH` files it under the study that `studyId` names, `ACCEPT` where it was found to belong, each \
                 whatever speaks against it; `REJECT` files it nowhere and keeps the bytes; `RETRY` takes it up as if it \
                 had just arrived.",
            ),
        ),
        ("NewIngestSettings", object(settings())),
        (
            "IngestSettings",
            object(settings().into_iter().chain([
                required::<Number>("version").says("0 while the defaults are in force."),
                nullable::<ExternalId>("changedBy").like("admin-1"),
                nullable::<Time>("changedAt"),
            ])),
        ),
        ("Offer", object([required::<UploadId>("id"), Member::new("upload", reference("Upload"))])),
        (
            "UploadRequest",
            object([optional::<Count<1, 1000>>("count").says("How many; one unless told otherwise.")]),
        ),
    ]
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new("post", "/api/uploads", "offerUploads")
            .says(
                "Ask for URLs to upload to",
                "Each for one file, which is filed where its header says it belongs.",
            )
            .takes("UploadRequest", &json!({"count": 2}))
            .once()
            .answers(201, [Member::new("uploads", list(reference("Offer")))])
            .tells("Location")
            .leads_to("readIngest", "uploadId", "uploads/0/id"),
        Operation::new("get", "/api/ingest", "listIngests")
            .says("List what became of uploads", "Newest first.")
            .filter::<IngestStatus>("status", "In this status.")
            .filter::<StudyId>("studyId", "Of this study.")
            .filter::<ImageId>("imageId", "Of this image.")
            .paged()
            .answers_page("ingests", "Ingest"),
        Operation::new("get", "/api/ingest/{uploadId}", "readIngest")
            .says("Read what became of an upload", "While it may still be sent, with a fresh URL.")
            .answers(200, [Member::new("ingest", reference("WholeIngest"))]),
        Operation::new("post", "/api/ingest/{uploadId}/resolve", "resolveIngest")
            .says(
                "Decide about an upload that could not be filed",
                "What is to be filed is filed at once; where that is not possible now, soon, and as decided.",
            )
            .takes("IngestResolution", &json!({"action": "REJECT"}))
            .once()
            .answers(200, [Member::new("ingest", reference("WholeIngest"))])
            .conflicts(&[
                ("ingest_not_resolvable", "it is in no status in which that can be decided"),
                ("instance_exists", "its instance is stored in another study or series"),
            ])
            .leads_to("readIngest", "uploadId", "ingest/id"),
    ]
}

pub(super) fn operations_on_settings() -> Vec<Operation> {
    let path = "/api/settings/ingest";
    vec![
        Operation::new("get", path, "readIngestSettings")
            .says(
                "Read what is done with what arrives",
                "The defaults, as version 0, until somebody has changed them.",
            )
            .answers_one("settings", "IngestSettings"),
        Operation::new("put", path, "changeIngestSettings")
            .says(
                "Change what is done with what arrives",
                "As a whole. What waits for want of an order is tried again.",
            )
            .of_a_version()
            .takes("NewIngestSettings", &json!(IngestSettings::default()))
            .answers_one("settings", "IngestSettings"),
    ]
}

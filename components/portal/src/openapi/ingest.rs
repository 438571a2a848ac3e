//! `/api/uploads` and `/api/ingest`

use domain::{Count, ImageId, IngestStatus, StudyId, UploadId};
use serde_json::{Value, json};

use super::{
    operation::Operation,
    schema::{
        Described, Member, Number, Time, list, nullable, object, optional, reference, required, sometimes,
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

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("Ingest", object(ingest())),
        (
            "WholeIngest",
            object(ingest().into_iter().chain([
                sometimes("upload", reference("Upload")).says("A fresh URL, while it may still be sent."),
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
    ]
}

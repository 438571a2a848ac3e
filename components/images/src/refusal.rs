//! What the refusals of the image functions mean to a caller.

use service::Error;

pub(crate) fn explain(error: Error) -> Error {
    let Error::Refused(refusal) = error else { return error };
    match refusal.code.as_str() {
        "study_cancelled" => Error::illegal_transition(
            "study_cancelled".to_owned(),
            "The study is cancelled, and takes no images.".to_owned(),
            refusal.text("current"),
            Vec::new(),
        ),
        "not_stored" => Error::conflict("image_not_stored", "The image's bytes have not arrived yet."),
        "report_exists" => Error::conflict(
            "study_has_report",
            "The study has a report: a radiologist may delete its images.",
        ),
        _ => Error::Refused(refusal),
    }
}

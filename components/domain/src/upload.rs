//! Uploads: one blob each, and what became of it.

use jiff::{Timestamp, tz::TimeZone};

use crate::{UploadId, enumeration::enumeration};

enumeration! {
    IngestStatus {
        /// A URL was given out; nothing has arrived.
        Expected = "EXPECTED",
        /// The bytes are there, and have not been filed yet.
        Received = "RECEIVED",
        Stored = "STORED",
        Duplicate = "DUPLICATE",
        /// A person has to decide whose it is.
        Conflict = "CONFLICT",
        /// Not something that can be filed; the bytes are kept.
        Quarantined = "QUARANTINED",
        Expired = "EXPIRED",
    }
}

/// How long a client may still send what it announced.
pub const EXPECTED_FOR: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// The blob of an upload: `incoming/<yyyymmddhh>/<id>.dcm`, the hour being that of the id itself, so that a
/// sweep can list the blobs of an hour.
pub fn blob_name(upload: UploadId) -> String {
    let seconds = upload.uuid().get_timestamp().map_or(0, |timestamp| timestamp.to_unix().0);
    let moment = i64::try_from(seconds)
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .unwrap_or_default();
    format!("{}{upload}.dcm", hour_prefix(moment))
}

/// What the names of the blobs of an hour begin with.
pub fn hour_prefix(moment: Timestamp) -> String {
    let hour = moment.to_zoned(TimeZone::UTC);
    format!("incoming/{:04}{:02}{:02}{:02}/", hour.year(), hour.month(), hour.day(), hour.hour())
}

/// The upload that a blob belongs to, if its name is one that this service gave out.
pub fn upload_of(blob: &str) -> Option<UploadId> {
    let id: UploadId = blob.rsplit('/').next()?.strip_suffix(".dcm")?.parse().ok()?;
    (blob_name(id) == blob).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_name_leads_back_to_its_upload_and_no_other_name_does() {
        let id: UploadId = "019a3b1c-7e00-7abc-8def-0123456789ab".parse().unwrap();
        let name = blob_name(id);
        assert_eq!(name, "incoming/2025103116/019a3b1c-7e00-7abc-8def-0123456789ab.dcm");
        assert_eq!(upload_of(&name), Some(id));
        assert_eq!(upload_of("incoming/2025103117/019a3b1c-7e00-7abc-8def-0123456789ab.dcm"), None);
        assert_eq!(upload_of("elsewhere/x.dcm"), None);
    }
}

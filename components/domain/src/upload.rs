//! Uploads: one blob each, what became of it, and what a person may decide about it.

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{ExternalId, Fault, UploadId, enumeration::enumeration, fields::Fields};

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

enumeration! {
    /// What a person decides about an upload that could not be filed by itself.
    Resolution {
        /// Under the study that the person names, whatever speaks against it.
        Attach = "ATTACH",
        /// Where it was found to belong, whatever speaks against it; in the place of what is stored, when that is what
        /// speaks against it.
        Accept = "ACCEPT",
        /// Nowhere; the bytes are kept.
        Reject = "REJECT",
        /// What speaks against it may have been mended: as if it had just arrived.
        Retry = "RETRY",
    }
}

impl Resolution {
    /// The statuses of uploads that it may be said of.
    pub const fn of(self) -> &'static [IngestStatus] {
        use IngestStatus::{Conflict, Expired, Quarantined};
        match self {
            Self::Attach | Self::Accept => &[Conflict],
            Self::Reject => &[Conflict, Quarantined],
            Self::Retry => &[Conflict, Quarantined, Expired],
        }
    }

    /// What may be decided about an upload of a status.
    pub fn possible(status: IngestStatus) -> Vec<Self> {
        Self::ALL.iter().copied().filter(|resolution| resolution.of().contains(&status)).collect()
    }
}

/// What an organization wants done with what arrives. Serialises as what [`read`](Self::read) takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IngestSettings {
    /// Images that nobody ordered make a study; else they wait for a person.
    pub unscheduled_studies: bool,
    /// Whose patient ids the organization's own are (Issuer of Patient ID, 0010,0021). A file that names another
    /// issuer waits for a person. When there are none, whoever issued an id is not asked for.
    pub patient_id_issuers: Vec<ExternalId>,
}

impl IngestSettings {
    /// The most issuers.
    pub const MOST: usize = 50;

    /// Reads a whole document; or every fault, with the path of its field.
    pub fn read(document: &Map<String, Value>) -> Result<Self, Vec<(String, Fault)>> {
        let mut fields = Fields::of(document);
        let unscheduled_studies = fields.required("unscheduledStudies");
        let patient_id_issuers =
            fields.each("patientIdIssuers", Self::MOST, |fields, name| fields.required(name));
        let read = unscheduled_studies.zip(patient_id_issuers);
        fields.finish(read.map(|(unscheduled_studies, patient_id_issuers)| Self {
            unscheduled_studies,
            patient_id_issuers,
        }))
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
fn hour_prefix(moment: Timestamp) -> String {
    let hour = moment.to_zoned(TimeZone::UTC);
    format!("incoming/{:04}{:02}{:02}{:02}/", hour.year(), hour.month(), hour.day(), hour.hour())
}

/// What the names of the blobs begin with that were offered about when this one was: a UUIDv7 begins with the time, whose
/// first eight digits change every 65 seconds.
pub fn offered_together(blob: &str) -> &str {
    let id = blob.rfind('/').map_or(0, |slash| slash + 1);
    blob.get(..id + 8).unwrap_or(blob)
}

/// The upload that a blob belongs to, if its name is one that this service gave out.
pub fn upload_of(blob: &str) -> Option<UploadId> {
    let id: UploadId = blob.rsplit('/').next()?.strip_suffix(".dcm")?.parse().ok()?;
    (blob_name(id) == blob).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_may_be_decided_about_an_upload_is_a_table() {
        let line = |status: &IngestStatus| {
            let possible: Vec<&str> =
                Resolution::possible(*status).into_iter().map(Resolution::as_str).collect();
            let possible = if possible.is_empty() { "nothing".to_owned() } else { possible.join(" ") };
            format!("{status}: {possible}\n")
        };
        insta::assert_snapshot!(IngestStatus::ALL.iter().map(line).collect::<String>(), @r"
        EXPECTED: nothing
        RECEIVED: nothing
        STORED: nothing
        DUPLICATE: nothing
        CONFLICT: ATTACH ACCEPT REJECT RETRY
        QUARANTINED: REJECT RETRY
        EXPIRED: RETRY
        ");
    }

    #[test]
    fn settings_are_read_as_they_are_written_and_every_fault_is_named() {
        let document = json!({"unscheduledStudies": true, "patientIdIssuers": ["HOSPITAL"]});
        let read = |document: &Value| IngestSettings::read(document.as_object().unwrap());
        assert_eq!(json!(read(&document).unwrap()), document);
        let faults = read(&json!({"unscheduledStudies": "yes", "patientIdIssuers": [7, ""], "else": 1}));
        let faults: Vec<String> =
            faults.unwrap_err().into_iter().map(|(field, fault)| format!("{field} {fault}")).collect();
        insta::assert_snapshot!(faults.join("\n"), @r"
        unscheduledStudies must be true or false
        patientIdIssuers[0] must be a string
        patientIdIssuers[1] must not be empty
        else is not a field that can be set here
        ");
        assert_eq!(read(&json!({})).unwrap_err().len(), 2);
    }

    #[test]
    fn a_blob_name_leads_back_to_its_upload_and_no_other_name_does() {
        let id: UploadId = "019a3b1c-7e00-7abc-8def-0123456789ab".parse().unwrap();
        let name = blob_name(id);
        assert_eq!(name, "incoming/2025103116/019a3b1c-7e00-7abc-8def-0123456789ab.dcm");
        assert_eq!(upload_of(&name), Some(id));
        assert_eq!(upload_of("incoming/2025103117/019a3b1c-7e00-7abc-8def-0123456789ab.dcm"), None);
        assert_eq!(upload_of("elsewhere/x.dcm"), None);
        assert_eq!(offered_together(&name), "incoming/2025103116/019a3b1c");
        assert_eq!(offered_together("x"), "x");
    }
}

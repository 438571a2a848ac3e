//! From a header to what `ingest.file` is asked.

use domain::{
    BirthDate, ImageId, Modality, OrderStatus, StudyId, StudyStatus, UploadId,
    dicom::{Date, Header, PatientFacts},
};
use serde_json::{Map, Value, json};
use service::{Error, Result, seal::Seal};

use crate::header::Read;

/// What the image resource has a member of its own for; everything else of the image facts is an attribute.
const COLUMNS: [&str; 6] = [
    "seriesInstanceUID",
    "sopInstanceUID",
    "sopClassUID",
    "transferSyntaxUID",
    "seriesNumber",
    "instanceNumber",
];

/// What `ingest.file` is asked about an upload whose header was read. It may answer that it has to know more first:
/// what is sealed is sealed for one row, and which row that is only it knows.
pub(crate) struct Filing<'a> {
    header: &'a Header,
    seal: &'a Seal,
    ask: Map<String, Value>,
}

impl<'a> Filing<'a> {
    pub(crate) fn new(
        upload: UploadId,
        image: ImageId,
        read: &Read,
        header: &'a Header,
        seal: &'a Seal,
    ) -> Result<Self> {
        let facts = &header.facts;
        let mut ask = object(&facts.image)?;
        let attributes: Map<String, Value> = ask
            .iter()
            .filter(|(name, value)| !COLUMNS.contains(&name.as_str()) && !value.is_null())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        ask.retain(|name, _| COLUMNS.contains(&name.as_str()));

        let new_study = StudyId::mint();
        let patient = sealed_of(&facts.patient);
        let known: Vec<&str> = patient
            .iter()
            .filter(|(_, value)| value.as_ref().is_some_and(|value| !value.is_null()))
            .map(|(name, _)| *name)
            .collect();
        let digests = digests(&facts.patient, seal)?;
        let mut study = object(&facts.study)?;
        study.extend(digests.clone());
        study.extend([
            ("id".to_owned(), json!(new_study)),
            ("studyDate".to_owned(), json!(facts.study.study_date.as_ref().map(midnight))),
            ("sealed".to_owned(), seal.fields("studies", new_study, patient.clone())?),
        ]);
        ask.extend(digests);
        ask.extend([
            ("id".to_owned(), json!(upload)),
            ("size".to_owned(), json!(read.size)),
            ("contentMD5".to_owned(), json!(read.content_md5)),
            ("studyInstanceUID".to_owned(), json!(facts.study.study_instance_uid)),
            ("accessionNumber".to_owned(), json!(facts.study.accession_number)),
            ("patientId".to_owned(), json!(facts.patient.patient_id)),
            ("issuerOfPatientId".to_owned(), json!(facts.patient.issuer_of_patient_id)),
            ("attributes".to_owned(), Value::Object(attributes)),
            ("study".to_owned(), Value::Object(study)),
            ("known".to_owned(), json!(known)),
            ("joined".to_owned(), joined(facts.study.modality)),
            ("compared".to_owned(), Value::Null),
            ("openOrders".to_owned(), json!(OrderStatus::OPEN)),
            ("registered".to_owned(), OrderStatus::follow(StudyStatus::Scheduled)),
            ("beforeImages".to_owned(), json!(StudyStatus::BEFORE_IMAGES)),
            ("reported".to_owned(), json!(StudyStatus::REPORTED)),
            ("follow".to_owned(), OrderStatus::follow(StudyStatus::InProgress)),
        ]);
        let mut filing = Self { header, seal, ask };
        filing.is_image(image)?;
        Ok(filing)
    }

    pub(crate) fn ask(&self) -> Value {
        Value::Object(self.ask.clone())
    }

    /// The row that the image has, or will have.
    pub(crate) fn is_image(&mut self, image: ImageId) -> Result<()> {
        let metadata = serde_json::to_value(&self.header.metadata).map_err(unwritable)?;
        let sealed = self.seal.fields("images", image, [("dicom", Some(metadata))])?;
        self.ask.insert("imageId".to_owned(), json!(image));
        self.ask.insert("imageSealed".to_owned(), sealed);
        Ok(())
    }

    /// The study lacks something of the patient that the file knows.
    pub(crate) fn fills(&mut self, study: StudyId) -> Result<()> {
        let sealed = self.seal.fields("studies", study, sealed_of(&self.header.facts.patient))?;
        self.ask.insert("fill".to_owned(), json!({"study": study, "sealed": sealed}));
        Ok(())
    }

    /// Whether it is the same, byte for byte, as what is stored of this instance.
    pub(crate) fn was_compared(&mut self, blob: &str, same: bool) {
        self.ask.insert("compared".to_owned(), json!({"blob": blob, "same": same}));
    }

    /// What the file states that somebody may have to act on.
    pub(crate) fn states(&mut self, findings: Value) {
        self.ask.insert("findings".to_owned(), findings);
    }

    /// What there is to say of an upload although it is filed.
    pub(crate) fn remarks(&mut self, remark: &str) {
        self.ask.insert("remark".to_owned(), json!(remark));
    }
}

/// What studies become that take an image of this modality: only those that become something else.
fn joined(image: Modality) -> Value {
    Modality::ALL
        .into_iter()
        .map(|study| (study, study.joined_by(image)))
        .filter(|(study, joined)| study != joined)
        .map(|(study, joined)| (study.code().to_owned(), json!(joined)))
        .collect::<Map<_, _>>()
        .into()
}

fn sealed_of(patient: &PatientFacts) -> [(&'static str, Option<Value>); 3] {
    [
        ("patientName", Some(json!(patient.patient_name))),
        ("patientDOB", Some(json!(patient.patient_birth_date.as_ref().and_then(birth_date)))),
        ("patientSex", Some(json!(patient.patient_sex))),
    ]
}

fn digests(patient: &PatientFacts, seal: &Seal) -> Result<Map<String, Value>> {
    let mut digests = Map::new();
    if let Some(name) = &patient.patient_name {
        digests.insert("patientNameDigests".to_owned(), json!(seal.digests("name", name.normalised())?));
    }
    if let Some(date) = patient.patient_birth_date.as_ref().and_then(birth_date) {
        digests.insert("patientBirthDateDigests".to_owned(), json!(seal.digests("birth date", date)?));
    }
    Ok(digests)
}

fn birth_date(date: &Date) -> Option<BirthDate> {
    // Not by its text: what reads any text as a date, and says what is wrong with it, is fifty kilobytes of code.
    let (year, month, day) = (date.year().try_into(), date.month().try_into(), date.day().try_into());
    jiff::civil::Date::new(year.ok()?, month.ok()?, day.ok()?).ok().map(BirthDate::from)
}

fn midnight(date: &Date) -> String {
    format!("{date}T00:00:00Z")
}

fn object(facts: &impl serde::Serialize) -> Result<Map<String, Value>> {
    match serde_json::to_value(facts).map_err(unwritable)? {
        Value::Object(members) => Ok(members),
        _ => Err(Error::Internal("facts are an object".to_owned())),
    }
}

fn unwritable(error: serde_json::Error) -> Error {
    Error::Internal(format!("facts cannot be written: {:?}", error.classify()))
}

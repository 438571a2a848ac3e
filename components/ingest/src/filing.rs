//! From a header to what `ingest.file` is asked.

use domain::{
    BirthDate, ImageId, OrderStatus, StudyId, StudyStatus, UploadId,
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

/// Everything that `ingest.file` has to know of an upload whose header was read.
pub(crate) fn ask(
    upload: UploadId,
    image: ImageId,
    read: &Read,
    header: &Header,
    seal: &Seal,
) -> Result<Value> {
    let facts = &header.facts;
    let mut ask = object(&facts.image)?;
    let attributes: Map<String, Value> = ask
        .iter()
        .filter(|(name, value)| !COLUMNS.contains(&name.as_str()) && !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    ask.retain(|name, _| COLUMNS.contains(&name.as_str()));

    let metadata = serde_json::to_value(&header.metadata).map_err(unwritable)?;
    let new_study = StudyId::mint();
    let digests = digests(&facts.patient, seal)?;
    let mut study = object(&facts.study)?;
    study.extend(digests.clone());
    study.extend([
        ("id".to_owned(), json!(new_study)),
        ("studyDate".to_owned(), json!(facts.study.study_date.as_ref().map(midnight))),
        ("sealed".to_owned(), seal.fields("studies", new_study, sealed_of(&facts.patient))?),
    ]);
    ask.extend(digests);
    ask.extend([
        ("id".to_owned(), json!(upload)),
        ("size".to_owned(), json!(read.size)),
        ("contentMD5".to_owned(), json!(read.content_md5)),
        ("studyInstanceUID".to_owned(), json!(facts.study.study_instance_uid)),
        ("accessionNumber".to_owned(), json!(facts.study.accession_number)),
        ("patientId".to_owned(), json!(facts.patient.patient_id)),
        ("imageId".to_owned(), json!(image)),
        ("imageSealed".to_owned(), seal.fields("images", image, [("dicom", Some(metadata))])?),
        ("attributes".to_owned(), Value::Object(attributes)),
        ("study".to_owned(), Value::Object(study)),
        ("openOrders".to_owned(), json!(OrderStatus::OPEN)),
        ("registered".to_owned(), OrderStatus::follow(StudyStatus::Scheduled)),
        ("beforeImages".to_owned(), json!(StudyStatus::BEFORE_IMAGES)),
        ("reported".to_owned(), json!(StudyStatus::REPORTED)),
        ("follow".to_owned(), OrderStatus::follow(StudyStatus::InProgress)),
    ]);
    Ok(Value::Object(ask))
}

/// What `studies.fill` is asked when the study lacks something of the patient that the file knows; else nothing.
pub(crate) fn fill(
    study: StudyId,
    missing: &[&str],
    patient: &PatientFacts,
    seal: &Seal,
) -> Result<Option<Value>> {
    let known = sealed_of(patient).map(|(name, value)| (name, value.filter(|_| missing.contains(&name))));
    if known.iter().all(|(_, value)| value.as_ref().is_none_or(Value::is_null)) {
        return Ok(None);
    }
    let mut ask = digests(patient, seal)?;
    ask.insert("id".to_owned(), json!(study));
    ask.insert("sealed".to_owned(), seal.fields("studies", study, known)?);
    Ok(Some(Value::Object(ask)))
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
    date.to_string().parse::<jiff::civil::Date>().ok().map(BirthDate::from)
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

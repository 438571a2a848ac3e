//! ImagingStudy: a study, its series and instances.

use serde_json::{Value, json};

use super::{
    Exchange, Update,
    exchange::{DCM, DICOM_UID, System, codings_of, day_or_moment, text, words_of},
};
use crate::{Modality, StudyStatus};

/// Storage classes of positron emission images (PS3.4 B.5): what tells the series of a PET_CT apart.
const PET_CLASSES: [&str; 3] =
    ["1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.128.1", "1.2.840.10008.5.1.4.1.1.130"];

impl Exchange<'_> {
    /// A study, as `studies.exchanged` documents it.
    pub fn imaging_study(self, study: &Value) -> Value {
        let count = |name| study.get(name).and_then(Value::as_u64).filter(|count| *count <= 2_147_483_647);
        let instances = count("numberOfInstances").unwrap_or_default();
        let status = match text(study, "status").and_then(|status| status.parse().ok()) {
            Some(StudyStatus::Cancelled) => "cancelled",
            Some(StudyStatus::Completed | StudyStatus::Preliminary | StudyStatus::Final) => "available",
            Some(_) if instances > 0 => "available",
            Some(_) => "registered",
            None => "unknown",
        };
        let series = study.get("series").and_then(Value::as_array).into_iter().flatten();
        let series: Vec<Value> = series.map(|series| series_of(study, series)).collect();
        self.resource(
            "ImagingStudy",
            study,
            json!({
                "identifier": self.identifiers_of_study(study),
                "status": status,
                "modality": codings_of(text(study, "modality")),
                "subject": self.theirs("Patient", System::Patient, text(study, "patientId")),
                "started": day_or_moment(study, "studyDate"),
                "basedOn": self.references_to_order(study.get("order")),
                "numberOfSeries": count("numberOfSeries"),
                "numberOfInstances": instances,
                "location": self.theirs("Location", System::Location, text(study, "facilityId")),
                "description": words_of(study, "studyDescription"),
                "series": series,
            }),
        )
    }

    /// How a study is sent.
    pub fn update_of_study(self, study: &Value) -> Option<Update> {
        Self::update(self.imaging_study(study))
    }

    fn identifiers_of_study(self, study: &Value) -> Vec<Value> {
        let uid = text(study, "studyInstanceUID")
            .map(|uid| json!({"system": DICOM_UID, "value": format!("urn:oid:{uid}")}));
        let accession =
            text(study, "accessionNumber").map(|number| self.identifier(System::AccessionNumber, number));
        uid.into_iter().chain(accession).collect()
    }

    /// A reference to a study, by its UID.
    pub(super) fn reference_to_study(self, study: Option<&Value>) -> Value {
        let Some(study) = study.filter(|study| study.is_object()) else { return Value::Null };
        let known = self.identifiers_of_study(study).into_iter().next().unwrap_or_default();
        self.ours("ImagingStudy", text(study, "id"), known)
    }
}

fn series_of(study: &Value, series: &Value) -> Value {
    let instances = series.get("instances").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let of_study = text(study, "modality").and_then(|modality| modality.parse::<Modality>().ok());
    let is_pet = instances
        .iter()
        .filter_map(|instance| text(instance, "sopClassUID"))
        .any(|class| PET_CLASSES.contains(&class));
    let modality = match of_study {
        Some(Modality::PetCt) if is_pet => "PT",
        Some(Modality::PetCt) => "CT",
        Some(modality) => modality.code(),
        None => "OT",
    };
    let instance = |instance: &Value| {
        // Of one whose file did not say what it is nothing can be said (R4: sopClass 1..1).
        let class = text(instance, "sopClassUID")?;
        Some(json!({
            "uid": text(instance, "uid"),
            "sopClass": {"system": "urn:ietf:rfc:3986", "code": format!("urn:oid:{class}")},
            "number": unsigned(instance, "number"),
        }))
    };
    json!({
        "uid": text(series, "uid"),
        "number": unsigned(series, "number"),
        "modality": {"system": DCM, "code": modality},
        "description": words_of(series, "description"),
        "numberOfInstances": unsigned(series, "numberOfInstances"),
        "instance": instances.iter().filter_map(instance).collect::<Vec<_>>(),
    })
}

/// A number as FHIR takes it: DICOM has negative ones as well.
fn unsigned(document: &Value, name: &str) -> Option<u64> {
    document.get(name).and_then(Value::as_u64)
}

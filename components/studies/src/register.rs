use domain::{
    BirthDate, ExternalId, Line, Modality, Moment, OrderId, OrderStatus, Priority, Right, Sex, StudyId,
    StudyStatus,
    dicom::{AccessionNumber, PersonName, Uid},
};
use serde_json::{Value, json};
use service::{Context, Reply, Result, optional};

use crate::refusal;

/// Registers a study of an open order. Its accession number and UID are taken when they are given, and issued when not.
pub(crate) async fn register(cx: &Context) -> Result<Reply> {
    let caller = cx.require(Right::RegisterStudy).await?;

    let mut body = cx.body().await?;
    let order_id = body.required::<OrderId>("orderId");
    let accession_number = body.optional::<AccessionNumber>("accessionNumber");
    let given_uid = body.optional::<Uid>("studyInstanceUID");
    let study_date = body.required::<Moment>("studyDate");
    let study_time = body.optional::<Line>("studyTime");
    let study_description = body.optional::<Line>("studyDescription");
    let modality = body.required::<Modality>("modality");
    let body_part = body.required::<Line>("bodyPart");
    let patient_id = body.required::<ExternalId>("patientId");
    // The health record is asked for it, where there is one.
    let patient_name = match optional("ehr_service_url").await? {
        Some(_) => body.optional::<PersonName>("patientName"),
        None => body.required::<PersonName>("patientName"),
    };
    let is_named = patient_name.is_some();
    let patient_birth_date = body.optional::<BirthDate>("patientDOB");
    let patient_sex = body.optional::<Sex>("patientSex");
    let performing_physician = body.optional::<Line>("performingPhysician");
    let operator_name = body.optional::<Line>("operatorName");
    let institution_name = body.optional::<Line>("institutionName");
    let station_name = body.optional::<Line>("stationName");
    let priority = body.optional::<Priority>("priority");
    body.habit("status", "SCHEDULED");
    body.finish()?;

    let id = StudyId::mint();
    let sealed = caller.seal.fields(
        "studies",
        id,
        [
            ("patientName", Some(json!(patient_name))),
            ("patientDOB", Some(json!(patient_birth_date))),
            ("patientSex", Some(json!(patient_sex))),
        ],
    )?;
    let study = caller
        .once(
            "studies.register",
            json!({
                "id": id,
                "orderId": order_id,
                "accessionNumber": accession_number,
                "studyInstanceUID": given_uid.clone().unwrap_or_else(|| Uid::issue(id.uuid())),
                "studyInstanceUIDIssued": given_uid.is_none(),
                "studyDate": study_date,
                "studyTime": study_time,
                "studyDescription": study_description,
                "modality": modality,
                "bodyPart": body_part,
                "patientId": patient_id,
                "patientNameDigests":
                    patient_name.map(|name| caller.seal.digests("name", name.normalised())).transpose()?,
                "patientBirthDateDigests":
                    patient_birth_date.map(|date| caller.seal.digests("birth date", date)).transpose()?,
                "performingPhysician": performing_physician,
                "operatorName": operator_name,
                "institutionName": institution_name,
                "stationName": station_name,
                "priority": priority,
                "sealed": sealed,
                "open": OrderStatus::OPEN,
                "follow": OrderStatus::follow(StudyStatus::Scheduled),
            }),
        )
        .await
        .map_err(refusal::explain(None))?;
    if !is_named {
        service::wake(cx).await;
    }
    let location = format!("/api/studies/{}", study.get("id").and_then(Value::as_str).unwrap_or_default());
    Ok(Reply::created("study", study, &location))
}

use domain::{Right, StudyStatus, fhir::Demographics};
use serde_json::{Value, json};
use service::{Authorized, Context, Error, Reply, Result};

use crate::form;

/// How often more studies are looked for while others are being registered.
const ROUNDS: usize = 100;

/// What is said of a patient follows in the patient's studies that are open. It is sealed for each of them, so that they
/// are asked for first, and again until there is no more.
pub(crate) async fn describe(cx: &Context) -> Result<Reply> {
    let caller = cx.require(Right::Exchange).await?;
    let resource = form::sent(cx).await?;
    let patient = Demographics::read(&resource, &service::today()).map_err(form::invalid)?;
    cx.concerns(Some(patient.patient_id.clone()), None);

    let mut ask = json!({
        "patientId": patient.patient_id,
        "open": StudyStatus::UNSIGNED,
        "patientNameDigests":
            patient.name.as_ref().map(|name| caller.seal.digests("name", name.normalised())).transpose()?,
        "patientBirthDateDigests":
            patient.birth_date.map(|date| caller.seal.digests("birth date", date)).transpose()?,
    });
    let (mut studies, mut described, mut changed) = (json!([]), Vec::<Value>::new(), 0);
    for _ in 0..ROUNDS {
        if let Value::Object(ask) = &mut ask {
            ask.insert("studies".to_owned(), studies);
            ask.insert("described".to_owned(), json!(described));
        }
        let answer = caller.call("fhir.describe_patient", ask.clone()).await?;
        changed += answer.get("changed").and_then(Value::as_u64).unwrap_or_default();
        let left = answer.get("left").and_then(Value::as_array).cloned().unwrap_or_default();
        if left.is_empty() {
            let message = format!("The patient is described so in {changed} open studies.");
            return Ok(form::done("patient_described", &message));
        }
        studies = left.iter().map(|study| sealed_for(&caller, study, &patient)).collect::<Result<_>>()?;
        described.extend(left);
    }
    Err(Error::Unavailable {
        what: "The patient",
        cause: "studies are registered faster than described".to_owned(),
    })
}

fn sealed_for(caller: &Authorized<'_>, study: &Value, patient: &Demographics) -> Result<Value> {
    let sealed = caller.seal.fields("studies", study.as_str().unwrap_or_default(), patient.fields())?;
    Ok(json!({"id": study, "sealed": sealed}))
}

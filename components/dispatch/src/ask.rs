//! What the health record is asked, and what its answers do here. A question is a delivery like any other, but that its answer
//! counts: asked again until there is one, and given up where a person has to see to it.

use domain::{
    StudyStatus,
    fhir::{Demographics, Exchange, Question, members},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use service::{Context, Result, seal::Seal};

use crate::receiver::{Answer, Request};

/// What is asked when: who cares for the patient of a finding, and who a patient is whose study has no name yet.
const QUESTIONS: &[(&str, Question)] =
    &[("finding.raised", Question::CareTeam), ("study.unnamed", Question::Patient)];

/// The events on which something is asked.
pub(crate) fn topics() -> impl Iterator<Item = &'static str> {
    QUESTIONS.iter().map(|(topic, _)| *topic)
}

/// A question, as it lies in a delivery.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Asked {
    question: Question,
    patient_id: String,
}

/// What is to be asked when this event comes, which knows whom it is about.
pub(crate) fn question(organization: &str, event: &Value) -> Option<Request> {
    let topic = event.get("topic").and_then(Value::as_str)?;
    let (_, question) = QUESTIONS.iter().find(|(known, _)| *known == topic)?;
    let patient_id = event.pointer("/asked/patientId").and_then(Value::as_str)?.to_owned();
    let place = Exchange::elsewhere(organization).place_of(*question, &patient_id);
    Some(Request::asks(format!("/{place}"), Asked { question: *question, patient_id }))
}

/// Does what an answer says. One that is not understood is as good as none: it is asked for again.
pub(crate) async fn settle(
    cx: &Context,
    organization: &str,
    resource: &str,
    asked: &Asked,
    answer: Answer,
) -> Result<Answer> {
    match asked.question {
        // Whoever keeps no care teams does not know the path.
        Question::CareTeam if answer.status == Some(404) => Ok(Answer { status: Some(200), ..answer }),
        _ if !answer.is_success() => Ok(answer),
        Question::CareTeam => {
            let Ok(members) = members(&answer.said, &service::today()) else {
                return Ok(Answer::none("not_understood"));
            };
            let ask = json!({"finding": resource, "members": members});
            let told = cx.call_as("dispatch", organization, "dispatch.tell_care_team", ask).await?;
            let tells_more = told.pointer("/told/0").is_some();
            Ok(Answer { tells_more, ..answer })
        }
        Question::Patient => match Demographics::answered(&answer.said, &asked.patient_id, &service::today())
        {
            Ok(patient) if patient.name.is_some() => {
                describe(cx, organization, resource, asked, &patient).await?;
                Ok(answer)
            }
            Ok(_) => Ok(Answer::none("no_name")),
            Err(_) => Ok(Answer::none("not_understood")),
        },
    }
}

async fn describe(
    cx: &Context,
    organization: &str,
    study: &str,
    asked: &Asked,
    patient: &Demographics,
) -> Result<()> {
    let seal = Seal::of(organization).await?;
    let sealed = seal.fields("studies", study, patient.fields())?;
    let ask = json!({
        "study": study,
        "patientId": asked.patient_id,
        "open": StudyStatus::UNSIGNED,
        "patientNameDigests":
            patient.name.as_ref().map(|name| seal.digests("name", name.normalised())).transpose()?,
        "patientBirthDateDigests":
            patient.birth_date.map(|date| seal.digests("birth date", date)).transpose()?,
        "sealed": sealed,
    });
    cx.call_as("dispatch", organization, "dispatch.describe_patient", ask).await.map(drop)
}

use domain::{Line, OrderStatus, Prose, ReportStatus, Right, StudyId, StudyStatus, sources};
use serde_json::{Map, Value, json};
use service::{Authorized, Context, Reply, Result};

use crate::refusal;

/// Changes who performed a study, where and what it shows, or takes a step of its state machine.
pub(crate) async fn change(cx: &Context, study: StudyId) -> Result<Reply> {
    let caller = cx.require(Right::MoveStudy).await?;

    let mut body = cx.body().await?;
    let texts = ["performingPhysician", "operatorName", "stationName", "studyDescription"]
        .map(|name| (name.to_owned(), body.optional::<Line>(name)));
    let steps = body.holds("status");
    let status = body.optional::<StudyStatus>("status");
    let reason = body.optional::<Prose>("reason");
    if reason.is_some() && !steps {
        body.fault("reason", "belongs to a step: send status with it");
    }
    if status.is_none() && texts.iter().all(|(_, text)| text.is_none()) && body.is_sound() {
        body.fault("body", "must change something: a text or the status");
    }
    body.finish()?;

    let fields = texts.into_iter().map(|(name, text)| (name, json!(text))).collect();
    apply(cx, &caller, study, fields, status, reason).await
}

/// Takes a step of a study's state machine.
pub(crate) async fn change_status(cx: &Context, study: StudyId) -> Result<Reply> {
    let caller = cx.require(Right::MoveStudy).await?;

    let mut body = cx.body().await?;
    let status = body.required::<StudyStatus>("status");
    let reason = body.optional::<Prose>("reason");
    body.finish()?;

    apply(cx, &caller, study, Map::new(), status, reason).await
}

/// Registering a study schedules its order; putting a study back does not, since the order may be on hold by now.
fn follow(status: StudyStatus) -> Value {
    if status == StudyStatus::Scheduled { Value::Null } else { OrderStatus::follow(status) }
}

async fn apply(
    cx: &Context,
    caller: &Authorized<'_>,
    study: StudyId,
    mut ask: Map<String, Value>,
    status: Option<StudyStatus>,
    reason: Option<Prose>,
) -> Result<Reply> {
    let reason = reason.map(|reason| json!(reason));
    ask.extend([
        ("id".to_owned(), json!(study)),
        ("ifVersion".to_owned(), json!(cx.if_version()?)),
        ("reach".to_owned(), caller.reach_of(Right::ReadStudies)),
        ("within".to_owned(), json!([caller.reach])),
        ("sealed".to_owned(), caller.seal.fields("studies", study, [("statusReason", reason)])?),
    ]);
    if let Some(status) = status {
        ask.extend([
            ("status".to_owned(), json!(status)),
            ("from".to_owned(), sources(StudyStatus::ALL, StudyStatus::step, status)),
            ("reopenedFrom".to_owned(), json!([StudyStatus::Completed])),
            ("signed".to_owned(), json!(ReportStatus::SIGNED)),
            ("follow".to_owned(), follow(status)),
        ]);
    }
    let changed =
        caller.call("studies.change", Value::Object(ask)).await.map_err(refusal::explain(status))?;
    Ok(Reply::resource("study", changed))
}

use domain::{FOLLOW_UP_DONE, FindingId, FindingStatus, Line, Prose, Right, sources};
use serde_json::{Value, json};
use service::{Context, Reply, Result};

use crate::refusal;

/// Notes what is done about a finding. A follow-up that is done closes a finding that was acknowledged.
pub(crate) async fn change(cx: &Context, finding: FindingId) -> Result<Reply> {
    let caller = cx.require(Right::AcknowledgeFinding).await?;

    let mut body = cx.body().await?;
    let follow_up_status = body.clearable::<Line>("followUpStatus");
    let follow_up_action = body.clearable::<Prose>("followUpAction");
    let notes = body.clearable::<Prose>("notes");
    let changes_nothing = follow_up_status.is_none() && follow_up_action.is_none() && notes.is_none();
    if changes_nothing && body.is_sound() {
        body.fault("body", "must change something: followUpStatus, followUpAction or notes");
    }
    body.finish()?;

    let texts = [("followUpAction", follow_up_action), ("notes", notes)];
    let mut sealed = caller.seal.fields(
        "findings",
        finding,
        texts.clone().map(|(name, text)| (name, text.map(|text| json!(text)))),
    )?;
    if let Value::Object(sealed) = &mut sealed {
        let cleared = texts.iter().filter(|(_, text)| *text == Some(None));
        sealed.extend(cleared.map(|(name, _)| ((*name).to_owned(), Value::Null)));
    }
    let mut ask = json!({
        "id": finding,
        "ifVersion": cx.if_version()?,
        "reach": caller.reach_of(Right::ReadFindings),
        "within": [caller.reach],
        "changeable": FindingStatus::CHANGEABLE,
        "closedFrom": sources(FindingStatus::ALL, FindingStatus::step, FindingStatus::Closed),
        "followUpDone": FOLLOW_UP_DONE,
        "sealed": sealed,
    });
    if let (Some(follow_up_status), Value::Object(ask)) = (follow_up_status, &mut ask) {
        ask.insert("followUpStatus".to_owned(), json!(follow_up_status));
    }
    let changed = caller.call("findings.change", ask).await.map_err(refusal::explain)?;
    Ok(Reply::resource("finding", changed))
}

//! Putting new content in the place of what a report said.

use domain::{ReportId, Right, Standing, StudyId};
use serde_json::{Map, Value, json};
use service::{Authorized, Context, Error, Result};

use crate::{
    content::{self, Changes},
    refusal,
};

/// How often a change is made again that somebody else's came in between of.
const TRIES: u32 = 5;

/// What a report is to be and to say from now on, and the SQL function that makes it so.
pub(crate) struct Revision {
    pub(crate) function: &'static str,
    pub(crate) standing: Standing,
    pub(crate) changes: Changes,
    /// What is changed and is not content.
    pub(crate) beside: Map<String, Value>,
}

/// Makes a new version of a report.
///
/// Its texts are sealed, so it is read, the hash of all of them taken here, and what is changed put in place under the
/// version that was read.
pub(crate) async fn revise(
    cx: &Context,
    caller: &Authorized<'_>,
    report: ReportId,
    revision: Revision,
) -> Result<Value> {
    let Revision { function, standing, mut changes, beside } = revision;
    if let Some(reason) = standing.reason() {
        changes.insert("amendmentReason".to_owned(), json!(reason));
    }
    let meant = cx.if_version()?;
    let row = Map::from_iter([
        ("id".to_owned(), json!(report)),
        ("reach".to_owned(), caller.reach_of(Right::ReadReports)),
        ("within".to_owned(), json!([caller.reach])),
    ]);
    let mut ask = standing.step();
    ask.extend(row.clone());
    ask.extend(beside);
    ask.extend(content::in_clear(&changes));
    ask.insert("sealed".to_owned(), Value::Object(content::seal(&caller.seal, report, &changes)?));

    for _ in 0..TRIES {
        let read = caller.call("reports.content", Value::Object(row.clone())).await?;
        let content = content::unaltered(&caller.seal, &read)?.with(|field| changes.get(field));
        let hash = content::hash(&caller.seal, report, study_of(&read)?, &content)?;
        let version = read.get("version").and_then(Value::as_i64).unwrap_or_default();
        // None at all, when the change is meant for another version: it is the function that refuses, for it knows
        // whether the same change was made already under the same key.
        let versions: Vec<i64> = meant.iter().flatten().copied().filter(|meant| *meant == version).collect();
        let versions = if meant.is_some() { versions } else { vec![version] };
        ask.insert("ifVersion".to_owned(), json!(versions));
        ask.insert("contentHash".to_owned(), json!(hash));
        match caller.once(function, Value::Object(ask.clone())).await {
            Err(Error::Stale { .. }) if meant.is_none() => {}
            revised => return revised.map_err(refusal::explain(refusal::Act::Bring(standing.status()))),
        }
    }
    Err(Error::conflict("report_busy", "Others are changing this report. Try again."))
}

fn study_of(report: &Value) -> Result<StudyId> {
    let study = report.get("studyId").and_then(Value::as_str).and_then(|study| study.parse().ok());
    study.ok_or_else(|| Error::Internal("a report without a study".to_owned()))
}

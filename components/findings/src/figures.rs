use domain::{Moment, RangeEnd, Right, Severity};
use serde_json::json;
use service::{Context, Reply, Result};

/// How many findings were acknowledged in time, and how long that took, by severity: of those that were reported in a
/// period, which is the last thirty days unless it is given.
pub(crate) async fn figures(cx: &Context) -> Result<Reply> {
    let caller = cx.require(Right::ReadFigures).await?;

    let mut query = cx.query();
    let from = query.optional::<Moment>("from");
    let to = query.optional::<RangeEnd>("to");
    query.finish()?;

    let ask = json!({"reach": caller.reach, "from": from, "to": to, "severities": Severity::ALL});
    Ok(Reply::ok("metrics", caller.call("findings.figures", ask).await?))
}

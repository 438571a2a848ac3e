use domain::Right;
use serde_json::json;
use service::{Context, Page, Reply, Result};

/// A page of the findings that nobody has acknowledged and the caller may read, the most urgent deadline first.
pub(crate) async fn pending(cx: &Context) -> Result<Reply> {
    let caller = cx.require(Right::ReadFindings).await?;

    let mut query = cx.query();
    let page = Page::from_query(&mut query);
    query.finish()?;

    let findings = caller.call("findings.pending", page.ask(json!({"reach": caller.reach}))).await?;
    page.reply(cx, "findings", findings)
}

use domain::{Line, ResourceId, Right, StateFilter};
use serde_json::json;
use service::{Context, Page, Reply, Result};

/// A page of what other systems are told, newest first: to whom and how it stands, and nothing of what it says.
pub(crate) async fn list(cx: &Context) -> Result<Reply> {
    let caller = cx.require(Right::Administer).await?;

    let mut query = cx.query();
    let filters = json!({
        "state": query.optional::<StateFilter>("state"),
        "topic": query.optional::<Line>("topic"),
        "resourceId": query.optional::<ResourceId>("resourceId"),
    });
    let page = Page::from_query(&mut query);
    query.finish()?;

    let deliveries = caller.call("dispatch.list", page.ask(filters)).await?;
    page.reply(cx, "deliveries", deliveries)
}

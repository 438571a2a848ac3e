use domain::{ImageId, IngestStatus, Right, StudyId};
use serde_json::json;
use service::{Context, Page, Reply, Result};

/// A page of uploads and what became of them, newest first.
pub(crate) async fn list(cx: &Context) -> Result<Reply> {
    let caller = cx.require(Right::Upload).await?;

    let mut query = cx.query();
    let filters = json!({
        "status": query.optional::<IngestStatus>("status"),
        "studyId": query.optional::<StudyId>("studyId"),
        "imageId": query.optional::<ImageId>("imageId"),
    });
    let page = Page::from_query(&mut query);
    query.finish()?;

    let ingests = caller.call("ingest.list", page.ask(filters)).await?;
    page.reply(cx, "ingests", ingests)
}

use domain::{ExternalId, Modality, Moment, OrderId, RangeEnd, Right, StudyStatus};
use serde_json::json;
use service::{Context, Page, Reply, Result};

/// A page of the studies that the caller may read, newest first.
pub(crate) async fn list(cx: &Context) -> Result<Reply> {
    let caller = cx.require(Right::ReadStudies).await?;

    let mut query = cx.query();
    let filters = json!({
        "reach": caller.reach,
        "reports": caller.reach_of(Right::ReadReports),
        "patientId": query.optional::<ExternalId>("patientId"),
        "orderId": query.optional::<OrderId>("orderId"),
        "modality": query.optional::<Modality>("modality"),
        "status": query.optional::<StudyStatus>("status"),
        "startDate": query.optional::<Moment>("startDate"),
        "endDate": query.optional::<RangeEnd>("endDate"),
    });
    let page = Page::from_query(&mut query);
    query.finish()?;

    let studies = caller.call("studies.list", page.ask(filters)).await?;
    page.reply(cx, "studies", studies)
}

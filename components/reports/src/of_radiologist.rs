use domain::{ExternalId, Right};
use serde_json::json;
use service::{Context, Error, FieldFault, Page, Reply, Result};

/// A page of the reports of one radiologist that the caller may read, newest first.
pub(crate) async fn of_radiologist(cx: &Context, radiologist: &str) -> Result<Reply> {
    let caller = cx.require(Right::ReadReports).await?;

    let mut query = cx.query();
    let page = Page::from_query(&mut query);
    query.finish()?;
    let radiologist = ExternalId::try_from(radiologist)
        .map_err(|fault| Error::Malformed(vec![FieldFault::new("radiologistId", fault)]))?;

    let ask = page.ask(json!({"radiologistId": radiologist, "reach": caller.reach}));
    page.reply(cx, "reports", caller.call("reports.list_of_radiologist", ask).await?)
}

use domain::{Right, StudyId, dicom::AccessionNumber};
use serde_json::{Value, json};
use service::{Context, Error, FieldFault, Reply, Result};

/// One study with its order, images, reports and critical findings, as far as the caller may read them.
pub(crate) async fn read(cx: &Context, study: StudyId) -> Result<Reply> {
    read_one(cx, "id", json!(study)).await
}

/// The study with an accession number.
pub(crate) async fn read_by_accession(cx: &Context, number: &str) -> Result<Reply> {
    let number = number.parse::<AccessionNumber>().map_err(|_| {
        Error::Malformed(vec![FieldFault::new("accessionNumber", "is not an accession number")])
    })?;
    read_one(cx, "accessionNumber", json!(number)).await
}

async fn read_one(cx: &Context, key: &str, value: Value) -> Result<Reply> {
    let caller = cx.require(Right::ReadStudies).await?;
    cx.query().finish()?;
    let ask = json!({
        key: value,
        "reach": caller.reach,
        "orders": caller.reach_of(Right::ReadOrders),
        "images": caller.reach_of(Right::ReadImages),
        "reports": caller.reach_of(Right::ReadReports),
        "findings": caller.reach_of(Right::ReadFindings),
    });
    Ok(Reply::resource("study", caller.call("studies.read", ask).await?))
}

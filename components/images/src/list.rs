use domain::{Count, Right, StudyId, dicom::Uid};
use serde_json::{Value, json};
use service::{Context, Error, FieldFault, Reply, Result};

/// The images of a study, by series number, then instance number.
pub(crate) async fn of_study(cx: &Context, study: StudyId) -> Result<Reply> {
    list(cx, study, None).await
}

/// The images of one series of a study, by instance number.
pub(crate) async fn of_series(cx: &Context, study: StudyId, series: &str) -> Result<Reply> {
    let series = Uid::read(series)
        .map_err(|_| Error::Malformed(vec![FieldFault::new("seriesUID", "is not a DICOM UID")]))?;
    list(cx, study, Some(series)).await
}

async fn list(cx: &Context, study: StudyId, series: Option<Uid>) -> Result<Reply> {
    let caller = cx.require(Right::ReadImages).await?;

    let mut query = cx.query();
    let page = query.optional::<Count<1, 1_000_000>>("page").map_or(1, Count::get);
    let limit = query.optional::<Count<1, 1000>>("limit").map_or(1000, Count::get);
    query.finish()?;

    let ask = json!({
        "studyId": study,
        "seriesInstanceUID": series,
        "reach": caller.reach,
        "limit": limit,
        "offset": u64::from(page - 1) * u64::from(limit),
    });
    let listed = caller.call("images.list", ask).await?;
    let total = listed.get("total").and_then(Value::as_u64).unwrap_or_default();
    Ok(Reply::success(
        200,
        &json!({
            "images": listed.get("images"),
            "pagination": {
                "page": page,
                "limit": limit,
                "total": total,
                "totalPages": total.div_ceil(u64::from(limit)),
            },
        }),
    ))
}

use domain::fhir::{MEDIA_TYPE, capabilities as statement};
use service::{Context, Reply, Result};

use crate::form;

/// What can be asked here, for anybody.
pub(crate) fn capabilities(cx: &Context) -> Result<Reply> {
    form::finish(cx.query())?;
    let statement = statement(env!("CARGO_PKG_VERSION"), cx.origin().as_deref());
    Ok(Reply::content(200, MEDIA_TYPE, statement.to_string()))
}

use domain::{
    OrderId, Right,
    fhir::{
        Exchange, Found, Issue, IssueType, MEDIA_TYPE, PageSize, PatientReference, Token, outcome, searchset,
    },
};
use serde_json::{Value, json};
use service::{Authorized, Context, Error, Reply, Result};

use crate::form;

/// Orders by what they are called or whose they are, newest first.
pub(crate) async fn orders(cx: &Context) -> Result<Reply> {
    let (caller, search) = Search::read(cx).await?;
    let found = caller.call("fhir.list_orders", search.ask).await?;
    let exchange = Exchange::here(caller.caller.organization.as_str());
    page(cx, search.count, found, |order| Ok(Found::Resource(exchange.service_request(order))))
}

/// Studies by what they are called or whose they are, newest first.
pub(crate) async fn studies(cx: &Context) -> Result<Reply> {
    let (caller, search) = Search::read(cx).await?;
    let found = caller.call("fhir.list_studies", search.ask).await?;
    let exchange = Exchange::here(caller.caller.organization.as_str());
    page(cx, search.count, found, |study| Ok(Found::Resource(exchange.imaging_study(study))))
}

/// Reports by what they are called or whose they are, newest first. One that was altered hides no other.
pub(crate) async fn reports(cx: &Context) -> Result<Reply> {
    let (caller, search) = Search::read(cx).await?;
    let found = caller.call("fhir.list_reports", search.ask).await?;
    let exchange = Exchange::here(caller.caller.organization.as_str());
    page(cx, search.count, found, |report| {
        if form::is_unaltered(&caller.seal, report)? {
            return Ok(Found::Resource(exchange.diagnostic_report(report)));
        }
        let id = report.get("id").and_then(Value::as_str).unwrap_or_default();
        // This line is the alarm.
        tracing::error!(report = id, "a report does not say what its hash was taken of, and is not shown");
        Ok(Found::Outcome(altered(id)))
    })
}

fn altered(id: &str) -> Value {
    outcome(&[Issue {
        kind: IssueType::Suppressed,
        code: "report_altered",
        message: "A report that was found does not say what it said when it was written, and is left out.",
        diagnostics: format!("DiagnosticReport/{id}"),
        element: None,
    }])
}

/// What a search asks for, and how many of it at most.
struct Search {
    ask: Value,
    count: usize,
}

impl Search {
    async fn read(cx: &Context) -> Result<(Authorized<'_>, Self)> {
        let caller = cx.require(Right::Exchange).await?;
        let mut query = cx.query();
        let token = query.optional::<Token>("identifier");
        let patient = query.optional::<PatientReference>("patient").map(|PatientReference(id)| id);
        let count = query.optional::<PageSize>("_count").map_or(10, PageSize::get);
        // Any id will do as the place after which a page begins: all are made alike.
        let cursor = query.optional::<OrderId>("cursor");
        form::finish(query)?;
        cx.concerns(patient.clone(), None);
        let exchange = Exchange::here(caller.caller.organization.as_str());
        let ask = json!({
            "reach": caller.reach,
            "called": token.map(|token| exchange.called(&token)),
            "patientId": patient,
            "cursor": cursor,
            // One more than is shown says whether there is a next page.
            "limit": count + 1,
        });
        Ok((caller, Self { ask, count }))
    }
}

fn page(cx: &Context, count: usize, found: Value, show: impl Fn(&Value) -> Result<Found>) -> Result<Reply> {
    let Value::Array(mut documents) = found else {
        return Err(Error::Internal("a search that answers no list".to_owned()));
    };
    let more = documents.len() > count;
    documents.truncate(count);
    let last = documents.last().and_then(|last| last.get("id")).and_then(Value::as_str);
    let next = last.filter(|_| more).map(|id| cx.path_with_cursor(id));
    let found = documents.iter().map(show).collect::<Result<Vec<_>>>()?;
    let base = cx.origin().unwrap_or_default();
    let bundle = searchset(&base, &cx.path_and_query(), next.as_deref(), found);
    Ok(Reply::content(200, MEDIA_TYPE, bundle.to_string()))
}

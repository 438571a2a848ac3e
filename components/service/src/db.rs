//! The one way to the database: one call of one SQL function, documents in, a document out.

use serde_json::Value;
use spin_sdk::pg::{Connection, DbValue, ParameterValue, PgError, QueryError};

use crate::{Error, Refusal, Result, setting};

/// Calls `function(cx, ask)` and answers what it has done, or what its refusal means.
pub(crate) async fn call(function: &str, cx: Value, ask: Value) -> Result<Value> {
    let connection =
        Connection::open(setting("database_url").await?).await.map_err(|error| fault(function, error))?;
    let parameters =
        vec![ParameterValue::Jsonb(cx.to_string().into()), ParameterValue::Jsonb(ask.to_string().into())];
    let mut answer = connection
        .query(format!("select {function}($1::jsonb, $2::jsonb)"), parameters)
        .await
        .map_err(|error| fault(function, error))?;
    let row = answer.rows().next().await;
    // No row does not mean success: only this says how the call ended.
    answer.result().await.map_err(|error| fault(function, error))?;
    let Some(DbValue::Jsonb(document)) = row.and_then(|row| row.into_iter().next()) else {
        return Err(Error::Internal(format!("{function} answered no document")));
    };
    let document =
        serde_json::from_slice(&document).map_err(|error| Error::Internal(format!("{function}: {error}")))?;
    outcome(function, document)
}

fn outcome(function: &str, document: Value) -> Result<Value> {
    let Value::Object(mut document) = document else {
        return Err(Error::Internal(format!("{function} answered no object")));
    };
    if let Some(done) = document.remove("done") {
        return Ok(done);
    }
    match document.remove("refused") {
        Some(Value::String(code)) => Err(Refusal { code, detail: document }.into()),
        _ => Err(Error::Internal(format!("{function} neither acted nor refused"))),
    }
}

/// What a failure means to the caller. Of the database's own words only the code is kept: the rest may hold a row.
fn fault(function: &str, error: spin_sdk::pg::Error) -> Error {
    let spin_sdk::pg::Error::PgError(error) = error else {
        return Error::Internal(format!("{function}: its answer cannot be read"));
    };
    match error {
        PgError::QueryFailed(QueryError::DbError(error)) if is_passing(&error.code) => {
            Error::Unavailable { what: "The database", cause: format!("{function}: SQLSTATE {}", error.code) }
        }
        PgError::QueryFailed(QueryError::DbError(error)) => {
            Error::Internal(format!("{function}: SQLSTATE {}", error.code))
        }
        PgError::ConnectionFailed(_) | PgError::QueryFailed(QueryError::Text(_)) | PgError::Other(_) => {
            Error::Unavailable { what: "The database", cause: format!("{function}: no connection") }
        }
        PgError::BadParameter(_) | PgError::ValueConversionFailed(_) => {
            Error::Internal(format!("{function}: a value cannot be carried"))
        }
    }
}

/// SQLSTATEs that say nothing about the request: connection (08), resources (53), shutdown and start (57P),
/// deadlock and serialization (40), a server that only reads for now (25006), and a wait that was too long (55P03, 57014).
fn is_passing(code: &str) -> bool {
    ["08", "53", "57P", "40"].iter().any(|class| code.starts_with(class))
        || ["25006", "55P03", "57014"].contains(&code)
}

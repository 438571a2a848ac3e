use jiff::Timestamp;
use serde_json::{Value, json};
use service::{Context, Error, Reply, Result, auth, blob::Storage, seal, setting};

/// The host serves.
pub(crate) fn live() -> Reply {
    Reply::success(200, &json!({"live": true}))
}

/// Whether everything that the service needs is within reach: 503 when something is not.
pub(crate) async fn health(cx: &Context) -> Result<Reply> {
    let (database, storage, settings) = futures::join!(database(cx), storage(), settings());
    let healthy = [&database, &storage, &settings].iter().all(|check| check.is_ok());
    Ok(Reply::json(
        if healthy { 200 } else { 503 },
        &json!({
            "status": if healthy { "healthy" } else { "unhealthy" },
            "service": "imaging-service",
            "version": env!("CARGO_PKG_VERSION"),
            "timestamp": format!("{:.3}", Timestamp::now()),
            "checks": {
                "database": outcome(&database),
                "storage": outcome(&storage),
                "settings": outcome(&settings),
            },
        }),
    ))
}

async fn database(cx: &Context) -> Result<()> {
    cx.call_as("health", "*", "portal.check", json!({})).await.map(drop)
}

async fn storage() -> Result<()> {
    // A listing of nothing asks for the right that the sweep needs, and moves no bytes.
    Storage::from_settings().await?.list("health/", None).await.map(drop)
}

async fn settings() -> Result<()> {
    auth::check_settings().await?;
    setting("event_key").await?;
    seal::check_keys().await
}

/// What is wrong, where it can be mended: it names a setting or what is out of reach, never a value.
fn outcome(check: &Result<()>) -> Value {
    match check {
        Ok(()) => json!({"status": "up"}),
        Err(Error::Unavailable { cause, .. }) => json!({"status": "down", "cause": cause}),
        Err(_) => json!({"status": "down"}),
    }
}

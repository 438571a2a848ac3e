//! What the service is compared with: `GET /api/imaging-orders/:id` as a native program would do it, with axum and
//! tokio-postgres. It checks the token, asks the same SQL function by a prepared statement over as many connections,
//! opens what is sealed, answers the same JSON with its length and its ETag, and logs a line. It has nothing else.

use std::{process::Stdio, sync::Arc, time::Instant};

use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use anyhow::{Context, Result, anyhow};
use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, Response, StatusCode},
    routing::get,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use domain::{Caller, ExternalId, OrderId, Right};
use hkdf::Hkdf;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::Sha256;
use tests::Hospital;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::load::Program;

/// As many as the host has.
const CONNECTIONS: usize = 16;

/// The settings that it shares with the service.
const SETTINGS: [&str; 5] = ["database_url", "jwt_secret", "jwt_issuer", "jwt_audience", "phi_keys"];

/// The program, running. It ends with this handle.
pub(crate) struct Baseline {
    pub(crate) program: Program,
    _child: Child,
}

impl Baseline {
    /// Starts it on the database of a hospital.
    pub(crate) async fn start(hospital: &Hospital) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("baseline").stdout(Stdio::piped()).kill_on_drop(true);
        // Its log goes to a file, as the host's does.
        command.stderr(std::fs::File::create(hospital.host.log().with_file_name("baseline.log"))?);
        for name in SETTINGS {
            let value = match name {
                "jwt_issuer" => local::token::ISSUER.to_owned(),
                "jwt_audience" => local::token::AUDIENCE.to_owned(),
                name => hospital.setting(name),
            };
            command.env(name, value);
        }
        let mut child = command.spawn().context("the native program could not be started")?;
        let process = child.id().context("it has ended")?;
        let output = child.stdout.take().context("it has no output")?;
        let address =
            BufReader::new(output).lines().next_line().await?.context("it did not say where it listens")?;
        Ok(Self { program: Program { address, process }, _child: child })
    }
}

struct Service {
    database: Pool,
    key: DecodingKey,
    validation: Validation,
    master_keys: Vec<(String, Vec<u8>)>,
}

/// Serves until it is killed; says on its standard output where.
pub(crate) async fn serve() -> Result<()> {
    let setting = |name: &str| std::env::var(name).with_context(|| format!("{name} is not set"));
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&[setting("jwt_issuer")?]);
    validation.set_audience(&[setting("jwt_audience")?]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    let manager = Manager::from_config(
        setting("database_url")?.parse()?,
        tokio_postgres::NoTls,
        ManagerConfig { recycling_method: RecyclingMethod::Fast },
    );
    let service = Service {
        database: Pool::builder(manager).max_size(CONNECTIONS).build()?,
        key: DecodingKey::from_secret(setting("jwt_secret")?.as_bytes()),
        validation,
        master_keys: setting("phi_keys")?
            .split(',')
            .map(|entry| {
                let (id, key) = entry.split_once(':').context("phi_keys")?;
                Ok((id.to_owned(), STANDARD.decode(key)?))
            })
            .collect::<Result<_>>()?,
    };
    let router = Router::new().route("/api/imaging-orders/{id}", get(read)).with_state(Arc::new(service));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(axum::serve::ListenerExt::tap_io(listener, |stream| _ = stream.set_nodelay(true)), router)
        .await?;
    Ok(())
}

async fn read(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response<Body> {
    let began = Instant::now();
    let request_id = uuid::Uuid::now_v7().to_string();
    let (status, etag, body) = match answer(&service, &id, &headers, &request_id).await {
        Ok((version, order)) => {
            (StatusCode::OK, format!("\"{version}\""), json!({"status": "success", "data": {"order": order}}))
        }
        Err(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, String::new(), json!({"message": error.to_string()}))
        }
    };
    eprintln!(
        "{}",
        json!({"level": "INFO", "method": "GET", "status": status.as_u16(), "request_id": request_id,
            "duration_ms": began.elapsed().as_secs_f64() * 1e3})
    );
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let told = [("content-type", "application/json"), ("etag", &etag), ("x-request-id", &request_id)];
    for (name, value) in told {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Claims {
    id: String,
    role: String,
    organization_id: String,
    facility_ids: Vec<String>,
}

async fn answer(service: &Service, id: &str, headers: &HeaderMap, request_id: &str) -> Result<(i64, Value)> {
    let token = headers.get("authorization").context("no token")?.to_str()?.trim_start_matches("Bearer ");
    let claims = jsonwebtoken::decode::<Claims>(token, &service.key, &service.validation)?.claims;
    let text = |text: &str| ExternalId::try_from(text).map_err(|fault| anyhow!("{fault}"));
    let caller = Caller {
        organization: text(&claims.organization_id)?,
        id: text(&claims.id)?,
        role: claims.role.parse().map_err(|_| anyhow!("no such role"))?,
        facilities: claims.facility_ids.iter().map(|facility| text(facility)).collect::<Result<_>>()?,
        patient: None,
        emergency: false,
    };
    let order: OrderId = id.parse().map_err(|fault: domain::Fault| anyhow!("{fault}"))?;
    let context = json!({
        "organization": caller.organization,
        "actor": caller.id,
        "role": caller.role.as_str(),
        "requestId": request_id,
        "trace": null,
        "source": "127.0.0.1",
    });
    let ask = json!({
        "id": order,
        "reach": caller.reach(Right::ReadOrders),
        "studies": caller.reach(Right::ReadStudies),
        "reports": caller.reach(Right::ReadReports),
        "findings": caller.reach(Right::ReadFindings),
    });

    let connection = service.database.get().await?;
    let statement = connection.prepare_cached("select orders.read($1::jsonb, $2::jsonb)").await?;
    let mut answered: Value = connection.query_one(&statement, &[&context, &ask]).await?.try_get(0)?;
    drop(connection);
    let mut order = answered.get_mut("done").context("refused")?.take();
    open(&mut order, &service.master_keys, caller.organization.as_str())?;
    Ok((order["version"].as_i64().context("an order has a version")?, order))
}

/// Opens what is sealed, in its place, as `service::seal` does; the keys are derived for each request, too.
fn open(document: &mut Value, master_keys: &[(String, Vec<u8>)], organization: &str) -> Result<()> {
    let mut ciphers = Vec::new();
    for (id, master) in master_keys {
        let derived = Hkdf::<Sha256>::new(None, master);
        let mut key = [0_u8; 32];
        derived
            .expand_multi_info(&[b"imaging/", b"seal", b"/", organization.as_bytes()], &mut key)
            .map_err(|_| anyhow!("no key"))?;
        ciphers.push((id.as_str(), Aes256Gcm::new(&key.into())));
    }
    let mut rest = vec![document];
    while let Some(value) = rest.pop() {
        match value {
            Value::Object(members) => {
                open_row(members, &ciphers)?;
                rest.extend(members.values_mut());
            }
            Value::Array(values) => rest.extend(values.iter_mut()),
            _ => {}
        }
    }
    Ok(())
}

fn open_row(row: &mut Map<String, Value>, ciphers: &[(&str, Aes256Gcm)]) -> Result<()> {
    let Some(Value::Object(sealed)) = row.remove("sealed") else { return Ok(()) };
    let id = row["id"].as_str().unwrap_or_default().to_owned();
    for (table, fields) in &sealed {
        for (field, sealed) in fields.as_object().into_iter().flatten() {
            let (key, bytes) = sealed.as_str().and_then(|text| text.split_once('.')).context("damaged")?;
            let (_, cipher) = ciphers.iter().find(|(id, _)| *id == key).context("another key")?;
            let bytes = STANDARD.decode(bytes)?;
            let (nonce, message) = bytes.split_at_checked(12).context("damaged")?;
            let associated = format!("{table}/{field}/{id}");
            let payload = Payload { msg: message, aad: associated.as_bytes() };
            let text = cipher
                .decrypt(&Nonce::try_from(nonce).map_err(|_| anyhow!("damaged"))?, payload)
                .map_err(|_| anyhow!("it does not open"))?;
            row.insert(field.clone(), serde_json::from_slice(&text)?);
        }
    }
    Ok(())
}

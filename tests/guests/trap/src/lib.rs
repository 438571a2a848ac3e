//! A component that does what none of the service's may: it ends in the middle of its work, never ends, takes all the
//! memory there is, or reaches where it must not. The tests run it on the real host, to see that nobody else comes to harm.

use spin_sdk::http::{self, IntoResponse, Request, StatusCode};
use spin_sdk::http_service;
use spin_sdk::pg::{Connection, DbValue};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    let act = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    let said = request.uri().query().unwrap_or_default().to_owned();
    match answer(&act, &said).await {
        Ok(text) => (StatusCode::OK, text),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()),
    }
}

async fn answer(act: &str, said: &str) -> Result<String> {
    match act {
        "begin-and-trap" => begin_and_trap().await,
        "write" => {
            Ok(open().await?.execute("insert into public.work values ('whole')", []).await?.to_string())
        }
        "count" => number("select count(*) from public.work").await,
        "sleep" => number("select count(*) from pg_sleep(1)").await,
        "compute" => Ok(compute().to_string()),
        "hoard" => Ok(hoard().to_string()),
        // The query is the address.
        "call" => Ok(http::get(said).await?.status().as_u16().to_string()),
        "connect" => Ok(Connection::open(said).await.map(|_| "connected".to_owned())?),
        _ => Ok("well".to_owned()),
    }
}

async fn open() -> Result<Connection> {
    Ok(Connection::open(spin_sdk::variables::get("database_url").await?).await?)
}

async fn number(query: &str) -> Result<String> {
    let mut answer = open().await?.query(query, []).await?;
    let row = answer.rows().next().await;
    answer.result().await?;
    match row.and_then(|row| row.into_iter().next()) {
        Some(DbValue::Int64(number)) => Ok(number.to_string()),
        _ => Err("no number".into()),
    }
}

#[expect(clippy::panic, reason = "this is what the component is for")]
async fn begin_and_trap() -> Result<String> {
    let connection = open().await?;
    connection.execute("begin", []).await?;
    connection.execute("insert into public.work values ('half')", []).await?;
    panic!("in the middle of the work");
}

fn compute() -> u64 {
    let mut number = 0_u64;
    loop {
        number = std::hint::black_box(number.wrapping_add(1));
    }
}

fn hoard() -> usize {
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        hoard.push(std::hint::black_box(vec![1; 1 << 20]));
    }
}

//! What storage holds, asked past the service.

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use local::storage::Account;
use sha2::Sha256;

const VERSION: &str = "2021-12-02";

/// The whole of a blob, read with the account's key ("Shared Key"); nothing when there is no such blob.
pub async fn blob(connection_string: &str, container: &str, name: &str) -> Result<Option<Vec<u8>>> {
    let account = Account::parse(connection_string)?;
    let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let authorization = authorization(&account, &format!("{container}/{name}"), &date)?;
    let reply = reqwest::Client::builder()
        .no_proxy()
        .build()?
        .get(format!("{}/{container}/{name}", account.endpoint))
        .header("x-ms-date", date)
        .header("x-ms-version", VERSION)
        .header("authorization", authorization)
        .send()
        .await?;
    if reply.status() == 404 {
        return Ok(None);
    }
    ensure!(reply.status() == 200, "storage answers {}", reply.status());
    Ok(Some(reply.bytes().await?.to_vec()))
}

/// The verb, eleven standard headers that are all absent, then ours.
fn authorization(account: &Account, blob: &str, date: &str) -> Result<String> {
    let path = account.endpoint.splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap_or_default();
    let absent = "\n".repeat(11);
    let text =
        format!("GET\n{absent}x-ms-date:{date}\nx-ms-version:{VERSION}\n/{}{path}/{blob}", account.name);
    let key = STANDARD.decode(&account.key).context("the storage account's key is not base64")?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key)?;
    mac.update(text.as_bytes());
    Ok(format!("SharedKey {}:{}", account.name, STANDARD.encode(mac.finalize().into_bytes())))
}

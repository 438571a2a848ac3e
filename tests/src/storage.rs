//! What storage holds, asked and changed past the service.

use anyhow::{Result, ensure};
use local::storage::Account;
use reqwest::Method;

/// The whole of a blob, read with the account's key; nothing when there is no such blob.
pub async fn blob(connection_string: &str, container: &str, name: &str) -> Result<Option<Vec<u8>>> {
    Account::parse(connection_string)?.container(container)?.read(name).await
}

/// Puts a blob in two pieces with the account's key.
pub async fn put_in_blocks(connection_string: &str, container: &str, name: &str, bytes: &[u8]) -> Result<()> {
    let container = Account::parse(connection_string)?.container(container)?;
    let (first, second) = bytes.split_at(bytes.len() / 2);
    // Their names are base64 of equal length.
    for (block, part) in [("MDAx", first), ("MDAy", second)] {
        let query = [("comp", "block"), ("blockid", block)];
        let answer = container.send(Method::PUT, Some(name), &query, &[], part.to_vec()).await?;
        ensure!(answer.status == 201, "a block is answered {}", answer.status);
    }
    let list = "<BlockList><Latest>MDAx</Latest><Latest>MDAy</Latest></BlockList>";
    let answer = container.send(Method::PUT, Some(name), &[("comp", "blocklist")], &[], list.into()).await?;
    ensure!(answer.status == 201, "the list of blocks is answered {}", answer.status);
    Ok(())
}

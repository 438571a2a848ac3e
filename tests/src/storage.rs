//! What storage holds, asked past the service.

use anyhow::Result;
use local::storage::Account;

/// The whole of a blob, read with the account's key; nothing when there is no such blob.
pub async fn blob(connection_string: &str, container: &str, name: &str) -> Result<Option<Vec<u8>>> {
    Account::parse(connection_string)?.container(container)?.read(name).await
}

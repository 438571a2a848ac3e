//! Whether two blobs hold the same bytes. Asked only of two of the same instance and the same length, where storage does
//! not know the hash of both.

use futures::future;
use service::{Error, Result, blob::Storage};

/// How much of each is held at a time, in bytes.
const CHUNK: u64 = 2 << 20;

/// What is longer is not compared, and counts as different: a person decides. Storage knows the hash of whatever came by one
/// of our URLs in one piece, so nothing of that length comes by an honest way.
const LIMIT: u64 = 256 << 20;

pub(crate) async fn is_same(storage: &Storage, arrived: &str, stored: &str, length: u64) -> Result<bool> {
    if length > LIMIT {
        return Ok(false);
    }
    let mut from = 0;
    while from < length {
        let to = from.saturating_add(CHUNK).min(length) - 1;
        let (arrived, stored) =
            future::join(storage.read(arrived, from, to, None), storage.read(stored, from, to, None)).await;
        let Some(arrived) = arrived? else {
            return Err(Error::Unavailable {
                what: "Storage",
                cause: "a blob went away while it was read".to_owned(),
            });
        };
        match stored {
            Ok(Some(stored)) if stored.bytes == arrived.bytes => {}
            // Different; or what is stored is gone or archived, and a person has to know.
            Ok(_) | Err(Error::Conflict { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
        from = to + 1;
    }
    Ok(true)
}

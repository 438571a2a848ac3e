//! Secrets that nobody chose.

use anyhow::{Result, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// `N` random bytes.
fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("the system gives no random bytes: {error}"))?;
    Ok(bytes)
}

/// A word of 48 hexadecimal digits, which needs no escaping anywhere.
pub(crate) fn word() -> Result<String> {
    Ok(hex(&bytes::<24>()?))
}

/// A short word for names.
pub(crate) fn name() -> Result<String> {
    Ok(hex(&bytes::<6>()?))
}

/// A key of `N` bytes in base64.
pub(crate) fn key<const N: usize>() -> Result<String> {
    Ok(STANDARD.encode(bytes::<N>()?))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! Settings: the variables that `spin.toml` grants the component.

use crate::{Error, Result};

/// A setting of this component; a missing one is said to be missing, to the log and by /health, never to a caller.
pub async fn setting(name: &'static str) -> Result<String> {
    match spin_sdk::variables::get(name).await {
        Ok(value) if !value.is_empty() => Ok(value),
        Ok(_) => Err(missing(name)),
        Err(error) => Err(unreadable(name, &error)),
    }
}

/// A setting that may be left out, by whoever sets it or by the component's part of `spin.toml`.
pub async fn optional(name: &'static str) -> Result<Option<String>> {
    match spin_sdk::variables::get(name).await {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(spin_sdk::variables::Error::Undefined(_)) => Ok(None),
        Err(error) => Err(unreadable(name, &error)),
    }
}

fn missing(name: &str) -> Error {
    malformed(name, &format!("is empty: set SPIN_VARIABLE_{}", name.to_uppercase()))
}

fn unreadable(name: &str, error: &spin_sdk::variables::Error) -> Error {
    Error::Unavailable { what: "The service", cause: format!("setting {name}: {error:?}") }
}

/// A setting that is there, but cannot be understood.
pub(crate) fn malformed(name: &str, why: &str) -> Error {
    Error::Unavailable { what: "The service", cause: format!("setting {name} {why}") }
}

/// What is made of settings once, and kept for as long as the instance lives: keys, never anything of a caller.
pub struct Setting<T>(std::sync::OnceLock<T>);

impl<T> Setting<T> {
    pub const fn new() -> Self {
        Self(std::sync::OnceLock::new())
    }

    /// The value, made on first use. A failure is not kept: the setting may be mended meanwhile.
    pub async fn get(&self, make: impl AsyncFnOnce() -> Result<T>) -> Result<&T> {
        if let Some(value) = self.0.get() {
            return Ok(value);
        }
        let value = make().await?;
        Ok(self.0.get_or_init(|| value))
    }
}

impl<T> Default for Setting<T> {
    fn default() -> Self {
        Self::new()
    }
}

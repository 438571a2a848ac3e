//! Secrets that were not given are made up once and kept in `.local/secrets.env`, readable by its owner only.

use crate::{places, random, storage};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// What an installation on this machine made up for itself.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// Signs tokens.
    pub jwt_secret: String,
    /// Seals patients' data, `k1:<base64>`. Only for a database that was made here.
    pub phi_keys: String,
    /// What timers and event sources prove themselves with.
    pub event_key: String,
    /// Of the role imaging_service.
    pub service_password: String,
    /// Of the embedded Postgres' administrator.
    pub postgres_password: String,
    /// The embedded storage account's name.
    pub storage_name: String,
    /// The embedded storage account's key.
    pub storage_key: String,
}

impl Secrets {
    /// Reads the file in `directory`, adding what it lacks.
    pub fn open(directory: &Path) -> Result<Self> {
        places::make_all(directory, 0o711)?;
        let path = directory.join("secrets.env");
        let mut values = read(&path)?;
        let known = values.len();
        let secrets = Self {
            jwt_secret: value(&mut values, "JWT_SECRET", random::word)?,
            phi_keys: value(&mut values, "PHI_KEYS", new_phi_keys)?,
            event_key: value(&mut values, "EVENT_KEY", random::word)?,
            service_password: value(&mut values, "IMAGING_SERVICE_PASSWORD", random::word)?,
            postgres_password: value(&mut values, "POSTGRES_PASSWORD", random::word)?,
            storage_name: value(&mut values, "STORAGE_ACCOUNT", storage::account_name)?,
            storage_key: value(&mut values, "STORAGE_KEY", storage::account_key)?,
        };
        if values.len() == known {
            return Ok(secrets);
        }
        if write(&path, &values, known == 0)? {
            return Ok(secrets);
        }
        // Somebody else made the file at this moment: theirs counts.
        Self::open(directory)
    }
}

/// A first key, as the setting `phi_keys` takes it.
pub fn new_phi_keys() -> Result<String> {
    Ok(format!("k1:{}", random::key::<32>()?))
}

fn value(values: &mut BTreeMap<String, String>, name: &str, make: fn() -> Result<String>) -> Result<String> {
    if let Some(value) = values.get(name) {
        return Ok(value.clone());
    }
    let value = make()?;
    values.insert(name.to_owned(), value.clone());
    Ok(value)
}

fn read(path: &Path) -> Result<BTreeMap<String, String>> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        other => other.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let mut values = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            bail!("{}:{}: not a line of the form NAME=value", path.display(), number + 1);
        };
        values.insert(name.trim().to_owned(), value.trim().to_owned());
    }
    Ok(values)
}

/// Puts the whole file in place at once. False when it was to be new and was not.
fn write(path: &Path, values: &BTreeMap<String, String>, new: bool) -> Result<bool> {
    let draft = path.with_extension(format!("{}.draft", std::process::id()));
    let mut text = "# Made up for this machine. Without it the data beside it cannot be opened.\n".to_owned();
    for (name, value) in values {
        text.push_str(&format!("{name}={value}\n"));
    }
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    if !new {
        fs::rename(&draft, path)?;
        return Ok(true);
    }
    let placed = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match placed {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        other => other.map(|()| true).with_context(|| format!("cannot write {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::Secrets;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_was_made_up_once_stays() {
        let directory = std::env::temp_dir().join(format!("imaging-secrets-{}", std::process::id()));
        let first = Secrets::open(&directory).unwrap();
        let second = Secrets::open(&directory).unwrap();
        let mode = std::fs::metadata(directory.join("secrets.env")).unwrap().permissions().mode();
        std::fs::remove_dir_all(&directory).unwrap();

        assert_eq!(first.jwt_secret, second.jwt_secret);
        assert_eq!(first.storage_key, second.storage_key);
        assert_eq!(mode & 0o777, 0o600);
    }
}

//! Sealed text: what is about a patient lies in the database as ciphertext only.
//!
//! AES-256-GCM under a key of the organization, derived by HKDF-SHA-256 from the first of `phi_keys`; all of them open.
//! A sealed field is bound to its table, name and row (associated data), so that it opens nowhere else. It is written
//! as `<key id>.<base64 of nonce and ciphertext>`. Beside it, what has to be compared is kept as a keyed digest.

use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce,
    aead::{Aead, Generate, Payload},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::Sha256;

use crate::{Error, Result, Setting, setting, settings};

/// Length of a nonce of AES-GCM, in bytes.
const NONCE: usize = 12;

struct MasterKey {
    id: String,
    key: Vec<u8>,
}

static MASTER_KEYS: Setting<Vec<MasterKey>> = Setting::new();

fn master_keys(text: &str) -> Result<Vec<MasterKey>> {
    let malformed = || settings::malformed("phi_keys", "must be id:base64 of 32 bytes, separated by commas");
    text.split(',')
        .map(|entry| {
            let (id, key) = entry.trim().split_once(':').ok_or_else(malformed)?;
            let key = STANDARD.decode(key).map_err(|_| malformed())?;
            let fit =
                key.len() == 32 && !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if fit { Ok(MasterKey { id: id.to_owned(), key }) } else { Err(malformed()) }
        })
        .collect()
}

/// Whether `phi_keys` can be used, for /health.
pub async fn check_keys() -> Result<()> {
    master_keys(&setting("phi_keys").await?).map(drop)
}

/// The keys of one organization.
pub struct Seal {
    /// The first seals, all open.
    keys: Vec<OrganizationKey>,
}

struct OrganizationKey {
    id: String,
    cipher: Aes256Gcm,
    digest: [u8; 32],
}

impl Seal {
    pub async fn of(organization: &str) -> Result<Self> {
        let masters = MASTER_KEYS.get(async || master_keys(&setting("phi_keys").await?)).await?;
        Self::derive(masters, organization)
    }

    fn derive(masters: &[MasterKey], organization: &str) -> Result<Self> {
        let keys = masters
            .iter()
            .map(|master| {
                let derived = Hkdf::<Sha256>::new(None, &master.key);
                let expand = |purpose: &str| {
                    let mut key = [0_u8; 32];
                    derived
                        .expand_multi_info(
                            &[b"imaging/", purpose.as_bytes(), b"/", organization.as_bytes()],
                            &mut key,
                        )
                        .map_err(|_| Error::Internal("a key cannot be derived".to_owned()))?;
                    Ok::<_, Error>(key)
                };
                Ok(OrganizationKey {
                    id: master.id.clone(),
                    cipher: Aes256Gcm::new(&expand("seal")?.into()),
                    digest: expand("digest")?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self { keys })
    }

    /// Seals fields of one row; a field that is none stays out.
    pub fn fields<const N: usize>(
        &self,
        table: &str,
        id: impl std::fmt::Display,
        fields: [(&str, Option<Value>); N],
    ) -> Result<Value> {
        let mut sealed = Map::new();
        for (field, value) in fields {
            if let Some(value) = value.filter(|value| !value.is_null()) {
                sealed.insert(
                    field.to_owned(),
                    Value::String(self.seal(table, &id.to_string(), field, &value)?),
                );
            }
        }
        Ok(Value::Object(sealed))
    }

    fn seal(&self, table: &str, id: &str, field: &str, value: &Value) -> Result<String> {
        let key =
            self.keys.first().ok_or_else(|| Error::Internal("there is no key to seal with".to_owned()))?;
        let nonce = Nonce::generate();
        let plaintext = value.to_string();
        let aad = associated(table, id, field);
        let ciphertext = key
            .cipher
            .encrypt(&nonce, Payload { msg: plaintext.as_bytes(), aad: aad.as_bytes() })
            .map_err(|_| Error::Internal("a text cannot be sealed".to_owned()))?;
        let mut bytes = nonce.to_vec();
        bytes.extend(ciphertext);
        Ok(format!("{}.{}", key.id, STANDARD.encode(bytes)))
    }

    fn open(&self, table: &str, id: &str, field: &str, sealed: &str) -> Result<Value> {
        let damaged = || Error::Internal(format!("{table}.{field} of row {id} cannot be opened"));
        let (key_id, bytes) = sealed.split_once('.').ok_or_else(damaged)?;
        let key = self.keys.iter().find(|key| key.id == key_id).ok_or_else(|| {
            Error::Internal(format!(
                "{table}.{field} of row {id} is sealed with key {key_id}, which phi_keys does not hold"
            ))
        })?;
        let bytes = STANDARD.decode(bytes).map_err(|_| damaged())?;
        let (nonce, ciphertext) = bytes.split_at_checked(NONCE).ok_or_else(damaged)?;
        let nonce = Nonce::try_from(nonce).map_err(|_| damaged())?;
        let aad = associated(table, id, field);
        let plaintext = key
            .cipher
            .decrypt(&nonce, Payload { msg: ciphertext, aad: aad.as_bytes() })
            .map_err(|_| damaged())?;
        serde_json::from_slice(&plaintext).map_err(|_| damaged())
    }

    /// Opens every sealed part of a document in its place. A row's sealed fields lie in it as
    /// `"sealed": {"<table>": {"<field>": "…"}}`, beside the row's `id`; they become members of the row itself.
    ///
    /// The rows within are opened first, so that nothing looks for sealed parts in what comes out: a client wrote it.
    pub fn open_document(&self, document: &mut Value) -> Result<()> {
        match document {
            Value::Object(members) => {
                members.values_mut().try_for_each(|member| self.open_document(member))?;
                self.open_row(members)
            }
            Value::Array(values) => values.iter_mut().try_for_each(|value| self.open_document(value)),
            _ => Ok(()),
        }
    }

    fn open_row(&self, row: &mut Map<String, Value>) -> Result<()> {
        let Some(Value::Object(sealed)) = row.remove("sealed") else { return Ok(()) };
        let id = row.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        for (table, fields) in &sealed {
            for (field, sealed) in fields.as_object().into_iter().flatten() {
                let value = self.open(table, &id, field, sealed.as_str().unwrap_or_default())?;
                row.insert(field.clone(), value);
            }
        }
        Ok(())
    }

    /// Whether a digest is of this value, under any of the keys: it was taken under the one that sealed then.
    pub fn is_digest_of(&self, digest: &str, purpose: &str, value: impl Serialize) -> Result<bool> {
        Ok(self.digests(purpose, value)?.iter().any(|known| known == digest))
    }

    /// The digest of a value under each key, the sealing one first: what a row keeps, and what it is compared with.
    pub fn digests(&self, purpose: &str, value: impl Serialize) -> Result<Vec<String>> {
        let value =
            serde_json::to_vec(&(purpose, value)).map_err(|_| Error::Internal("a digest".to_owned()))?;
        self.keys
            .iter()
            .map(|key| {
                let mut digest = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&key.digest)
                    .map_err(|_| Error::Internal("a digest key".to_owned()))?;
                digest.update(&value);
                Ok(format!("{}.{}", key.id, STANDARD.encode(digest.finalize().into_bytes())))
            })
            .collect()
    }
}

fn associated(table: &str, id: &str, field: &str) -> String {
    format!("{table}/{field}/{id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn masters(text: &str) -> Vec<MasterKey> {
        master_keys(text).unwrap()
    }

    fn key(id: &str, byte: u8) -> String {
        format!("{id}:{}", STANDARD.encode([byte; 32]))
    }

    fn seal(keys: &str, organization: &str) -> Seal {
        Seal::derive(&masters(keys), organization).unwrap()
    }

    fn sealed_order(seal: &Seal, text: &str) -> Value {
        let sealed = seal.fields("orders", "o-1", [("instructions", Some(json!(text)))]).unwrap();
        json!({"id": "o-1", "instructions": null, "sealed": {"orders": sealed}})
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens_in_its_place_and_nowhere_else(text in ".{0,200}") {
            let seal = seal(&key("k1", 1), "org-1");
            let mut order = sealed_order(&seal, &text);
            prop_assert!(text.len() < 8 || !order.to_string().contains(&text));
            let mut moved = order.clone();
            moved["id"] = json!("o-2");
            prop_assert!(seal.open_document(&mut moved).is_err());
            seal.open_document(&mut order).unwrap();
            prop_assert_eq!(order, json!({"id": "o-1", "instructions": text}));
        }
    }

    #[test]
    fn what_looks_sealed_in_a_clients_own_text_is_left_alone() {
        let seal = seal(&key("k1", 1), "org-1");
        let written = json!({"id": "o-9", "sealed": {"orders": {"instructions": "k1.AAAA"}}});
        let sealed = seal.fields("images", "i-1", [("metadata", Some(written.clone()))]).unwrap();
        let mut image = json!({"id": "i-1", "sealed": {"images": sealed}});
        seal.open_document(&mut image).unwrap();
        assert_eq!(image, json!({"id": "i-1", "metadata": written}));
    }

    #[test]
    fn a_rotated_key_still_opens_and_the_new_one_seals() {
        let mut before = sealed_order(&seal(&key("k1", 1), "org-1"), "head first");
        let both = seal(&format!("{},{}", key("k2", 2), key("k1", 1)), "org-1");
        both.open_document(&mut before).unwrap();
        assert_eq!(before["instructions"], "head first");
        assert!(
            sealed_order(&both, "x")["sealed"]["orders"]["instructions"].as_str().unwrap().starts_with("k2.")
        );
        assert_eq!(
            both.digests("name", "DOE").unwrap()[1],
            seal(&key("k1", 1), "org-1").digests("name", "DOE").unwrap()[0]
        );
    }

    #[test]
    fn another_organization_cannot_open_it_and_sees_another_digest() {
        let mut order = sealed_order(&seal(&key("k1", 1), "org-1"), "head first");
        let other = seal(&key("k1", 1), "org-2");
        assert!(other.open_document(&mut order).is_err());
        assert_ne!(
            other.digests("name", "DOE").unwrap(),
            seal(&key("k1", 1), "org-1").digests("name", "DOE").unwrap()
        );
    }

    #[test]
    fn keys_that_are_not_keys_are_refused() {
        for text in ["", "k1", "k1:AAAA", "k 1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", ":"] {
            assert!(master_keys(text).is_err(), "{text}");
        }
    }
}

//! The public keys of whoever issues the tokens: fetched from `jwks_url` (RFC 7517) and kept for a while.

use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures::future::{Either, select};
use http::{StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use jsonwebtoken::{Algorithm, DecodingKey, Header};
use serde_json::Value;
use spin_sdk::http::EmptyBody;

use super::{
    cache::{Cache, Need, Step},
    crypto,
};
use crate::{Error, Result, settings};

/// How long the issuer may take, to the last byte of its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest answer that is read, in bytes.
const LARGEST: usize = 256 * 1024;
/// How many keys an issuer may have.
const MOST: usize = 100;
/// How many keys are tried on one token.
const TRIES: usize = 4;
/// How often a request looks whether another has fetched the keys.
const GLANCE: Duration = Duration::from_millis(20);

/// Who issues the tokens, and the keys that it last answered with.
pub(super) struct Issuer {
    url: Uri,
    cache: Mutex<Cache<Keys>>,
}

impl Issuer {
    /// The one that publishes its keys under a URL. What comes over plain http may be anybody's.
    pub(super) fn at(url: &str, http_allowed: bool) -> Result<Self> {
        let malformed = |why| settings::malformed("jwks_url", why);
        let url: Uri = url.trim().parse().map_err(|_| malformed("is no URL"))?;
        match url.scheme_str() {
            Some("https") => {}
            Some("http") if http_allowed => {}
            _ => return Err(malformed("must begin with https://")),
        }
        if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(malformed("must hold no credentials"));
        }
        Ok(Self { url, cache: Mutex::new(Cache::new()) })
    }

    /// The keys, of which any that may be used yet will do, or which must be the latest.
    pub(super) async fn keys(&self, need: Need) -> Result<Arc<Keys>> {
        loop {
            // A statement of its own: the cache is locked while it is looked at, and no longer.
            let step = self.cache().step(need, Instant::now());
            match step {
                Step::Use(keys) => return Ok(keys),
                Step::Ask => match self.fetch().await {
                    Ok(keys) => self.cache().answered(keys, Instant::now()),
                    Err(cause) => {
                        tracing::warn!(cause, "the issuer of tokens does not give its keys");
                        self.cache().failed(cause, Instant::now());
                    }
                },
                // Not by waking one another: the SDK's executor ends a component in which one request wakes another.
                Step::Wait => spin_sdk::time::sleep(GLANCE).await,
                Step::GiveUp(cause) => {
                    return Err(Error::Unavailable {
                        what: "The issuer of tokens",
                        cause: format!("its keys cannot be fetched from jwks_url: {cause}"),
                    });
                }
            }
        }
    }

    fn cache(&self) -> MutexGuard<'_, Cache<Keys>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self) -> Result<Keys, String> {
        match select(pin!(self.ask()), pin!(spin_sdk::time::sleep(PATIENCE))).await {
            Either::Left((keys, _)) => keys,
            Either::Right(_) => Err(format!("no whole answer within {} s", PATIENCE.as_secs())),
        }
    }

    async fn ask(&self) -> Result<Keys, String> {
        let request = http::Request::get(self.url.clone())
            .header("accept", "application/jwk-set+json, application/json")
            .body(EmptyBody::new())
            .map_err(|_| "the request cannot be made")?;
        // The runtime's error names no URL. Nobody here follows a redirect: it is one more status that is not 200.
        let response =
            spin_sdk::http::send(request).await.map_err(|error| format!("no answer: {error:?}"))?;
        if response.status() != StatusCode::OK {
            return Err(format!("it answered {}", response.status()));
        }
        let body = Limited::new(response.into_body(), LARGEST)
            .collect()
            .await
            .map_err(|_| format!("its answer was cut off, or is larger than {LARGEST} bytes"))?;
        Keys::parse(&body.to_bytes()).map_err(str::to_owned)
    }
}

/// The keys of a set that can check a signature.
#[derive(Debug)]
pub(super) struct Keys(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: Option<String>,
    /// The one algorithm that the key is for (RFC 8725 3.1).
    algorithm: Algorithm,
    key: DecodingKey,
}

impl Keys {
    /// Reads a set. A key in it that is not for us, or that we cannot use, is left out (RFC 7517 5).
    fn parse(set: &[u8]) -> Result<Self, &'static str> {
        let set: Value = serde_json::from_slice(set).map_err(|_| "its answer is not JSON")?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or("its answer is no set of keys")?;
        if keys.len() > MOST {
            return Err("its answer holds too many keys");
        }
        Ok(Self(keys.iter().filter_map(Key::parse).collect()))
    }

    /// The keys that may have signed a token with this header.
    ///
    /// One without a `kid` may be of any key of its algorithm. Were it believed only while there is a single one, every
    /// change of keys would lock out those who send none; and nothing is lost, for a name is only the sender's word,
    /// and all keys of the set are trusted alike. What bounds the work is their number.
    pub(super) fn fitting(&self, header: &Header) -> impl Iterator<Item = &DecodingKey> {
        self.0
            .iter()
            .filter(|key| key.algorithm == header.alg && (header.kid.is_none() || key.id == header.kid))
            .map(|key| &key.key)
            .take(TRIES)
    }
}

impl Key {
    /// Reads a key as it is published (RFC 7517 4, RFC 7518 6), if it is one that can check signatures.
    fn parse(jwk: &Value) -> Option<Self> {
        // A member may be missing, but what is there has to be understood.
        let text = |name: &str| jwk.get(name).map_or(Some(None), |value| value.as_str().map(Some));
        let algorithm = match (text("kty")?, text("crv")?) {
            (Some("RSA"), _) => Algorithm::RS256,
            (Some("EC"), Some("P-256")) => Algorithm::ES256,
            (Some("OKP"), Some("Ed25519")) => Algorithm::EdDSA,
            // Symmetric ones among them: what is published is no secret.
            _ => return None,
        };
        let for_it =
            text("alg")?.is_none_or(|name| name.parse().is_ok_and(|named: Algorithm| named == algorithm));
        let for_signatures = matches!(text("use")?, None | Some("sig"))
            && jwk.get("key_ops").is_none_or(|operations| {
                operations.as_array().is_some_and(|operations| operations.iter().any(|one| one == "verify"))
            });
        // Anybody may sign with a key whose private part is published beside it.
        if !for_it || !for_signatures || jwk.get("d").is_some() {
            return None;
        }
        let key = match algorithm {
            Algorithm::RS256 => DecodingKey::from_rsa_components(text("n")??, text("e")??),
            Algorithm::ES256 => DecodingKey::from_ec_components(text("x")??, text("y")??),
            _ => DecodingKey::from_ed_components(text("x")??),
        };
        let key = key.ok().filter(|key| crypto::can_use(algorithm, key))?;
        Some(Self { id: text("kid")?.map(str::to_owned), algorithm, key })
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use jsonwebtoken::crypto::verify;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// The keys of RFC 7515 A.2.1 and A.3.1, and of RFC 8037 A.2.
    fn examples() -> Keys {
        let set = json!({"keys": [
            {
                "kty": "RSA",
                "n": concat!(
                    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4Q",
                    "lL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBY",
                    "UsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNm",
                    "oudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
                ),
                "e": "AQAB",
            },
            {
                "kty": "EC",
                "crv": "P-256",
                "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
            },
            {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        ]});
        Keys::parse(set.to_string().as_bytes()).unwrap()
    }

    /// What RFC 7515 A.2.1 and A.3.1 and RFC 8037 A.4 sign with them: the message, and the signature.
    const SIGNED: [(&str, &str); 3] = [
        (
            concat!(
                "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc",
                "19yb290Ijp0cnVlfQ"
            ),
            concat!(
                "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds",
                "9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZR",
                "mB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs9",
                "8rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
            ),
        ),
        (
            concat!(
                "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc",
                "19yb290Ijp0cnVlfQ"
            ),
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        ),
        (
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        ),
    ];

    #[test]
    fn the_signatures_in_the_standards_are_verified_and_no_others() {
        crypto::install();
        let Keys(keys) = examples();
        assert_eq!(keys.len(), SIGNED.len());
        for (key, (message, signature)) in keys.iter().zip(SIGNED) {
            let check = |message: &str, signature: &str| {
                verify(signature, message.as_bytes(), &key.key, key.algorithm).unwrap()
            };
            assert!(check(message, signature), "{:?}", key.algorithm);
            assert!(!check(&message.replacen('e', "f", 1), signature), "{:?}", key.algorithm);
            for (_, other) in SIGNED.into_iter().filter(|(_, other)| *other != signature) {
                assert!(!check(message, other), "{:?}", key.algorithm);
            }
        }
    }

    #[test]
    fn a_key_is_for_its_own_algorithm_alone() {
        use Algorithm::*;
        let Keys(keys) = examples();
        let secret = DecodingKey::from_secret(&[0; 65]);
        let keys = keys.iter().map(|key| (key.algorithm, &key.key)).chain([(HS256, &secret)]);
        for (own, key) in keys {
            for algorithm in
                [HS256, HS384, HS512, ES256, ES384, RS256, RS384, RS512, PS256, PS384, PS512, EdDSA]
            {
                assert_eq!(crypto::can_use(algorithm, key), algorithm == own, "{own:?} as {algorithm:?}");
            }
        }
    }

    fn encode(bytes: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn bytes(length: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), length)
    }

    proptest! {
        #[test]
        fn whatever_an_issuer_answers_is_read_or_refused(answer: Vec<u8>) {
            drop(Keys::parse(&answer));
        }

        /// Whatever the numbers in a key are: it is left out, or checks signatures and finds this one wrong.
        #[test]
        fn a_key_of_any_numbers_is_left_out_or_finds_a_signature_wrong(
            kind in 0_usize..3,
            mut modulus in prop_oneof![bytes(0..600), bytes(256)],
            exponent in prop_oneof![bytes(0..10), Just(vec![3]), Just(vec![1, 0, 1])],
            (x, y) in (bytes(30..34), bytes(30..34)),
            signature in bytes(0..600),
        ) {
            crypto::install();
            if let [first, .., last] = modulus.as_mut_slice() {
                *first |= 0x80;
                *last |= 1;
            }
            let key = [
                json!({"kty": "RSA", "n": encode(&modulus), "e": encode(&exponent)}),
                json!({"kty": "EC", "crv": "P-256", "x": encode(&x), "y": encode(&y)}),
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(&x)}),
            ];
            let set = json!({"keys": [key.get(kind)]}).to_string();
            let Keys(keys) = Keys::parse(set.as_bytes()).unwrap();
            for key in &keys {
                let sizes = [64, modulus.len(), signature.len()];
                for size in sizes {
                    let mut signature = signature.clone();
                    signature.resize(size, 7);
                    let valid = verify(&encode(&signature), b"message", &key.key, key.algorithm).unwrap();
                    prop_assert!(!valid);
                }
            }
        }
    }
}

//! Tokens that are signed with a key which their issuer publishes, and those that only look like it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use getrandom::SysRng;
use hmac::{Hmac, KeyInit, Mac};
use local::{host, token::Claims};
use p256::ecdsa::signature::Signer as _;
use reqwest::Method;
use rsa::{Pkcs1v15Sign, Pss, pkcs8::EncodePublicKey, traits::PublicKeyParts};
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha512};
use tests::{Hospital, Reply};
use tokio::{sync::oneshot, task::JoinHandle};

/// Where the first page of each family is that a radiologist may read.
const FAMILIES: [&str; 5] = [
    "/api/imaging-orders",
    "/api/studies",
    "/api/studies/019a3b1c-7e00-7abc-8def-0123456789ab/images",
    "/api/images/019a3b1c-7e00-7abc-8def-0123456789ab",
    "/api/ingest",
];

/// What signs a token.
enum Signer {
    Secret(Vec<u8>),
    Rsa(Box<rsa::PrivateKey>),
    Ec(p256::ecdsa::SigningKey),
    Ed(ed25519_dalek::SigningKey),
}

impl Signer {
    fn rsa(bits: usize) -> Self {
        Self::Rsa(Box::new(rsa::PrivateKey::new(&mut SysRng, bits).unwrap()))
    }

    fn ec() -> Self {
        Self::Ec(p256::ecdsa::SigningKey::from_slice(&random()).unwrap())
    }

    fn ed() -> Self {
        Self::Ed(ed25519_dalek::SigningKey::from_bytes(&random()))
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Secret(_) => "HS256",
            Self::Rsa(_) => "RS256",
            Self::Ec(_) => "ES256",
            Self::Ed(_) => "EdDSA",
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Secret(secret) => {
                let mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
                mac.chain_update(message).finalize().into_bytes().to_vec()
            }
            Self::Rsa(key) => key.sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message)).unwrap(),
            Self::Ec(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            Self::Ed(key) => key.sign(message).to_bytes().to_vec(),
        }
    }

    /// The public key, as a set publishes it under a name.
    fn jwk(&self, kid: &str) -> Value {
        let mut jwk = match self {
            Self::Secret(secret) => json!({"kty": "oct", "k": encode(secret)}),
            Self::Rsa(key) => {
                let (n, e) = (key.n().to_be_bytes_trimmed_vartime(), key.e().to_be_bytes_trimmed_vartime());
                json!({"kty": "RSA", "n": encode(n), "e": encode(e)})
            }
            Self::Ec(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                json!({"kty": "EC", "crv": "P-256", "x": encode(point.x().unwrap()), "y": encode(point.y().unwrap())})
            }
            Self::Ed(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(key.verifying_key().as_bytes())})
            }
        };
        jwk["kid"] = json!(kid);
        jwk
    }

    /// What a client sends: a token of this key under a name.
    fn bearer(&self, kid: &str) -> String {
        bearer(&json!({"alg": self.algorithm(), "typ": "JWT", "kid": kid}), &claims(), |message| {
            self.sign(message)
        })
    }
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// One key of each kind for all tests: what takes long is to find the primes.
struct KeyRing {
    rsa: Signer,
    ec: Signer,
    ed: Signer,
}

static KEYS: LazyLock<KeyRing> =
    LazyLock::new(|| KeyRing { rsa: Signer::rsa(2048), ec: Signer::ec(), ed: Signer::ed() });

impl KeyRing {
    fn all(&self) -> [(&'static str, &Signer); 3] {
        [("rsa-1", &self.rsa), ("ec-1", &self.ec), ("ed-1", &self.ed)]
    }

    fn set(&self) -> Value {
        set(self.all().map(|(kid, signer)| signer.jwk(kid)))
    }
}

fn set(keys: impl IntoIterator<Item = Value>) -> Value {
    json!({"keys": keys.into_iter().collect::<Vec<_>>()})
}

/// A radiologist's claims.
fn claims() -> Value {
    let mut claims = Claims::new("radiologist-1", "radiologist", "org-1", 60);
    claims.facility_ids = vec!["fac-1".to_owned()];
    serde_json::to_value(claims).unwrap()
}

fn bearer(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    bearer_of_text(&header.to_string(), claims, sign)
}

fn bearer_of_text(header: &str, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", encode(header), encode(claims.to_string()));
    let signature = sign(message.as_bytes());
    format!("Bearer {message}.{}", encode(signature))
}

/// How a server of keys behaves.
#[derive(Clone)]
enum Manner {
    Publishes(Value),
    Says(String),
    Refuses(u16),
    RedirectsTo(String),
    /// Takes the question, and is not heard of again.
    Silent,
    /// Sends blanks, one after the other, so that no read waits for long and no answer is ever whole.
    Dawdles,
}

/// Who issues tokens: a server that publishes keys, or does not.
struct Issuer {
    address: String,
    desk: Arc<Desk>,
    serving: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

struct Desk {
    manner: Mutex<Manner>,
    /// How often each path was asked for.
    asked: Mutex<BTreeMap<String, usize>>,
}

impl Issuer {
    async fn opens(manner: Manner) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let desk = Arc::new(Desk { manner: Mutex::new(manner), asked: Mutex::default() });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&desk));
        let (close, closed) = oneshot::channel();
        let serving = tokio::spawn(async move {
            let until = async { drop(closed.await) };
            axum::serve(listener, router).with_graceful_shutdown(until).await.unwrap();
        });
        Self { address, desk, serving: Some((close, serving)) }
    }

    async fn publishes(keys: Value) -> Self {
        Self::opens(Manner::Publishes(keys)).await
    }

    fn url(&self) -> String {
        format!("{}/keys", self.address)
    }

    fn now(&self, manner: Manner) {
        *self.desk.manner.lock().unwrap() = manner;
    }

    /// How often it was asked for its keys.
    fn asked(&self) -> usize {
        self.asked_for("/keys")
    }

    fn asked_for(&self, path: &str) -> usize {
        self.desk.asked.lock().unwrap().get(path).copied().unwrap_or_default()
    }

    /// Nobody answers at its address any more.
    async fn closes(&mut self) {
        let (close, serving) = self.serving.take().unwrap();
        close.send(()).unwrap();
        serving.await.unwrap();
    }

    /// A hospital that believes this issuer, and nobody else.
    async fn hospital(&self) -> Hospital {
        self.hospital_with(|settings| drop(settings.variables.remove("jwt_secret"))).await
    }

    async fn hospital_with(&self, change: impl FnOnce(&mut host::Settings)) -> Hospital {
        Hospital::open_with(|settings| {
            settings.variables.insert("jwks_url".to_owned(), self.url());
            change(settings);
        })
        .await
    }

    /// The same, with an instance for each request, so that each asks for the keys anew.
    async fn forgetful_hospital(&self) -> Hospital {
        self.hospital_with(|settings| settings.arguments.push("--fresh-instances".to_owned())).await
    }
}

async fn answer(State(desk): State<Arc<Desk>>, uri: Uri) -> Response {
    *desk.asked.lock().unwrap().entry(uri.path().to_owned()).or_default() += 1;
    let manner = desk.manner.lock().unwrap().clone();
    match manner {
        Manner::Publishes(keys) => keys.to_string().into_response(),
        Manner::Says(text) => text.into_response(),
        Manner::Refuses(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Manner::RedirectsTo(url) => (StatusCode::FOUND, [("location", url)]).into_response(),
        Manner::Silent => std::future::pending().await,
        Manner::Dawdles => Body::from_stream(futures::stream::unfold((), async |()| {
            tokio::time::sleep(Duration::from_millis(250)).await;
            Some((Ok::<_, std::io::Error>(" "), ()))
        }))
        .into_response(),
    }
}

async fn get(hospital: &Hospital, authorization: &str, path: &str) -> Reply {
    hospital.bearer(authorization).get(path).await
}

async fn studies(hospital: &Hospital, authorization: &str) -> Reply {
    get(hospital, authorization, "/api/studies").await
}

#[track_caller]
fn refused(what: &str, reply: &Reply) {
    assert_eq!(reply.status, 401, "{what}: {reply}");
    reply.expect_refusal(401, "unauthenticated");
    assert_eq!(reply.header("www-authenticate"), "Bearer", "{what}");
}

#[tokio::test]
async fn a_token_of_the_issuers_keys_opens_every_family() {
    let issuer = Issuer::publishes(KEYS.set()).await;
    let hospital = issuer.hospital().await;
    for (kid, signer) in KEYS.all() {
        for family in FAMILIES {
            let reply = get(&hospital, &signer.bearer(kid), family).await;
            // Nothing is there yet, but who asks is known.
            assert!([200, 404].contains(&reply.status), "{kid} {family}: {reply}");
        }
    }
    refused("a key of nobody's", &studies(&hospital, &Signer::ec().bearer("ec-1")).await);
}

#[tokio::test]
async fn the_issuer_and_the_platforms_secret_may_both_be_believed() {
    let issuer = Issuer::publishes(KEYS.set()).await;
    let hospital = issuer.hospital_with(|_| {}).await;
    hospital.radiologist().get("/api/studies").await.expect_status(200);
    studies(&hospital, &KEYS.rsa.bearer("rsa-1")).await.expect_status(200);
}

#[tokio::test]
async fn what_may_be_left_out_of_a_header_or_be_there_as_well_does_no_harm() {
    let issuer = Issuer::publishes(KEYS.set()).await;
    let hospital = issuer.hospital().await;
    for (kid, signer) in KEYS.all() {
        let alg = signer.algorithm();
        for header in [
            json!({"alg": alg, "kid": kid}),
            json!({"alg": alg, "typ": "JWT"}),
            json!({"alg": alg, "typ": "jwt", "kid": kid, "cty": "JWT", "x5t": "AAAA", "colour": "red"}),
            json!({"alg": alg, "typ": "at+jwt", "kid": kid}),
            json!({"alg": alg, "typ": "application/at+JWT", "kid": kid}),
        ] {
            let reply = studies(&hospital, &bearer(&header, &claims(), |message| signer.sign(message))).await;
            assert_eq!(reply.status, 200, "{header}: {reply}");
        }
        let now = jiff::Timestamp::now().as_second();
        for (what, name, value) in [
            ("for several services", "aud", json!(["billing", "imaging-service"])),
            ("just expired, clocks being what they are", "exp", json!(now - 20)),
            ("valid from a moment ahead", "nbf", json!(now + 20)),
        ] {
            let mut claims = claims();
            claims[name] = value;
            let header = json!({"alg": alg, "kid": kid});
            let reply = studies(&hospital, &bearer(&header, &claims, |message| signer.sign(message))).await;
            assert_eq!(reply.status, 200, "{alg} {what}: {reply}");
        }
    }
}

#[tokio::test]
async fn a_token_of_a_good_key_is_still_for_somebody_and_for_a_while() {
    let issuer = Issuer::publishes(KEYS.set()).await;
    let hospital = issuer.hospital().await;
    let now = jiff::Timestamp::now().as_second();
    for (kid, signer) in KEYS.all() {
        for (what, name, value) in [
            ("expired", "exp", json!(now - 120)),
            ("no end", "exp", Value::Null),
            ("an end that is no time", "exp", json!("tomorrow")),
            ("not yet valid", "nbf", json!(now + 3600)),
            ("another issuer", "iss", json!("https://somebody.example")),
            ("no issuer", "iss", Value::Null),
            ("another audience", "aud", json!("billing")),
            ("no audience", "aud", Value::Null),
            ("several audiences without us", "aud", json!(["billing", "imaging-service-2"])),
            ("every organization", "organizationId", json!("*")),
            ("nobody", "id", Value::Null),
        ] {
            let mut claims = claims();
            claims[name] = value;
            let header = json!({"alg": signer.algorithm(), "kid": kid});
            let reply = studies(&hospital, &bearer(&header, &claims, |message| signer.sign(message))).await;
            refused(&format!("{kid}: {what}"), &reply);
        }
    }
}

#[tokio::test]
async fn a_public_key_is_no_secret_and_no_algorithm_takes_another_ones_key() {
    let issuer = Issuer::publishes(KEYS.set()).await;
    let hospital = issuer.hospital_with(|_| {}).await;

    // What an attacker knows of the keys, taken for a secret.
    let mut known = vec![
        ("nothing".to_owned(), Vec::new()),
        ("the whole set".to_owned(), KEYS.set().to_string().into_bytes()),
    ];
    for (kid, signer) in KEYS.all() {
        let jwk = signer.jwk(kid);
        known.push((format!("{kid} as JSON"), jwk.to_string().into_bytes()));
        for name in ["n", "e", "x", "y"] {
            let Some(text) = jwk[name].as_str() else { continue };
            known.push((format!("{name} of {kid} as text"), text.as_bytes().to_vec()));
            known.push((format!("{name} of {kid}"), URL_SAFE_NO_PAD.decode(text).unwrap()));
        }
    }
    let Signer::Rsa(rsa) = &KEYS.rsa else { unreachable!() };
    let pem = rsa.to_public_key().to_public_key_pem(rsa::pkcs8::LineEnding::LF).unwrap();
    known.push(("PEM without its last line end".to_owned(), pem.trim_end().as_bytes().to_vec()));
    known.push(("PEM".to_owned(), pem.into_bytes()));
    known.push(("DER".to_owned(), rsa.to_public_key().to_public_key_der().unwrap().as_bytes().to_vec()));
    let Signer::Ec(ec) = &KEYS.ec else { unreachable!() };
    for compressed in [false, true] {
        let point = ec.verifying_key().to_sec1_point(compressed);
        known.push((format!("point, compressed: {compressed}"), point.as_bytes().to_vec()));
    }
    for (what, secret) in known {
        let signer = Signer::Secret(secret);
        for kid in ["rsa-1", "ec-1", "ed-1"] {
            refused(&format!("{what} under {kid}"), &studies(&hospital, &signer.bearer(kid)).await);
        }
        let header = json!({"alg": "HS256", "typ": "JWT"});
        let reply = studies(&hospital, &bearer(&header, &claims(), |message| signer.sign(message))).await;
        refused(&format!("{what} without kid"), &reply);
    }

    // A key's own signature under the name of another algorithm, or of another key.
    for (kid, signer) in KEYS.all() {
        for alg in
            ["HS256", "RS256", "ES256", "EdDSA", "RS384", "RS512", "PS256", "ES384", "HS512", "Ed25519"]
        {
            for named in ["rsa-1", "ec-1", "ed-1"] {
                if alg == signer.algorithm() && named == kid {
                    continue;
                }
                let header = json!({"alg": alg, "typ": "JWT", "kid": named});
                let reply =
                    studies(&hospital, &bearer(&header, &claims(), |message| signer.sign(message))).await;
                refused(&format!("{kid} as {alg} under {named}"), &reply);
            }
        }
        let mut lower = signer.bearer(kid);
        let header = json!({"alg": signer.algorithm().to_lowercase(), "kid": kid});
        if signer.algorithm().to_lowercase() != signer.algorithm() {
            lower = bearer(&header, &claims(), |message| signer.sign(message));
        }
        refused("an algorithm in lower case", &studies(&hospital, &lower).await);
    }

    // A secret's signature that is good, by the name of a key.
    let secret = Signer::Secret(hospital.setting("jwt_secret").into_bytes());
    for (alg, kid) in [("RS256", "rsa-1"), ("ES256", "ec-1"), ("EdDSA", "ed-1"), ("RS256", "nobody's")] {
        let header = json!({"alg": alg, "kid": kid});
        refused(alg, &studies(&hospital, &bearer(&header, &claims(), |message| secret.sign(message))).await);
    }
}

#[tokio::test]
async fn no_signature_and_no_other_signature_is_as_good() {
    let issuer = Issuer::publishes(KEYS.set()).await;
    let hospital = issuer.hospital_with(|_| {}).await;
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        for kid in [json!("rsa-1"), Value::Null] {
            let header = json!({"alg": alg, "typ": "JWT", "kid": kid});
            let unsigned = bearer(&header, &claims(), |_| Vec::new());
            refused(alg, &studies(&hospital, &unsigned).await);
            refused("without its last dot", &studies(&hospital, unsigned.trim_end_matches('.')).await);
            refused(
                alg,
                &studies(&hospital, &bearer(&header, &claims(), |message| KEYS.rsa.sign(message))).await,
            );
        }
    }
    type Change = fn(Vec<u8>) -> Vec<u8>;
    let changes: [(&str, Change); 11] = [
        ("none", |_| Vec::new()),
        ("one byte", |_| vec![0]),
        ("zeros", |signature| vec![0; signature.len()]),
        ("ones", |signature| vec![0xff; signature.len()]),
        ("one and zeros", |signature| [vec![1], vec![0; signature.len() - 1]].concat()),
        ("a bit turned", |mut signature| {
            signature[0] ^= 1;
            signature
        }),
        ("the last bit turned", |mut signature| {
            *signature.last_mut().unwrap() ^= 1;
            signature
        }),
        ("cut off", |mut signature| {
            signature.pop();
            signature
        }),
        ("a zero behind", |signature| [signature, vec![0]].concat()),
        ("a zero before", |signature| [vec![0], signature].concat()),
        ("twice", |signature| [signature.clone(), signature].concat()),
    ];
    for (kid, signer) in KEYS.all() {
        let header = json!({"alg": signer.algorithm(), "typ": "JWT", "kid": kid});
        for (what, change) in changes {
            let forged = bearer(&header, &claims(), |message| change(signer.sign(message)));
            refused(&format!("{kid}: {what}"), &studies(&hospital, &forged).await);
        }
        let good = signer.bearer(kid);
        studies(&hospital, &good).await.expect_status(200);
        let (head, rest) = good.split_once('.').unwrap();
        let (_, signature) = rest.split_once('.').unwrap();
        let mut others = claims();
        others["role"] = json!("service");
        let tampered = format!("{head}.{}.{signature}", encode(others.to_string()));
        refused("other claims", &studies(&hospital, &tampered).await);
        refused("padded base64", &studies(&hospital, &format!("{good}=")).await);
        refused("a fourth part", &studies(&hospital, &format!("{good}.{signature}")).await);
    }

    let Signer::Ec(ec) = &KEYS.ec else { unreachable!() };
    let (r, s) = ([0; 32], ec.to_bytes());
    for (what, forged) in
        [("r is zero", [r.as_slice(), &s].concat()), ("s is zero", [s.as_slice(), &r].concat())]
    {
        let header = json!({"alg": "ES256", "kid": "ec-1"});
        refused(what, &studies(&hospital, &bearer(&header, &claims(), |_| forged)).await);
    }
    let as_der = bearer(&json!({"alg": "ES256", "kid": "ec-1"}), &claims(), |message| {
        let signature: p256::ecdsa::Signature = ec.sign(message);
        signature.to_der().as_bytes().to_vec()
    });
    refused("in DER", &studies(&hospital, &as_der).await);

    let Signer::Rsa(rsa) = &KEYS.rsa else { unreachable!() };
    let header = json!({"alg": "RS256", "kid": "rsa-1"});
    for (what, forged) in [
        (
            "another padding",
            bearer(&header, &claims(), |message| {
                rsa.sign(Pss::<Sha256>::new(), &Sha256::digest(message)).unwrap()
            }),
        ),
        (
            "another digest",
            bearer(&header, &claims(), |message| {
                rsa.sign(Pkcs1v15Sign::new::<Sha512>(), &Sha512::digest(message)).unwrap()
            }),
        ),
        (
            "a digest without its name",
            bearer(&header, &claims(), |message| {
                rsa.sign(Pkcs1v15Sign::new_unprefixed(), &Sha256::digest(message)).unwrap()
            }),
        ),
    ] {
        refused(what, &studies(&hospital, &forged).await);
    }
}

#[tokio::test]
async fn a_header_brings_no_key_and_names_no_place_to_get_one() {
    let issuer = Issuer::publishes(KEYS.set()).await;
    let hospital = issuer.hospital().await;
    let attacker = Signer::rsa(2048);
    // On the issuer's own host, which the components may reach.
    let place = format!("{}/attacker", issuer.address);
    let certificate = URL_SAFE_NO_PAD.encode(random());
    for kid in [json!("rsa-1"), json!("attacker"), json!(place), Value::Null] {
        for (name, value) in [
            ("jwk", attacker.jwk("attacker")),
            ("jwk", attacker.jwk("rsa-1")),
            ("jwk", json!("no key")),
            ("jku", json!(place)),
            ("x5u", json!(place)),
            ("x5c", json!([certificate])),
            ("x5t", json!("AAAA")),
            ("url", json!(place)),
        ] {
            let mut header = json!({"alg": "RS256", "typ": "JWT"});
            if !kid.is_null() {
                header["kid"] = kid.clone();
            }
            header[name] = value;
            let forged = bearer(&header, &claims(), |message| attacker.sign(message));
            refused(&header.to_string(), &studies(&hospital, &forged).await);
        }
    }
    assert_eq!(issuer.asked_for("/attacker"), 0);

    // Beside a good signature they are nothing.
    let header =
        json!({"alg": "RS256", "kid": "rsa-1", "jku": place, "x5u": place, "jwk": attacker.jwk("attacker")});
    studies(&hospital, &bearer(&header, &claims(), |message| KEYS.rsa.sign(message)))
        .await
        .expect_status(200);
    assert_eq!(issuer.asked_for("/attacker"), 0);
}

#[tokio::test]
async fn a_header_that_asks_for_what_is_not_understood_is_refused() {
    let issuer = Issuer::publishes(KEYS.set()).await;
    let hospital = issuer.hospital_with(|_| {}).await;
    let secret = Signer::Secret(hospital.setting("jwt_secret").into_bytes());
    let signers = KEYS.all().into_iter().chain([("secret", &secret)]);
    for (kid, signer) in signers {
        let alg = signer.algorithm();
        for header in [
            json!({"alg": alg, "kid": kid, "crit": ["exp"], "exp": 9_999_999_999_u64}),
            json!({"alg": alg, "kid": kid, "crit": ["b64"], "b64": true}),
            json!({"alg": alg, "kid": kid, "crit": []}),
            json!({"alg": alg, "kid": kid, "crit": "exp"}),
            json!({"alg": alg, "kid": kid, "typ": "dpop+jwt"}),
            json!({"alg": alg, "kid": kid, "typ": "secevent+jwt"}),
            json!({"alg": alg, "kid": kid, "typ": "logout+jwt"}),
            json!({"alg": alg, "kid": kid, "typ": "text/jwt"}),
            json!({"alg": alg, "kid": kid, "typ": ""}),
            json!({"alg": alg, "kid": kid, "typ": 5}),
            json!({"alg": [alg], "kid": kid}),
            json!({"kid": kid}),
        ] {
            let reply = studies(&hospital, &bearer(&header, &claims(), |message| signer.sign(message))).await;
            refused(&header.to_string(), &reply);
        }
        for text in [
            format!(r#"{{"alg":"none","alg":"{alg}","kid":"{kid}"}}"#),
            format!(r#"{{"alg":"{alg}","kid":"{kid}","kid":"other"}}"#),
            format!(r#"["{alg}"]"#),
            format!(r#"{{"alg":"{alg}","kid":"{kid}"}} {{}}"#),
            String::new(),
        ] {
            let reply =
                studies(&hospital, &bearer_of_text(&text, &claims(), |message| signer.sign(message))).await;
            refused(&text, &reply);
        }
    }
}

#[tokio::test]
async fn the_name_of_a_key_is_a_name_and_nothing_else() {
    let issuer = Issuer::publishes(KEYS.set()).await;
    let hospital = issuer.hospital().await;
    let long = "x".repeat(8000);
    for kid in [
        json!(""),
        json!("RSA-1"),
        json!("rsa-1 "),
        json!("rsa-1\0"),
        json!("rsa"),
        json!("rsa-*"),
        json!("../../../../dev/null"),
        json!("/dev/null"),
        json!("file:///dev/null"),
        json!(issuer.url()),
        json!(format!("{}/attacker", issuer.address)),
        json!("x' union select 'secret"),
        json!("$(id)"),
        json!("keys/0"),
        json!("0"),
        json!(long),
        json!(0),
        json!(["rsa-1"]),
        json!({"kid": "rsa-1"}),
    ] {
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": kid});
        let reply = studies(&hospital, &bearer(&header, &claims(), |message| KEYS.rsa.sign(message))).await;
        refused(&kid.to_string(), &reply);
        // Neither is there a secret behind it.
        for secret in [Vec::new(), vec![0]] {
            let header = json!({"alg": "HS256", "typ": "JWT", "kid": kid});
            let secret = Signer::Secret(secret);
            let reply = studies(&hospital, &bearer(&header, &claims(), |message| secret.sign(message))).await;
            refused(&kid.to_string(), &reply);
        }
    }
    assert_eq!(issuer.asked_for("/attacker"), 0);
}

#[tokio::test]
async fn a_key_that_is_not_for_it_or_not_fit_for_it_is_left_out_and_the_others_serve() {
    let (rsa, ec, ed) = (&KEYS.rsa, &KEYS.ec, &KEYS.ed);
    let (small, smaller, large) = (Signer::rsa(1024), Signer::rsa(2040), Signer::rsa(4104));
    let secret = Signer::Secret(random().to_vec());
    let with = |mut jwk: Value, name: &str, value: Value| {
        jwk[name] = value;
        jwk
    };
    let Signer::Ed(ed_key) = ed else { unreachable!() };
    // Those that are left out, each by a name of its own, and who signs for it.
    let unfit: Vec<(Value, &Signer)> = vec![
        (with(rsa.jwk("encrypts"), "use", json!("enc")), rsa),
        (with(rsa.jwk("is-used-for-a-number"), "use", json!(5)), rsa),
        (with(ec.jwk("only-signs"), "key_ops", json!(["sign"])), ec),
        (with(ec.jwk("does-nothing"), "key_ops", json!([])), ec),
        (with(ec.jwk("does-a-word"), "key_ops", json!("verify")), ec),
        (with(rsa.jwk("is-for-rs512"), "alg", json!("RS512")), rsa),
        (with(rsa.jwk("is-for-ps256"), "alg", json!("PS256")), rsa),
        (with(rsa.jwk("is-for-oaep"), "alg", json!("RSA-OAEP-256")), rsa),
        (with(rsa.jwk("is-for-hs256"), "alg", json!("HS256")), rsa),
        (with(ec.jwk("is-for-rs256"), "alg", json!("RS256")), ec),
        (with(ed.jwk("is-for-es256"), "alg", json!("ES256")), ed),
        (with(ec.jwk("p384"), "crv", json!("P-384")), ec),
        (with(ec.jwk("ec-on-ed"), "crv", json!("Ed25519")), ec),
        (with(ed.jwk("x25519"), "crv", json!("X25519")), ed),
        (with(ed.jwk("published-with-its-private-part"), "d", json!(encode(ed_key.to_bytes()))), ed),
        (with(ec.jwk("off-the-curve"), "y", ec.jwk("")["x"].clone()), ec),
        (with(ec.jwk("half-a-point"), "y", Value::Null), ec),
        (with(ed.jwk("cut-off"), "x", json!("AAAA")), ed),
        (with(ed.jwk("small-order"), "x", json!(encode([0; 32]))), ed),
        (with(rsa.jwk("exponent-one"), "e", json!("AQ")), rsa),
        (with(rsa.jwk("exponent-even"), "e", json!("Ag")), rsa),
        (with(rsa.jwk("exponent-zero"), "e", json!("AA")), rsa),
        (with(rsa.jwk("exponent-none"), "e", json!("")), rsa),
        (with(rsa.jwk("exponent-endless"), "e", rsa.jwk("")["n"].clone()), rsa),
        (with(rsa.jwk("modulus-even"), "n", json!(encode([0xfe; 256]))), rsa),
        (with(rsa.jwk("modulus-zero"), "n", json!(encode([0; 256]))), rsa),
        (with(rsa.jwk("modulus-none"), "n", json!("")), rsa),
        (with(rsa.jwk("not-base64"), "n", json!("+/+/")), rsa),
        (small.jwk("rsa-1024"), &small),
        (smaller.jwk("rsa-2040"), &smaller),
        (large.jwk("rsa-4104"), &large),
        (secret.jwk("oct"), &secret),
        (with(secret.jwk("oct-hs256"), "alg", json!("HS256")), &secret),
        (with(rsa.jwk("no-type"), "kty", Value::Null), rsa),
        (with(rsa.jwk("another-type"), "kty", json!("rsa")), rsa),
    ];
    let noise = [json!(5), json!(null), json!("key"), json!([]), json!({}), json!({"kty": {"kty": "RSA"}})];
    let fit = [
        with(rsa.jwk("rsa-fit"), "use", json!("sig")),
        with(ec.jwk("ec-fit"), "key_ops", json!(["sign", "verify"])),
        with(ed.jwk("ed-fit"), "alg", json!("EdDSA")),
    ];
    let keys = unfit.iter().map(|(jwk, _)| jwk.clone()).chain(noise).chain(fit);
    let issuer = Issuer::publishes(set(keys)).await;
    let hospital = issuer.hospital().await;

    for (jwk, signer) in &unfit {
        let kid = jwk["kid"].as_str().unwrap();
        refused(kid, &studies(&hospital, &signer.bearer(kid)).await);
    }
    let Signer::Rsa(rsa_key) = rsa else { unreachable!() };
    // Under an exponent of one anything is its own signature.
    let padded = bearer(&json!({"alg": "RS256", "kid": "exponent-one"}), &claims(), |message| {
        let digest_info = [
            &[
                0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
                0x05, 0, 4, 32,
            ],
            Sha256::digest(message).as_slice(),
        ]
        .concat();
        let filling = rsa_key.size() - digest_info.len() - 3;
        [vec![0, 1], vec![0xff; filling], vec![0], digest_info].concat()
    });
    refused("padding as it is", &studies(&hospital, &padded).await);
    for (kid, signer) in [("rsa-fit", rsa), ("ec-fit", ec), ("ed-fit", ed)] {
        studies(&hospital, &signer.bearer(kid)).await.expect_status(200);
    }
}

#[tokio::test]
async fn keys_of_one_name_are_each_their_own_and_a_token_without_a_name_is_tried_on_a_few() {
    let (first, second, third, fourth, fifth) =
        (Signer::ec(), Signer::ec(), Signer::ec(), Signer::ec(), Signer::ec());
    let larger = Signer::rsa(3072);
    let issuer = Issuer::publishes(set([
        first.jwk("same"),
        KEYS.ed.jwk("same"),
        second.jwk("same"),
        larger.jwk("same"),
        third.jwk("third"),
        fourth.jwk("fourth"),
        fifth.jwk("fifth"),
    ]))
    .await;
    let hospital = issuer.hospital().await;

    for signer in [&first, &second, &KEYS.ed, &larger] {
        studies(&hospital, &signer.bearer("same")).await.expect_status(200);
    }
    refused("a key of another name", &studies(&hospital, &third.bearer("same")).await);
    refused("a name of another key", &studies(&hospital, &first.bearer("third")).await);

    let nameless = |signer: &Signer| {
        bearer(&json!({"alg": signer.algorithm()}), &claims(), |message| signer.sign(message))
    };
    for signer in [&first, &second, &third, &fourth, &KEYS.ed, &larger] {
        studies(&hospital, &nameless(signer)).await.expect_status(200);
    }
    refused("one of too many", &studies(&hospital, &nameless(&fifth)).await);
    refused("none of them", &studies(&hospital, &nameless(&Signer::ec())).await);
    studies(&hospital, &fifth.bearer("fifth")).await.expect_status(200);
}

#[tokio::test]
async fn without_keys_of_an_issuer_only_the_secret_counts_and_the_other_way_round() {
    let issuer = Issuer::publishes(KEYS.set()).await;
    let by_keys = issuer.hospital().await;
    studies(&by_keys, &KEYS.ed.bearer("ed-1")).await.expect_status(200);
    for secret in [Vec::new(), b"undefined".to_vec(), random().to_vec()] {
        refused(
            "a secret, where there is none",
            &studies(&by_keys, &Signer::Secret(secret).bearer("x")).await,
        );
    }
    let healthy = by_keys.anonymous().get("/health").await;
    assert_eq!(healthy.body["checks"]["settings"], json!({"status": "up"}), "{healthy}");

    let by_secret = Hospital::open().await;
    by_secret.radiologist().get("/api/studies").await.expect_status(200);
    for (kid, signer) in KEYS.all() {
        refused(kid, &studies(&by_secret, &signer.bearer(kid)).await);
    }
}

#[tokio::test]
async fn a_setting_that_is_missing_or_malformed_is_named_and_lets_nobody_in() {
    let with = async |url: &str, secret: bool, development: bool| {
        Hospital::open_with(|settings| {
            settings.variables.insert("jwks_url".to_owned(), url.to_owned());
            settings.variables.insert("development".to_owned(), development.to_string());
            if !secret {
                settings.variables.remove("jwt_secret");
            }
        })
        .await
    };
    for (hospital, cause) in [
        (
            with("", false, true).await,
            "setting jwt_secret is empty, and so is jwks_url: set SPIN_VARIABLE_JWT_SECRET or SPIN_VARIABLE_JWKS_URL",
        ),
        (with("nonsense", true, true).await, "setting jwks_url must begin with https://"),
        (with("https:// /keys", true, true).await, "setting jwks_url is no URL"),
        (with("ftp://127.0.0.1/keys", true, true).await, "setting jwks_url must begin with https://"),
        (with("http://127.0.0.1:1/keys", true, false).await, "setting jwks_url must begin with https://"),
        (
            with("https://me:secret@127.0.0.1:1/keys", true, true).await,
            "setting jwks_url must hold no credentials",
        ),
    ] {
        for authorization in [KEYS.ed.bearer("ed-1"), Signer::Secret(Vec::new()).bearer("x")] {
            studies(&hospital, &authorization).await.expect_unavailable();
        }
        let health = hospital.anonymous().get("/health").await;
        health.expect_status(503);
        assert_eq!(health.body["checks"]["settings"], json!({"status": "down", "cause": cause}), "{health}");
        let log = hospital.log();
        assert!(log.contains(cause) && !log.contains("me:secret"), "{cause}\n{log}");
    }
}

#[tokio::test]
async fn an_issuer_is_asked_for_its_keys_and_not_for_each_token() {
    let issuer = Issuer::publishes(KEYS.set()).await;
    let hospital = issuer.hospital().await;
    let (rsa, ec, unknown) =
        (KEYS.rsa.bearer("rsa-1"), KEYS.ec.bearer("ec-1"), Signer::ed().bearer("nobody's"));
    for _ in 0..40 {
        studies(&hospital, &rsa).await.expect_status(200);
        refused("unknown", &studies(&hospital, &unknown).await);
    }
    // An instance asks once, and there are as many as requests at once, or a few more.
    assert!(issuer.asked() <= 20, "asked {} times", issuer.asked());

    let refusals = AtomicUsize::new(0);
    let many = (0..8).map(async |_| {
        for _ in 0..20 {
            studies(&hospital, &ec).await.expect_status(200);
            let reply = studies(&hospital, &unknown).await;
            refusals.fetch_add(usize::from(reply.status == 401), SeqCst);
        }
    });
    futures::future::join_all(many).await;
    assert_eq!(refusals.load(SeqCst), 160);
    assert!(issuer.asked() <= 80, "asked {} times for 400 tokens", issuer.asked());
}

#[tokio::test]
async fn a_new_key_is_found_within_a_minute_though_its_name_is_asked_for_all_the_time() {
    let issuer = Issuer::publishes(KEYS.set()).await;
    let hospital = issuer.hospital().await;
    studies(&hospital, &KEYS.ec.bearer("ec-1")).await.expect_status(200);

    let new = Signer::ec();
    issuer.now(Manner::Publishes(set([new.jwk("ec-2")])));
    let began = Instant::now();
    let mut asked = 0;
    loop {
        let reply = studies(&hospital, &new.bearer("ec-2")).await;
        asked += 1;
        if reply.status == 200 {
            break;
        }
        refused("not known yet", &reply);
        assert!(began.elapsed() < Duration::from_secs(90), "{asked} tokens, and none was believed");
        // Seldom enough that one instance, which is for 128 requests, lives to ask again.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(issuer.asked() * 5 <= asked.max(50), "asked {} times for {asked} tokens", issuer.asked());
}

#[tokio::test]
async fn keys_that_are_kept_serve_while_the_issuer_is_away_and_without_any_nobody_is_turned_down() {
    let mut issuer = Issuer::publishes(KEYS.set()).await;
    let mut hospital = issuer.hospital().await;
    let token = KEYS.rsa.bearer("rsa-1");
    studies(&hospital, &token).await.expect_status(200);

    issuer.closes().await;
    let mut served = 0;
    for _ in 0..30 {
        let reply = studies(&hospital, &token).await;
        match reply.status {
            200 => served += 1,
            // Another instance than before, which knows no keys.
            _ => reply.expect_unavailable(),
        }
    }
    assert!(served > 0);

    hospital.host.restart().await.unwrap();
    for authorization in [token, KEYS.ed.bearer("ed-1"), Signer::ec().bearer("nobody's")] {
        studies(&hospital, &authorization).await.expect_unavailable();
    }
    assert!(hospital.log().contains("its keys cannot be fetched from jwks_url"), "{}", hospital.log());
    // Who would not be let in with any key is told so.
    for header in [json!({"alg": "none"}), json!({"alg": "HS256"}), json!({"alg": "RS256", "crit": ["exp"]})]
    {
        refused("hopeless", &studies(&hospital, &bearer(&header, &claims(), |_| vec![1])).await);
    }
}

#[tokio::test]
async fn an_answer_that_is_no_set_of_keys_is_as_good_as_none() {
    let issuer = Issuer::publishes(KEYS.set()).await;
    let hospital = issuer.forgetful_hospital().await;
    let token = KEYS.ec.bearer("ec-1");
    let good = KEYS.set().to_string();
    let (half, _) = good.split_at(good.len() / 2);
    let many = |number: usize| {
        let keys = (0..number).map(|number| KEYS.ec.jwk(&format!("other-{number}")));
        Manner::Publishes(set(keys.chain([KEYS.ec.jwk("ec-1")])))
    };
    let padded = |length: usize| Manner::Says(format!("{good}{}", " ".repeat(length - good.len())));
    for (what, manner, cause) in [
        ("500", Manner::Refuses(500), "it answered 500"),
        ("404", Manner::Refuses(404), "it answered 404"),
        ("204", Manner::Refuses(204), "it answered 204"),
        ("a redirection", Manner::RedirectsTo(format!("{}/elsewhere", issuer.address)), "it answered 302"),
        ("nothing", Manner::Says(String::new()), "its answer is not JSON"),
        ("a page", Manner::Says("<html></html>".to_owned()), "its answer is not JSON"),
        ("half of it", Manner::Says(half.to_owned()), "its answer is not JSON"),
        ("something behind it", Manner::Says(format!("{good}{good}")), "its answer is not JSON"),
        ("depth", Manner::Says("[".repeat(200_000)), "its answer is not JSON"),
        ("keys alone", Manner::Publishes(json!([KEYS.ec.jwk("ec-1")])), "its answer is no set of keys"),
        ("one key", Manner::Publishes(KEYS.ec.jwk("ec-1")), "its answer is no set of keys"),
        (
            "keys that are none",
            Manner::Publishes(json!({"keys": {"ec-1": {}}})),
            "its answer is no set of keys",
        ),
        ("101 keys", many(100), "its answer holds too many keys"),
        ("5 MB", padded(5_000_000), "larger than 262144 bytes"),
        ("a byte too many", padded(256 * 1024 + 1), "larger than 262144 bytes"),
        ("silence", Manner::Silent, "no whole answer within 5 s"),
        ("dawdling", Manner::Dawdles, "no whole answer within 5 s"),
    ] {
        issuer.now(manner);
        let reply = studies(&hospital, &token).await;
        assert_eq!(reply.status, 503, "{what}: {reply}");
        reply.expect_unavailable();
        assert!(hospital.log().contains(cause), "{what}: {cause}\n{}", hospital.log());
    }
    assert_eq!(issuer.asked_for("/elsewhere"), 0);

    for manner in [many(99), padded(256 * 1024), Manner::Publishes(KEYS.set())] {
        issuer.now(manner);
        studies(&hospital, &token).await.expect_status(200);
    }
    // Who has no keys any more has withdrawn them.
    issuer.now(Manner::Publishes(set([])));
    refused("withdrawn", &studies(&hospital, &token).await);
}

#[tokio::test]
async fn what_was_interrupted_does_no_harm_to_the_next_request() {
    let issuer = Issuer::opens(Manner::Silent).await;
    let hospital = issuer.hospital().await;
    let token = KEYS.ec.bearer("ec-1");
    // The issuer is asked by one request, and answers nothing until that is given up.
    studies(&hospital, &token).await.expect_unavailable();
    issuer.now(Manner::Publishes(KEYS.set()));
    hospital
        .wait_for("the issuer to be asked again", async || {
            let reply = studies(&hospital, &token).await;
            assert!([200, 503].contains(&reply.status), "{reply}");
            (reply.status == 200).then_some(())
        })
        .await;
    assert!(!hospital.log().contains("the component was ended"), "{}", hospital.log());
}

#[test]
fn every_component_that_checks_tokens_may_ask_for_keys() {
    let manifest = std::fs::read_to_string(local::root().join("spin.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let mut checking = 0;
    for (name, component) in manifest["component"].as_table().unwrap() {
        let variables = component["variables"].as_table().unwrap();
        if variables.contains_key("jwt_issuer") {
            checking += 1;
            assert!(variables.contains_key("jwks_url") && variables.contains_key("development"), "{name}");
            let hosts = component["allowed_outbound_hosts"].to_string();
            assert!(
                hosts.contains("http://{{ jwks_host }}") && hosts.contains("https://{{ jwks_host }}"),
                "{name}"
            );
        }
    }
    assert!(checking >= 4, "{checking}");
}

#[tokio::test]
async fn a_method_that_changes_something_needs_no_less() {
    let issuer = Issuer::publishes(KEYS.set()).await;
    let hospital = issuer.hospital().await;
    let send = async |authorization: String| {
        let request = hospital.bearer(&authorization).request(Method::POST, "/api/uploads");
        Reply::of(request.json(&json!({"count": 1}))).await
    };
    send(KEYS.ed.bearer("ed-1")).await.expect_status(201);
    refused("another key", &send(Signer::ed().bearer("ed-1")).await);
}

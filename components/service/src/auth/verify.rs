//! Whether a token is to be believed: who signed it, for whom, and until when (RFC 8725).

use jsonwebtoken::{
    Algorithm, DecodingKey, Header, Validation,
    errors::{Error as TokenError, ErrorKind},
};

use super::{
    Claims,
    cache::Need,
    crypto,
    jwks::{Issuer, Keys},
};
use crate::{Error, Result, error::Unproven, setting, settings};

const NOT_VALID: Error = Error::Unauthenticated(Unproven::TokenInvalid);

pub(super) struct Verifier {
    signers: Signers,
    /// What the claims must say. The algorithm in it is another for each kind of key.
    validation: Validation,
}

/// Whose signatures are believed: those by the secret that we share with the platform, those by the keys that the
/// issuer publishes, or both.
pub(super) struct Signers {
    secret: Option<DecodingKey>,
    issuer: Option<Issuer>,
}

impl Signers {
    pub(super) async fn from_settings() -> Result<Self> {
        let secret = settings::optional("jwt_secret").await?;
        let issuer = match settings::optional("jwks_url").await? {
            Some(url) => {
                // What is not granted is not true.
                let http_allowed =
                    settings::optional("development").await?.is_some_and(|value| value == "true");
                Some(Issuer::at(&url, http_allowed)?)
            }
            None if secret.is_none() => {
                let why =
                    "is empty, and so is jwks_url: set SPIN_VARIABLE_JWT_SECRET or SPIN_VARIABLE_JWKS_URL";
                return Err(settings::malformed("jwt_secret", why));
            }
            None => None,
        };
        Ok(Self { secret: secret.map(|secret| DecodingKey::from_secret(secret.as_bytes())), issuer })
    }
}

impl Verifier {
    pub(super) async fn from_settings() -> Result<Self> {
        crypto::install();
        let mut validation = Validation::default();
        validation.set_issuer(&[setting("jwt_issuer").await?]);
        validation.set_audience(&[setting("jwt_audience").await?]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.validate_nbf = true;
        validation.leeway = 60;
        Ok(Self { signers: Signers::from_settings().await?, validation })
    }

    /// The claims of a token that is to be believed.
    pub(super) async fn claims(&self, token: &str) -> Result<Claims> {
        let header = jsonwebtoken::decode_header(token).map_err(refuse)?;
        // Of the rest of a header nothing is used: a key in it, or where to get one, is the sender's own word.
        if header.crit.is_some() || !is_of_a_token(header.typ.as_deref()) {
            return Err(NOT_VALID);
        }
        match (header.alg, &self.signers) {
            (Algorithm::HS256, Signers { secret: Some(secret), .. }) => {
                self.decode(token, Algorithm::HS256, secret).map_err(refuse)
            }
            (
                Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA,
                Signers { issuer: Some(issuer), .. },
            ) => self.claims_signed_by(issuer, token, &header).await,
            _ => Err(NOT_VALID),
        }
    }

    async fn claims_signed_by(&self, issuer: &Issuer, token: &str, header: &Header) -> Result<Claims> {
        let keys = issuer.keys(Need::Any).await?;
        if let Some(claims) = self.claims_by(&keys, token, header)? {
            return Ok(claims);
        }
        // The issuer may have a new key by now.
        let latest = issuer.keys(Need::Latest).await?;
        self.claims_by(&latest, token, header)?.ok_or(NOT_VALID)
    }

    /// The claims, if one of the keys signed the token; nothing if the one that did may be missing.
    fn claims_by(&self, keys: &Keys, token: &str, header: &Header) -> Result<Option<Claims>> {
        let mut tried = false;
        for key in keys.fitting(header) {
            match self.decode(token, header.alg, key) {
                Err(error) if *error.kind() == ErrorKind::InvalidSignature => tried = true,
                outcome => return outcome.map(Some).map_err(refuse),
            }
        }
        // The key that the token names is here, and did not sign it.
        if tried && header.kid.is_some() { Err(NOT_VALID) } else { Ok(None) }
    }

    /// One algorithm for a key, whatever the token's header says (RFC 8725 3.1).
    fn decode(&self, token: &str, algorithm: Algorithm, key: &DecodingKey) -> Result<Claims, TokenError> {
        let validation = Validation { algorithms: vec![algorithm], ..self.validation.clone() };
        jsonwebtoken::decode(token, key, &validation).map(|token| token.claims)
    }
}

/// Whether a header's `typ` is that of a token to come in with, or not there: one that was made for something else
/// stays for that (RFC 8725 3.11). `application/` may be left out (RFC 7515 4.1.9).
fn is_of_a_token(kind: Option<&str>) -> bool {
    kind.is_none_or(|kind| {
        let kind = kind.to_ascii_lowercase();
        ["jwt", "at+jwt"].contains(&kind.strip_prefix("application/").unwrap_or(&kind))
    })
}

fn refuse(error: TokenError) -> Error {
    Error::Unauthenticated(match error.kind() {
        ErrorKind::ExpiredSignature => Unproven::TokenExpired,
        ErrorKind::ImmatureSignature => Unproven::TokenEarly,
        ErrorKind::InvalidIssuer => Unproven::OtherIssuer,
        ErrorKind::InvalidAudience => Unproven::OtherAudience,
        _ => return NOT_VALID,
    })
}

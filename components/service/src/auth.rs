//! Who asks: the bearer's token, or a machine's event key.

use domain::{Caller, ExternalId, Role};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use subtle::ConstantTimeEq;

use crate::{Context, Error, Result, Setting, jwt_crypto, setting, settings};

/// The claims of a token, as the platform issues them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Claims {
    id: Option<String>,
    sub: Option<String>,
    role: String,
    organization_id: String,
    facility_ids: Option<Vec<String>>,
    patient_id: Option<String>,
}

struct Verifier {
    key: DecodingKey,
    validation: Validation,
}

static VERIFIER: Setting<Verifier> = Setting::new();

impl Verifier {
    async fn from_settings() -> Result<Self> {
        jwt_crypto::install();
        let secret = setting("jwt_secret").await?;
        // One algorithm for this key, whatever the token's header says (RFC 8725 3.1).
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[setting("jwt_issuer").await?]);
        validation.set_audience(&[setting("jwt_audience").await?]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.validate_nbf = true;
        validation.leeway = 60;
        Ok(Self { key: DecodingKey::from_secret(secret.as_bytes()), validation })
    }
}

pub(crate) async fn caller(cx: &Context) -> Result<Caller> {
    let header =
        cx.header("authorization").ok_or(Error::Unauthenticated("Send a token: Authorization: Bearer …"))?;
    let token = header
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or(Error::Unauthenticated("Send a token: Authorization: Bearer …"))?;
    let verifier = VERIFIER.get(Verifier::from_settings).await?;
    let token = jsonwebtoken::decode::<Claims>(token, &verifier.key, &verifier.validation).map_err(refuse)?;
    caller_from(token.claims)
}

fn refuse(error: jsonwebtoken::errors::Error) -> Error {
    use jsonwebtoken::errors::ErrorKind;
    Error::Unauthenticated(match error.kind() {
        ErrorKind::ExpiredSignature => "The token has expired. Get a new one.",
        ErrorKind::ImmatureSignature => "The token is not valid yet.",
        ErrorKind::InvalidIssuer => "The token is from another issuer.",
        ErrorKind::InvalidAudience => "The token is for another service.",
        _ => "The token is not valid.",
    })
}

fn caller_from(claims: Claims) -> Result<Caller> {
    let unfit = |_| Error::Unauthenticated("The token's claims cannot be read.");
    let id = claims.id.or(claims.sub).ok_or(Error::Unauthenticated("The token does not say whose it is."))?;
    let organization = ExternalId::try_from(claims.organization_id.as_str()).map_err(unfit)?;
    // The name under which tasks work across organizations is nobody's.
    if organization.as_str() == "*" {
        return Err(Error::Unauthenticated("The token's claims cannot be read."));
    }
    Ok(Caller {
        organization,
        id: ExternalId::try_from(id.as_str()).map_err(unfit)?,
        // A role that the table of rights does not know has no rights.
        role: claims.role.parse::<Role>().map_err(|_| Error::Forbidden("Your role may not do this."))?,
        facilities: claims
            .facility_ids
            .iter()
            .flatten()
            .map(|facility| ExternalId::try_from(facility.as_str()))
            .collect::<Result<_, _>>()
            .map_err(unfit)?,
        patient: claims.patient_id.as_deref().map(ExternalId::try_from).transpose().map_err(unfit)?,
    })
}

static EVENT_KEYS: Setting<Vec<String>> = Setting::new();

/// Compares in constant time with each valid key: there are two while one is rotated.
pub(crate) async fn event_key(cx: &Context) -> Result<()> {
    let keys = EVENT_KEYS
        .get(async || {
            let keys: Vec<String> = setting("event_key")
                .await?
                .split(',')
                .map(|key| key.trim().to_owned())
                .filter(|key| !key.is_empty())
                .collect();
            if keys.is_empty() { Err(settings::malformed("event_key", "holds no key")) } else { Ok(keys) }
        })
        .await?;
    let given = cx.header("x-event-key").unwrap_or_default().as_bytes();
    let valid = keys.iter().fold(subtle::Choice::from(0), |valid, key| valid | key.as_bytes().ct_eq(given));
    if bool::from(valid) { Ok(()) } else { Err(Error::Unauthenticated("Send the event key: x-event-key.")) }
}

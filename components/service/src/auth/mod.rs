//! Who asks: the bearer's token, or a machine's event key.

mod cache;
mod crypto;
mod jwks;
mod verify;

use domain::{Caller, ExternalId, Role};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use self::verify::{Signers, Verifier};
use crate::{Context, Error, Result, Setting, error::Unproven, setting, settings};

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

static VERIFIER: Setting<Verifier> = Setting::new();

pub(crate) async fn caller(cx: &Context) -> Result<Caller> {
    let header = cx.header("authorization").ok_or(Error::Unauthenticated(Unproven::TokenMissing))?;
    let token = header
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or(Error::Unauthenticated(Unproven::TokenMissing))?;
    let verifier = VERIFIER.get(Verifier::from_settings).await?;
    caller_from(verifier.claims(token).await?)
}

/// Whether the settings say with what a token is checked.
pub async fn check_settings() -> Result<()> {
    Signers::from_settings().await.map(drop)
}

fn caller_from(claims: Claims) -> Result<Caller> {
    let unfit = |_| Error::Unauthenticated(Unproven::ClaimsUnreadable);
    let id = claims.id.or(claims.sub).ok_or(Error::Unauthenticated(Unproven::HolderUnnamed))?;
    let organization = ExternalId::try_from(claims.organization_id.as_str()).map_err(unfit)?;
    // The name under which tasks work across organizations is nobody's.
    if organization.as_str() == "*" {
        return Err(Error::Unauthenticated(Unproven::ClaimsUnreadable));
    }
    Ok(Caller {
        organization,
        id: ExternalId::try_from(id.as_str()).map_err(unfit)?,
        role: claims.role.parse().unwrap_or(Role::Nobody),
        facilities: claims
            .facility_ids
            .iter()
            .flatten()
            .map(|facility| ExternalId::try_from(facility.as_str()))
            .collect::<Result<_, _>>()
            .map_err(unfit)?,
        patient: claims.patient_id.as_deref().map(ExternalId::try_from).transpose().map_err(unfit)?,
        emergency: false,
    })
}

/// Of each valid key its SHA-256, which is as long as any other's.
static EVENT_KEYS: Setting<Vec<[u8; 32]>> = Setting::new();

/// Compares in constant time with each valid key: there are two while one is rotated.
pub(crate) async fn event_key(cx: &Context) -> Result<()> {
    let keys = EVENT_KEYS
        .get(async || {
            let keys: Vec<[u8; 32]> = setting("event_key")
                .await?
                .split(',')
                .map(str::trim)
                .filter(|key| !key.is_empty())
                .map(|key| Sha256::digest(key).into())
                .collect();
            if keys.is_empty() { Err(settings::malformed("event_key", "holds no key")) } else { Ok(keys) }
        })
        .await?;
    let given: [u8; 32] = Sha256::digest(cx.header("x-event-key").unwrap_or_default()).into();
    let valid = keys.iter().fold(subtle::Choice::from(0), |valid, key| valid | key.ct_eq(&given));
    if bool::from(valid) { Ok(()) } else { Err(Error::Unauthenticated(Unproven::EventKey)) }
}

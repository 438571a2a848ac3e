//! Tokens as the platform issues them, for trying things and for tests.

use anyhow::Result;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

/// The issuer that the service expects unless told otherwise.
pub const ISSUER: &str = "global-healthcare-platform";
/// The audience that the service expects unless told otherwise.
pub const AUDIENCE: &str = "imaging-service";

/// What a token says. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Claims {
    /// Who it is.
    pub id: String,
    /// Their address.
    pub email: String,
    /// What they are: provider, technologist, radiologist, admin, patient.
    pub role: String,
    /// The tenant.
    pub organization_id: String,
    /// Where they work.
    pub facility_ids: Vec<String>,
    /// Single rights beside the role's.
    pub permissions: Vec<String>,
    /// Set when the role is patient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient_id: Option<String>,
    /// Who issued it.
    pub iss: String,
    /// Whom it is for.
    pub aud: String,
    /// When it was issued.
    pub iat: i64,
    /// When it ends.
    pub exp: i64,
}

impl Claims {
    /// Somebody with a role in an organization, for the next `minutes`.
    pub fn new(id: &str, role: &str, organization: &str, minutes: i64) -> Self {
        let now = jiff::Timestamp::now().as_second();
        Self {
            id: id.to_owned(),
            email: format!("{id}@example.org"),
            role: role.to_owned(),
            organization_id: organization.to_owned(),
            facility_ids: Vec::new(),
            permissions: Vec::new(),
            patient_id: None,
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            iat: now,
            exp: now + minutes * 60,
        }
    }

    /// The token, signed with HS256.
    pub fn sign(&self, secret: &str) -> Result<String> {
        let key = EncodingKey::from_secret(secret.as_bytes());
        Ok(jsonwebtoken::encode(&Header::new(Algorithm::HS256), self, &key)?)
    }
}

#[cfg(test)]
mod tests {
    use super::Claims;

    #[test]
    fn a_token_has_three_parts_and_the_platforms_claims() {
        let claims =
            Claims { facility_ids: vec!["fac-1".to_owned()], ..Claims::new("u1", "provider", "org-1", 5) };
        assert_eq!(claims.sign("secret").unwrap().split('.').count(), 3);
        let json = serde_json::to_value(&claims).unwrap();
        assert_eq!(json["organizationId"], "org-1");
        assert_eq!(json["facilityIds"][0], "fac-1");
        assert!(json.get("patientId").is_none());
        assert_eq!(json["exp"].as_i64().unwrap() - json["iat"].as_i64().unwrap(), 300);
    }
}

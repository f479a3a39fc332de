//! Tokens: what a good one says, and how one is made to try things out.
//!
//! The algorithm comes from the configuration and never from the token. All times are judged by the
//! [`Clock`]; the library would ask the computer's, so its own checks of times are switched off and made here.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::Unauthenticated;
use super::jwks::Jwks;
use crate::clock::Clock;
use crate::config::{JwksAlgorithm, SignIn, SignInKeys};
use crate::error::{Error, Result};
use crate::graphql::context::Role;

/// The longest token that is looked at, in bytes.
const MAX_BYTES: usize = 8 * 1024;

/// The longest subject, in characters.
const MAX_SUBJECT: usize = 255;

/// Checks tokens.
#[derive(Debug)]
pub(super) struct Verifier {
    keys: Keys,
    /// Holds the one algorithm; everything else of it is switched off.
    validation: Validation,
    issuer: String,
    audience: String,
    leeway: TimeDelta,
    clock: Clock,
}

/// The keys that signatures are checked with. The library shows none of them in `Debug`.
#[derive(Debug)]
enum Keys {
    Secret(DecodingKey),
    Public(Arc<Jwks>),
}

/// What a good token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verified {
    /// Who.
    pub(super) subject: String,
    /// For which account, by name. Whether there is one is not known yet.
    pub(super) account: String,
    /// As what.
    pub(super) role: Role,
    /// From when on the token is refused: its `exp` and the leeway.
    pub(super) expires_at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    account: String,
    role: String,
    iss: String,
    aud: Audience,
    exp: NumericDate,
    nbf: Option<NumericDate>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Some(Vec<String>),
}

/// Seconds since 1970; RFC 7519 allows a fraction, which is cut off.
#[derive(Deserialize)]
struct NumericDate(serde_json::Number);

impl NumericDate {
    fn time(&self) -> Option<DateTime<Utc>> {
        #[allow(clippy::cast_possible_truncation, reason = "a cast of a float to an integer saturates")]
        let seconds = self.0.as_i64().or_else(|| self.0.as_f64().map(|seconds| seconds as i64))?;
        DateTime::from_timestamp(seconds, 0)
    }
}

impl Verifier {
    /// Reads the keys.
    ///
    /// # Errors
    /// When public keys cannot be read, or none of them can be used.
    pub(super) async fn new(sign_in: &SignIn, clock: Clock) -> Result<Self> {
        let (keys, algorithm) = match &sign_in.keys {
            SignInKeys::Secret(secret) => (Keys::Secret(DecodingKey::from_secret(secret.as_bytes())), Algorithm::HS256),
            SignInKeys::Jwks { from, algorithm, refresh } => {
                let jwks = Jwks::open(from, *algorithm, *refresh, clock.clone()).await?;
                let algorithm = match algorithm {
                    JwksAlgorithm::Rs256 => Algorithm::RS256,
                    JwksAlgorithm::EdDsa => Algorithm::EdDSA,
                };
                (Keys::Public(jwks), algorithm)
            }
        };
        let mut validation = Validation::new(algorithm);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        Ok(Self {
            keys,
            validation,
            issuer: sign_in.issuer.clone(),
            audience: sign_in.audience.clone(),
            leeway: TimeDelta::from_std(sign_in.leeway).map_err(Error::internal)?,
            clock,
        })
    }

    /// What a token says, if it is good now.
    ///
    /// # Errors
    /// When it is not. Whether it is expired or not yet valid is told only once its signature is known to be good.
    pub(super) async fn verify(&self, token: &str) -> Result<Verified, Unauthenticated> {
        const NOT_VALID: Unauthenticated = Unauthenticated::NOT_VALID;
        if token.len() > MAX_BYTES {
            return Err(NOT_VALID);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| NOT_VALID)?;
        // Checked before a key is looked for, so that a token that cannot be good never leads to a request. An
        // extension that must be understood is one that is not understood here.
        if !self.validation.algorithms.contains(&header.alg) || header.crit.is_some() {
            return Err(NOT_VALID);
        }
        let claims = match &self.keys {
            Keys::Secret(key) => self.decode(token, key),
            Keys::Public(jwks) => {
                let keys = jwks.current(header.kid.as_deref()).await;
                keys.find(header.kid.as_deref()).and_then(|key| self.decode(token, key))
            }
        };
        self.judge(claims.ok_or(NOT_VALID)?)
    }

    /// The claims, if the signature is good.
    fn decode(&self, token: &str, key: &DecodingKey) -> Option<Claims> {
        jsonwebtoken::decode(token, key, &self.validation).ok().map(|data| data.claims)
    }

    fn judge(&self, claims: Claims) -> Result<Verified, Unauthenticated> {
        const NOT_VALID: Unauthenticated = Unauthenticated::NOT_VALID;
        let for_here = match &claims.aud {
            Audience::One(audience) => *audience == self.audience,
            Audience::Some(audiences) => audiences.contains(&self.audience),
        };
        let subject_fits = (1..=MAX_SUBJECT).contains(&claims.sub.chars().count());
        if !for_here || !subject_fits || claims.iss != self.issuer {
            return Err(NOT_VALID);
        }
        let role = match claims.role.as_str() {
            "VIEWER" => Role::Viewer,
            "CLERK" => Role::Clerk,
            "ADMIN" => Role::Admin,
            _ => return Err(NOT_VALID),
        };
        let now = self.clock.now();
        let from = claims.nbf.map(|date| date.time().ok_or(NOT_VALID)).transpose()?;
        let expires_at = claims.exp.time().and_then(|time| time.checked_add_signed(self.leeway)).ok_or(NOT_VALID)?;
        if now >= expires_at {
            return Err(Unauthenticated::EXPIRED);
        }
        if from.is_some_and(|from| from > now + self.leeway) {
            return Err(Unauthenticated::NOT_YET_VALID);
        }
        Ok(Verified { subject: claims.sub, account: claims.account, role, expires_at })
    }
}

/// A token to be made.
#[derive(Clone, Copy, Debug)]
pub struct Mint<'a> {
    /// The name of the account.
    pub account: &'a str,
    /// The name of the person or program: 1 to 255 characters.
    pub subject: &'a str,
    /// What they may do.
    pub role: Role,
    /// For how long, from now.
    pub expires_in: Duration,
}

#[derive(Serialize)]
struct NewClaims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    account: &'a str,
    role: &'a str,
    iat: i64,
    exp: i64,
}

/// Makes a token with the configured secret.
///
/// # Errors
/// When the configuration has no secret but public keys, or the subject or the time does not fit.
pub fn mint(sign_in: &SignIn, mint: Mint<'_>, now: DateTime<Utc>) -> Result<String> {
    let SignInKeys::Secret(secret) = &sign_in.keys else {
        return Err(Error::internal(
            "tokens are made by whoever holds the private key; with auth_jwks there are only public ones here",
        ));
    };
    if !(1..=MAX_SUBJECT).contains(&mint.subject.chars().count()) {
        return Err(Error::internal(format!("the subject must have 1 to {MAX_SUBJECT} characters")));
    }
    let expires_at = TimeDelta::from_std(mint.expires_in).ok().and_then(|time| now.checked_add_signed(time));
    let claims = NewClaims {
        iss: &sign_in.issuer,
        aud: &sign_in.audience,
        sub: mint.subject,
        account: mint.account,
        role: match mint.role {
            Role::Viewer => "VIEWER",
            Role::Clerk => "CLERK",
            Role::Admin => "ADMIN",
        },
        iat: now.timestamp(),
        exp: expires_at.ok_or_else(|| Error::internal("the token would never expire"))?.timestamp(),
    };
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).map_err(Error::internal)
}

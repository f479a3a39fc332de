//! Who is asking.
//!
//! Without sign-in everybody is the demo account's administrator, which is why only loopback is served then. With
//! it a caller is who a signed token says: [`token`](self) checks the token, [`jwks`](self) keeps the public keys,
//! and the account that the token names is looked up last, so that only a holder of a key can make the server ask.
//! What is wrong with a token is never told in detail, and no text of a token is ever repeated or logged.

mod accounts;
mod jwks;
mod token;

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::{SignIn, SignInKeys};
use crate::demo;
use crate::error::{Error, Result};
use crate::graphql::context::{Caller, Role};
use crate::graphql::types::money::currency_of_row;
use crate::store::{self, Database};
use accounts::KnownAccounts;
use token::Verifier;

pub use token::{Mint, mint};

/// Finds out who is asking.
#[derive(Clone, Debug)]
pub enum Authenticator {
    /// Local mode: always the same caller.
    Local(Caller),
    /// Sign-in: whoever a token names.
    Tokens(Arc<Tokens>),
}

/// What is needed to tell who a token names.
#[derive(Debug)]
pub struct Tokens {
    verifier: Verifier,
    accounts: KnownAccounts,
}

/// Why somebody is not signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unauthenticated {
    /// Words for the caller. They do not tell what a good token would be.
    pub message: &'static str,
    /// What kind of failure it is.
    pub reason: Reason,
}

/// Kinds of failures to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No token was sent: HTTP 401 with a bare challenge.
    NoToken,
    /// One was sent that lets nobody in: HTTP 401 with `error="invalid_token"`.
    BadToken,
    /// The token may be good, but the database did not answer: HTTP 503, and the token is not to be thrown away.
    Unavailable,
}

impl Unauthenticated {
    /// There is no token.
    pub const NO_TOKEN: Self = Self { message: "no token was sent", reason: Reason::NoToken };
    /// The token was good once.
    pub const EXPIRED: Self = Self { message: "the token has expired", reason: Reason::BadToken };
    /// The token will be good.
    pub const NOT_YET_VALID: Self = Self { message: "the token is not yet valid", reason: Reason::BadToken };
    /// Anything else that is wrong with the token or its account.
    pub const NOT_VALID: Self = Self { message: "the token is not valid", reason: Reason::BadToken };
    /// The account cannot be looked up now.
    pub const UNAVAILABLE: Self = Self { message: "the database did not answer", reason: Reason::Unavailable };
}

impl Authenticator {
    /// What the configuration asks for: tokens with sign-in, otherwise local mode.
    ///
    /// # Errors
    /// When public keys cannot be read or none of them can be used; in local mode, when the demo account is missing.
    pub async fn new(sign_in: Option<&SignIn>, database: &Database, clock: &Clock) -> Result<Self> {
        match sign_in {
            None => Self::local(database).await,
            Some(sign_in) => Ok(Self::Tokens(Arc::new(Tokens {
                verifier: Verifier::new(sign_in, clock.clone()).await?,
                accounts: KnownAccounts::new(database.clone(), clock.clone()),
            }))),
        }
    }

    /// Everybody is the demo account's administrator.
    ///
    /// # Errors
    /// When the demo account is missing.
    pub async fn local(database: &Database) -> Result<Self> {
        let reader = database.reader(Arc::default());
        let account = store::accounts::by_name(&reader, demo::ACCOUNT_NAME).await?.ok_or_else(|| {
            Error::internal("the demo account is missing; start with `dermaga serve` on its own database")
        })?;
        Ok(Self::Local(Caller {
            subject: "local".to_owned(),
            account: account.id,
            account_name: account.name,
            time_zone: account.time_zone.parse().map_err(Error::internal)?,
            base_currency: currency_of_row(&account.base_currency)?,
            role: Role::Admin,
            expires_at: None,
        }))
    }

    /// Who sends this `Authorization`. `None` is none at all; an empty one is a bad one.
    ///
    /// # Errors
    /// When nobody who may come in does.
    pub async fn caller(&self, authorization: Option<&str>) -> Result<Caller, Unauthenticated> {
        let tokens = match self {
            Self::Local(caller) => return Ok(caller.clone()),
            Self::Tokens(tokens) => tokens,
        };
        let token = bearer(authorization.ok_or(Unauthenticated::NO_TOKEN)?)?;
        let claims = tokens.verifier.verify(token).await?;
        let account = match tokens.accounts.find(&claims.account).await {
            Ok(account) => account.ok_or(Unauthenticated::NOT_VALID)?,
            Err(error) => {
                if !error.is_refused() {
                    tracing::error!(cause = %error.chain(), "an account cannot be looked up");
                }
                return Err(Unauthenticated::UNAVAILABLE);
            }
        };
        Ok(Caller {
            subject: claims.subject,
            account: account.id,
            account_name: claims.account,
            time_zone: account.time_zone,
            base_currency: account.base_currency,
            role: claims.role,
            expires_at: Some(claims.expires_at),
        })
    }
}

/// How callers sign in, for the log: no secret, and no credentials of a URL.
pub fn describe(sign_in: &SignIn) -> String {
    match &sign_in.keys {
        SignInKeys::Secret(_) => "HS256 with a secret".to_owned(),
        SignInKeys::Jwks { from, algorithm, .. } => {
            format!("{} with keys from {}", algorithm.name(), jwks::shown(from))
        }
    }
}

/// The token of `Bearer TOKEN`. The scheme may be written in any case.
fn bearer(authorization: &str) -> Result<&str, Unauthenticated> {
    let (scheme, token) = authorization.split_once(' ').ok_or(Unauthenticated::NOT_VALID)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim_matches(' ')) } else { Err(Unauthenticated::NOT_VALID) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The scheme is not a matter of taste, its capitals are.
    #[test]
    fn only_bearer_carries_a_token() {
        for good in ["Bearer abc", "bearer abc", "BEARER  abc "] {
            assert_eq!(bearer(good), Ok("abc"), "{good:?}");
        }
        for bad in ["", "abc", "Bearer", "Basic abc", "Bearer\tabc"] {
            assert_eq!(bearer(bad), Err(Unauthenticated::NOT_VALID), "{bad:?}");
        }
    }
}

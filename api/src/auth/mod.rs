//! Who is asking.

use crate::demo;
use crate::error::{Error, Result};
use crate::graphql::context::{Caller, Role};
use crate::store::{self, Database};

/// Finds out who is asking.
#[derive(Clone, Debug)]
pub enum Authenticator {
    /// Local mode: always the same caller.
    Local(Caller),
}

/// Why somebody is not signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unauthenticated {
    /// Words for the caller. They do not tell what a good token would be.
    pub message: &'static str,
}

impl Authenticator {
    /// Everybody is the demo account's administrator.
    ///
    /// # Errors
    /// When the demo account is missing.
    pub async fn local(database: &Database) -> Result<Self> {
        let reader = database.reader(std::sync::Arc::default());
        let account = store::accounts::by_name(&reader, demo::ACCOUNT_NAME).await?.ok_or_else(|| {
            Error::internal("the demo account is missing; start with `dermaga serve` on its own database")
        })?;
        Ok(Self::Local(Caller {
            subject: "local".to_owned(),
            account: account.id,
            account_name: account.name,
            time_zone: account.time_zone.parse().map_err(Error::internal)?,
            role: Role::Admin,
        }))
    }

    /// Who sends this `Authorization`.
    ///
    /// # Errors
    /// When nobody who may come in does.
    #[allow(clippy::unused_async, reason = "looks keys and accounts up once there is sign-in")]
    pub async fn caller(&self, _authorization: Option<&str>) -> Result<Caller, Unauthenticated> {
        match self {
            Self::Local(caller) => Ok(caller.clone()),
        }
    }
}

//! Who is asking.

use async_graphql::{Enum, Object};

use crate::graphql::context::{self, Caller};

/// Who is asking, and for which account.
#[derive(Clone, Debug)]
pub struct Viewer(pub Caller);

/// Who is asking, and for which account.
#[Object]
impl Viewer {
    /// The name of the person or program that is signed in; `local` where sign-in is not configured.
    async fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The name of the account whose payments are served.
    async fn account(&self) -> &str {
        &self.0.account_name
    }

    /// What the caller may do.
    async fn role(&self) -> Role {
        self.0.role.into()
    }
}

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "context::Role")]
pub enum Role {
    /// Read everything of the account.
    Viewer,
    /// Read and write payments.
    Clerk,
    /// Everything, request profiles included.
    Admin,
}

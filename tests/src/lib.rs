//! The harness of the integration tests.
//!
//! A test gets a server of its own on a free port, over a fresh database of its own, with a clock that stands
//! still on [`NOW`] until it is told otherwise. [`each_database!`] runs one test body on SQLite and on PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a harness may fail loudly, and writes rows that no scope would let it"
)]

mod answer;
mod app;
mod changes;
mod cli;
mod databases;
pub mod openai;
pub mod proxy;
mod redis;
mod replication;
mod rows;
mod sign_in;
pub mod staleness;
pub mod writers;

pub use answer::Answer;
pub use app::{NOW, TestApp, TestAppBuilder};
pub use changes::{Changed, MUTATIONS, change_body, money, new_key, new_payment, new_receipt, rupiah, with};
pub use cli::{Cli, Ended, Running, binary, read_answer};
pub use databases::{Backend, DatabaseGuard, data_folder};
pub use redis::RedisServer;
pub use replication::Replication;
pub use rows::{PaymentBuilder, insert_payments};
pub use sign_in::{AUDIENCE, ISSUER, SECRET, Session, SigningKey, TestClock, TokenBuilder};

/// Says something on a line of its own, however the test ends: the runner swallows what goes through `println!`.
pub fn say(text: &str) {
    use std::io::Write;
    // Whoever closed the stream does not want to hear it.
    let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// Runs each test on both databases.
///
/// ```text
/// each_database! {
///     /// Why the test exists.
///     async fn a_name(app: TestApp) { … }
/// }
/// ```
/// Without `TEST_POSTGRES_URL` the PostgreSQL half is left out, and said to be.
#[macro_export]
macro_rules! each_database {
    ($($tests:tt)*) => { $crate::each_of! { [sqlite: Sqlite, postgres: Postgres] $($tests)* } };
}

/// Like [`each_database!`], and also on PostgreSQL that compares vectors itself.
#[macro_export]
macro_rules! each_vector_store {
    ($($tests:tt)*) => { $crate::each_of! { [sqlite: Sqlite, postgres: Postgres, pgvector: Pgvector] $($tests)* } };
}

/// Runs each test on each of these databases.
#[doc(hidden)]
#[macro_export]
macro_rules! each_of {
    ($databases:tt $($(#[$attribute:meta])* async fn $name:ident($backend:ident: $type:ty) $body:block)*) => {$(
        $(#[$attribute])*
        mod $name {
            use super::*;

            async fn body($backend: $type) $body

            $crate::test_on! { $databases }
        }
    )*};
}

/// The tests of one body.
#[doc(hidden)]
#[macro_export]
macro_rules! test_on {
    ([$($name:ident: $backend:ident),*]) => {$(
        #[tokio::test]
        async fn $name() {
            if $crate::Backend::$backend.is_there() {
                body($crate::Backend::$backend).await;
            }
        }
    )*};
}

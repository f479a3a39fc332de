//! Integration tests: each talks to a running server, on SQLite and on PostgreSQL.

#![allow(missing_docs, reason = "a test's name and its first line say what it is for")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test; the helpers between the tests are tests too")]

mod payments;
mod readme;

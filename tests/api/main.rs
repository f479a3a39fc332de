//! Integration tests: each talks to a running server, on SQLite and on PostgreSQL.

#![allow(missing_docs, reason = "a test's name and its first line say what it is for")]

mod payments;

//! Reads and writes on the entities: the only place with SQL.
//!
//! One file per noun. A read takes a [`Reader`], which counts what it runs; nothing here knows of GraphQL,
//! and nothing here asks for one row per statement when it was given many keys.

pub mod accounts;
pub mod aging;
pub mod allocations;
pub mod assistant_uses;
mod breaker;
mod children;
pub mod commodities;
pub mod commodity_search;
mod database;
pub mod duty_measures;
pub mod embeddings;
mod gate;
pub mod idempotency_keys;
pub mod installments;
pub mod keys;
pub mod ledgers;
mod migrations;
pub mod page;
pub mod payment_events;
pub mod payment_filter;
pub mod payment_lines;
pub mod payment_rows;
pub mod payments;
pub mod plans;
pub mod prices;
pub mod prompts;
pub mod rates;
mod reader;
pub mod receipts;
pub mod reference_prices;
pub mod refunds;
pub mod regulation_chunks;
pub mod regulations;
pub mod standby;
pub mod successions;
mod text;
mod transaction;
mod unfinished;
pub mod vectors;
pub mod watch;
mod writes;

pub use breaker::is_refused;
pub use database::{Database, DatabaseSettings, Pool};
pub use migrations::Turn;
pub use reader::{Batch, Meter, Reader, Served};
pub use standby::{Position, StandbySettings, Written};
pub use transaction::{Transient, is_exhausted, is_unreachable};
pub use writes::Writes;

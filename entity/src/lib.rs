//! The tables as SeaORM entities, one file per noun.
//!
//! An entity knows its columns, its enumerations and its *scopes*: the only ways into a table that
//! belongs to an account. It knows nothing of GraphQL, and does no arithmetic on money.

#![allow(clippy::disallowed_methods, reason = "the scopes are written here, and SeaORM's macros find")]

pub mod account;
pub mod allocation;
pub mod assistant_use;
pub mod commodity;
pub mod commodity_price;
pub mod commodity_search;
pub mod commodity_succession;
pub mod commodity_vocabulary;
pub mod currency_rate;
pub mod duty_band;
pub mod duty_measure;
pub mod duty_measure_commodity;
pub mod embedding;
pub mod idempotency_key;
pub mod ids;
pub mod installment;
pub mod installment_plan;
pub mod payment;
pub mod payment_event;
pub mod payment_line;
pub mod placed;
pub mod price_series;
pub mod price_series_commodity;
pub mod prompt;
pub mod rate_source;
pub mod receipt;
pub mod reference_price;
pub mod refund;
pub mod regulation;
pub mod regulation_amendment;
pub mod regulation_chunk;

/// A table whose rows each belong to one account.
///
/// `of_account` is the way into such a table; `EntityTrait::find` is banned by `clippy.toml`, so that a
/// query without the account cannot be written by accident.
pub trait AccountScoped: sea_orm::EntityTrait {
    /// The column that holds the account.
    const ACCOUNT: Self::Column;

    /// All rows of one account and of no other.
    fn of_account(account: ids::AccountId) -> sea_orm::Select<Self> {
        use sea_orm::{ColumnTrait, QueryFilter};
        Self::find().filter(Self::ACCOUNT.eq(account))
    }
}

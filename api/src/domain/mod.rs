//! The vocabulary of the business: amounts, currencies, exchange rates and commodity codes.
//!
//! Everything here is a plain value with exact arithmetic. A module in this folder must never do
//! I/O, read the clock, draw a random number or touch a floating-point number, so that every rule
//! can be tested as a table and every result can be recomputed years later from what was stored.

pub mod currency;
pub mod decimal;
pub mod duty;
pub mod hs_code;
pub mod ledger;
pub mod money;
pub mod plan;
pub mod quotation;
pub mod rate;
pub mod rate_series;
pub mod rejection;
pub mod text;
pub mod words;

pub(crate) mod ratio;

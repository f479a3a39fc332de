//! Object types, one file per noun.

pub mod aggregates;
pub mod aging;
pub mod commodity;
pub mod cost;
pub mod currency;
pub mod installment;
pub mod money;
pub mod node;
pub mod payload;
pub mod payment;
pub mod payment_event;
pub mod plan_preview;
pub mod rate;
pub mod receipt;
pub mod refund;
pub mod user_error;
pub mod viewer;

//! Object types, one file per noun.

pub mod aggregates;
pub mod aging;
pub mod commodity;
pub mod cost;
pub mod currency;
pub mod duty_measure;
pub mod exact_money;
pub mod export_duty_quote;
pub mod installment;
pub mod money;
pub mod node;
pub mod payload;
pub mod payment;
pub mod payment_event;
pub mod plan_preview;
pub mod price_point;
pub mod rate;
pub mod rate_series;
pub mod receipt;
pub mod reference_price;
pub mod refund;
pub mod regulation;
pub mod user_error;
pub mod viewer;

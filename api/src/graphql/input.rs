//! Inputs as they are asked for, one file per subject.

pub mod change;
pub mod filter;
pub mod order;
pub mod plan;

use crate::error::{Error, code};

fn bad_input(message: impl Into<String>) -> Error {
    Error::caller(code::BAD_USER_INPUT, message)
}

//! Why a change, or the preview of one, is refused: as data, so that a program can act on it.
//!
//! A [`Rejection`] is an outcome that the caller expects to handle; what nobody expected is an
//! [`Error`](crate::error::Error). This module must never hold an error of ours.

use chrono::{DateTime, Utc};
use entity::ids::{PaymentId, ReceiptId};
use entity::payment;

use super::money::Money;

/// A refusal that the caller expects to handle.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejection {
    /// Where in the input it is, from the outside in: `["input", "plan", "items", "2", "amount"]`.
    pub field: Vec<String>,
    /// What is wrong, for a person.
    pub message: String,
    /// What is wrong, for a program.
    pub reason: Reason,
}

/// What is wrong. The larger parts are boxed, so that a result with a rejection in it stays small.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The input makes no sense.
    Invalid,
    /// What is named does not exist, or belongs to another account.
    NotFound,
    /// An amount is in another currency than what it is for.
    CurrencyMismatch,
    /// More is to be paid, waived or given back than there is.
    AmountExceedsOutstanding {
        /// What there is.
        outstanding: Money,
    },
    /// Amounts that were given one by one do not add up.
    PlanSumMismatch {
        /// What they must add up to.
        expected: Box<Money>,
        /// What they add up to.
        actual: Box<Money>,
    },
    /// What is asked for cannot be done to the payment as it is.
    InvalidState {
        /// The payment as it is.
        payment: Box<payment::Model>,
    },
    /// The payment is not the version any more that the caller has seen.
    VersionConflict {
        /// The payment as it is.
        current: Box<payment::Model>,
    },
    /// It is there already.
    Duplicate {
        /// The first one.
        existing: Existing,
    },
    /// The idempotency key was used for another request.
    KeyReused {
        /// When that was.
        first_used_at: DateTime<Utc>,
    },
    /// The first request with this idempotency key still runs.
    KeyInProgress {
        /// When to try again.
        retry_after_seconds: i32,
    },
    /// There is no rate that may be used.
    RateUnavailable,
}

/// What is there already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Existing {
    /// A payment with the same reference.
    Payment(PaymentId),
    /// A receipt with the same external reference.
    Receipt(ReceiptId),
}

impl Rejection {
    /// A refusal of what stands at `field`.
    pub fn new(
        field: impl IntoIterator<Item = impl Into<String>>,
        message: impl Into<String>,
        reason: Reason,
    ) -> Rejection {
        Rejection { field: field.into_iter().map(Into::into).collect(), message: message.into(), reason }
    }

    /// What stands at `field` makes no sense.
    pub fn invalid(field: impl IntoIterator<Item = impl Into<String>>, message: impl Into<String>) -> Rejection {
        Rejection::new(field, message, Reason::Invalid)
    }

    /// What `field` names does not exist, or belongs to another account.
    pub fn not_found(field: impl IntoIterator<Item = impl Into<String>>, message: impl Into<String>) -> Rejection {
        Rejection::new(field, message, Reason::NotFound)
    }

    /// The amounts at `field` add up to `actual` and must add up to `expected`.
    pub fn plan_sum_mismatch(
        field: impl IntoIterator<Item = impl Into<String>>,
        expected: Money,
        actual: Money,
    ) -> Rejection {
        let message = format!(
            "the amounts add up to {} {currency}, and must add up to {} {currency}",
            actual.amount(),
            expected.amount(),
            currency = expected.currency,
        );
        let reason = Reason::PlanSumMismatch { expected: Box::new(expected), actual: Box::new(actual) };
        Rejection::new(field, message, reason)
    }

    /// The amount at `field` is in another currency than what it is for.
    pub fn currency_mismatch(
        field: impl IntoIterator<Item = impl Into<String>>,
        message: impl Into<String>,
    ) -> Rejection {
        Rejection::new(field, message, Reason::CurrencyMismatch)
    }

    /// The amount at `field` is more than what is outstanding.
    pub fn exceeds_outstanding(
        field: impl IntoIterator<Item = impl Into<String>>,
        message: impl Into<String>,
        outstanding: Money,
    ) -> Rejection {
        Rejection::new(field, message, Reason::AmountExceedsOutstanding { outstanding })
    }

    /// What `field` asks for cannot be done to the payment as it is.
    pub fn invalid_state(
        field: impl IntoIterator<Item = impl Into<String>>,
        message: impl Into<String>,
        payment: payment::Model,
    ) -> Rejection {
        Rejection::new(field, message, Reason::InvalidState { payment: Box::new(payment) })
    }

    /// The payment is not the version any more that the caller has seen.
    pub fn version_conflict(
        field: impl IntoIterator<Item = impl Into<String>>,
        message: impl Into<String>,
        current: payment::Model,
    ) -> Rejection {
        Rejection::new(field, message, Reason::VersionConflict { current: Box::new(current) })
    }

    /// The same, where what was refused stands below `path`.
    #[must_use]
    pub fn under(mut self, path: impl IntoIterator<Item = impl Into<String>>) -> Rejection {
        self.field.splice(..0, path.into_iter().map(Into::into));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rule knows where in its own part of the input it looked, and its caller where that part is.
    #[test]
    fn a_path_grows_from_the_outside() {
        let rejection = Rejection::invalid(["items", "2", "amount"], "too much");
        let rejection = rejection.under(["plan"]).under(vec!["input".to_owned()]);
        assert_eq!(rejection.field, ["input", "plan", "items", "2", "amount"]);
        assert_eq!((rejection.message.as_str(), rejection.reason), ("too much", Reason::Invalid));
    }

    /// It is the error of many a result; clippy takes 128 bytes to be too many.
    #[test]
    fn a_rejection_is_small() {
        assert!(size_of::<Rejection>() < 128, "{}", size_of::<Rejection>());
    }
}

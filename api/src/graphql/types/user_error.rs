//! Outcomes that the caller expects to handle: they are data in the answer, and not errors beside it.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, Enum, Interface, SimpleObject};
use entity::payment;

use super::money::Money;
use super::node::Node;
use super::payment::{Payment, PaymentAction, PaymentStatus};
use crate::domain::rejection::{Existing, Reason, Rejection};
use crate::error::Result;
use crate::graphql::id::GlobalId;
use crate::graphql::scalars::DateTime;

/// What is wrong, for a program. New codes may be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ErrorCode {
    /// The input makes no sense.
    Invalid,
    /// What is named does not exist, or belongs to another account.
    NotFound,
    /// An amount is in another currency than what it is for.
    CurrencyMismatch,
    /// More is to be paid, waived or given back than there is.
    AmountExceedsOutstanding,
    /// Amounts that were given one by one do not add up.
    PlanSumMismatch,
    /// What is asked for cannot be done to the payment as it is.
    InvalidState,
    /// The payment has changed since the version that the caller has seen.
    VersionConflict,
    /// It is there already.
    Duplicate,
    /// The idempotency key was used for another request.
    IdempotencyKeyReused,
    /// The first request with this idempotency key still runs.
    IdempotencyInProgress,
    /// There is no rate that may be used.
    RateUnavailable,
}

/// Something that is wrong, and that the caller is expected to handle. New types may be added.
#[derive(Clone, Debug, Interface)]
#[graphql(
    field(name = "code", ty = "ErrorCode", desc = "What is wrong, for a program."),
    field(name = "message", ty = "&String", desc = "What is wrong, for a person. May change."),
    field(
        name = "field",
        ty = "&Vec<String>",
        desc = "Where in the input it is, from the outside in, such as `[\"plan\", \"explicit\", \"2\", \"amount\"]`: lists count from 0. Empty when it is in no one place."
    )
)]
pub enum UserError {
    /// The input makes no sense, or names nothing.
    ValidationError(ValidationError),
    /// There is not so much.
    AmountExceedsOutstanding(AmountExceedsOutstanding),
    /// The amounts do not add up.
    PlanSumMismatch(PlanSumMismatch),
    /// The payment is not in a state for it.
    InvalidState(InvalidState),
    /// The payment has changed.
    VersionConflict(VersionConflict),
    /// The idempotency key is taken.
    IdempotencyConflict(IdempotencyConflict),
    /// It is there already.
    DuplicateReference(DuplicateReference),
}

/// The input makes no sense, or names what is not there. The code tells which.
#[derive(Clone, Debug, SimpleObject)]
pub struct ValidationError {
    /// What is wrong, for a program.
    #[graphql(owned)]
    pub code: ErrorCode,
    /// What is wrong, for a person. May change.
    pub message: String,
    /// Where in the input it is, from the outside in. Empty when it is in no one place.
    pub field: Vec<String>,
}

/// More is to be paid, waived or given back than there is.
#[derive(Clone, Debug, SimpleObject)]
pub struct AmountExceedsOutstanding {
    /// Always `AMOUNT_EXCEEDS_OUTSTANDING`.
    #[graphql(owned)]
    pub code: ErrorCode,
    /// What is wrong, for a person. May change.
    pub message: String,
    /// Where in the input it is, from the outside in. Empty when it is in no one place.
    pub field: Vec<String>,
    /// How much there is.
    pub outstanding: Money,
}

/// Amounts that were given one by one do not add up.
#[derive(Clone, Debug, SimpleObject)]
pub struct PlanSumMismatch {
    /// Always `PLAN_SUM_MISMATCH`.
    #[graphql(owned)]
    pub code: ErrorCode,
    /// What is wrong, for a person. May change.
    pub message: String,
    /// Where in the input it is, from the outside in. Empty when it is in no one place.
    pub field: Vec<String>,
    /// What they must add up to.
    pub expected: Money,
    /// What they add up to.
    pub actual: Money,
}

/// What is asked for cannot be done to the payment as it is.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex)]
pub struct InvalidState {
    /// Always `INVALID_STATE`.
    #[graphql(owned)]
    pub code: ErrorCode,
    /// What is wrong, for a person. May change.
    pub message: String,
    /// Where in the input it is, from the outside in. Empty when it is in no one place.
    pub field: Vec<String>,
    /// How far the payment has come.
    pub status: PaymentStatus,
    /// The payment as it is.
    #[graphql(skip)]
    pub payment: Arc<payment::Model>,
}

#[ComplexObject]
impl InvalidState {
    /// What the caller may do to the payment instead.
    async fn allowed_actions(&self, ctx: &Context<'_>) -> Result<Vec<PaymentAction>> {
        Payment::new(Arc::clone(&self.payment))?.fetch_allowed_actions(ctx).await
    }
}

/// The payment has changed since the version that the caller has seen. Nothing was written.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex)]
pub struct VersionConflict {
    /// Always `VERSION_CONFLICT`.
    #[graphql(owned)]
    pub code: ErrorCode,
    /// What is wrong, for a person. May change.
    pub message: String,
    /// Where in the input it is, from the outside in. Empty when it is in no one place.
    pub field: Vec<String>,
    /// The version that the payment has.
    pub current_version: i32,
    /// The payment as it is.
    #[graphql(skip)]
    pub payment: Arc<payment::Model>,
}

#[ComplexObject]
impl VersionConflict {
    /// The payment as it is, to be looked at again.
    async fn current(&self) -> Result<Payment> {
        Payment::new(Arc::clone(&self.payment))
    }
}

/// The idempotency key is taken: by another request, or by one that still runs. The code tells which.
#[derive(Clone, Debug, SimpleObject)]
pub struct IdempotencyConflict {
    /// What is wrong, for a program.
    #[graphql(owned)]
    pub code: ErrorCode,
    /// What is wrong, for a person. May change.
    pub message: String,
    /// Where in the input it is, from the outside in. Empty when it is in no one place.
    pub field: Vec<String>,
    /// When the other request used the key. Null while the first request still runs.
    pub first_used_at: Option<DateTime>,
    /// When to send the request again. Null when that would not help, since the key was used for another one.
    pub retry_after_seconds: Option<i32>,
}

/// A payment with this reference, or a receipt with this external reference, is there already.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex)]
pub struct DuplicateReference {
    /// Always `DUPLICATE`.
    #[graphql(owned)]
    pub code: ErrorCode,
    /// What is wrong, for a person. May change.
    pub message: String,
    /// Where in the input it is, from the outside in. Empty when it is in no one place.
    pub field: Vec<String>,
    /// The first one.
    #[graphql(skip)]
    pub first: Existing,
}

#[ComplexObject]
impl DuplicateReference {
    /// The payment or the receipt that is there. Null when it cannot be loaded.
    async fn existing(&self, ctx: &Context<'_>) -> Option<Result<Node>> {
        let id = match self.first {
            Existing::Payment(id) => GlobalId::Payment(id),
            Existing::Receipt(id) => GlobalId::Receipt(id),
        };
        Node::fetch(ctx, id).await.transpose()
    }
}

impl From<Rejection> for UserError {
    fn from(Rejection { field, message, reason }: Rejection) -> Self {
        let simple = |code, message, field| Self::ValidationError(ValidationError { code, message, field });
        match reason {
            Reason::Invalid => simple(ErrorCode::Invalid, message, field),
            Reason::NotFound => simple(ErrorCode::NotFound, message, field),
            Reason::CurrencyMismatch => simple(ErrorCode::CurrencyMismatch, message, field),
            Reason::RateUnavailable => simple(ErrorCode::RateUnavailable, message, field),
            Reason::AmountExceedsOutstanding { outstanding } => {
                let (code, outstanding) = (ErrorCode::AmountExceedsOutstanding, Money(outstanding));
                Self::AmountExceedsOutstanding(AmountExceedsOutstanding { code, message, field, outstanding })
            }
            Reason::PlanSumMismatch { expected, actual } => {
                let (code, expected, actual) = (ErrorCode::PlanSumMismatch, Money(*expected), Money(*actual));
                Self::PlanSumMismatch(PlanSumMismatch { code, message, field, expected, actual })
            }
            Reason::InvalidState { payment } => {
                let (code, status) = (ErrorCode::InvalidState, payment.status.into());
                Self::InvalidState(InvalidState { code, message, field, status, payment: Arc::new(*payment) })
            }
            Reason::VersionConflict { current } => {
                let (code, current_version) = (ErrorCode::VersionConflict, current.version);
                let payment = Arc::new(*current);
                Self::VersionConflict(VersionConflict { code, message, field, current_version, payment })
            }
            Reason::Duplicate { existing } => {
                let code = ErrorCode::Duplicate;
                Self::DuplicateReference(DuplicateReference { code, message, field, first: existing })
            }
            Reason::KeyReused { first_used_at } => Self::IdempotencyConflict(IdempotencyConflict {
                code: ErrorCode::IdempotencyKeyReused,
                message,
                field,
                first_used_at: Some(DateTime(first_used_at)),
                retry_after_seconds: None,
            }),
            Reason::KeyInProgress { retry_after_seconds } => Self::IdempotencyConflict(IdempotencyConflict {
                code: ErrorCode::IdempotencyInProgress,
                message,
                field,
                first_used_at: None,
                retry_after_seconds: Some(retry_after_seconds),
            }),
        }
    }
}

#[cfg(test)]
mod tests;

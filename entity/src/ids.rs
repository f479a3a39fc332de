//! Identifiers, one type per noun, so that an installment's id cannot be passed for a payment's.

use sea_orm::DeriveValueType;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType, Serialize, Deserialize)]
        pub struct $name(pub Uuid);

        impl sea_orm::TryFromU64 for $name {
            /// A UUID is never handed out by the database as a number.
            fn try_from_u64(_: u64) -> Result<Self, sea_orm::DbErr> {
                Err(sea_orm::DbErr::ConvertFromU64(stringify!($name)))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

ids! {
    /// Identifies an account: whose money it is.
    AccountId;
    /// Identifies a payment. A UUIDv7, so that ids rise with the time of creation.
    PaymentId;
    /// Identifies a revision of a payment's installment plan.
    InstallmentPlanId;
    /// Identifies an installment.
    InstallmentId;
    /// Identifies a receipt.
    ReceiptId;
    /// Identifies an allocation of a receipt to an installment.
    AllocationId;
    /// Identifies a line of a payment.
    PaymentLineId;
    /// Identifies a refund of a receipt.
    RefundId;
}

/// What stands before the id of a noun that clients may name, so that a person sees what it is.
macro_rules! global_ids {
    ($($name:ident $prefix:literal;)*) => {$(
        impl $name {
            /// What stands before `_` in the global id.
            pub const PREFIX: &str = $prefix;

            /// The id as clients see it.
            pub fn global(self) -> String {
                format!(concat!($prefix, "_{}"), self.0.simple())
            }
        }
    )*};
}

global_ids! {
    PaymentId "pay";
    InstallmentId "ins";
    ReceiptId "rec";
    RefundId "ref";
}

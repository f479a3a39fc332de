//! Payment events: every change of a payment, in order, each sealed with the hash of the one before.

use sea_orm::entity::prelude::*;

use crate::AccountScoped;
use crate::ids::{AccountId, PaymentId};

/// One change of one payment. Never changed and never removed.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payment_event")]
pub struct Model {
    /// The payment.
    #[sea_orm(primary_key, auto_increment = false)]
    pub payment_id: PaymentId,
    /// 1 for the creation; the version that the payment had after the change.
    #[sea_orm(primary_key, auto_increment = false)]
    pub sequence: i32,
    /// The account of the payment.
    pub account_id: AccountId,
    /// When it was recorded.
    pub at: DateTimeUtc,
    /// What happened.
    pub kind: Kind,
    /// Who did it: the subject of a token, or the name of a program.
    pub actor: String,
    /// The request that did it.
    pub request_id: Option<String>,
    /// Why, in the words of whoever did it.
    pub reason: Option<String>,
    /// What changed as it was before: canonical JSON. `None` for the creation.
    pub before: Option<String>,
    /// What changed as it is since: canonical JSON.
    pub after: String,
    /// The hash of the event before; 64 zeros for the first.
    pub prev_hash: String,
    /// SHA-256 of the hash before and of this event, in hexadecimal.
    pub hash: String,
}

/// What happened to a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// It was created.
    PaymentCreated,
    /// What is outstanding was spread by a new plan.
    PaymentRescheduled,
    /// It was called off.
    PaymentCancelled,
    /// What is outstanding was given up.
    PaymentWrittenOff,
    /// Money arrived.
    ReceiptRecorded,
    /// A receipt was undone.
    ReceiptReversed,
    /// Money was given back.
    ReceiptRefunded,
    /// An installment, or a part of one, was forgiven.
    InstallmentWaived,
}

impl AccountScoped for Entity {
    const ACCOUNT: Column = Column::AccountId;
}

impl ActiveModelBehavior for ActiveModel {}

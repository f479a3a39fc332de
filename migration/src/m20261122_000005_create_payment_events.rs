//! What changes of payments leave behind: events, refunds, idempotency keys, frozen rates.
//!
//! An older replica goes on reading. It must not write: it would add no events.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::ddl;

/// See the module.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, DOWN).await
    }
}

const UP: &str = r#"
-- The hash of the payment's last event; 64 zeros before the first.
ALTER TABLE payment ADD COLUMN head_hash {text} NOT NULL
    DEFAULT '0000000000000000000000000000000000000000000000000000000000000000';

-- What the plan gave the installment; a later plan may have closed it at less.
ALTER TABLE installment ADD COLUMN planned_amount {bigint} NOT NULL DEFAULT 0;

UPDATE installment SET planned_amount = amount;

ALTER TABLE receipt ADD COLUMN fx_quote {text};

ALTER TABLE receipt ADD COLUMN fx_rate {text};

ALTER TABLE receipt ADD COLUMN fx_effective_date {date};

ALTER TABLE receipt ADD COLUMN fx_purpose {text};

ALTER TABLE receipt ADD COLUMN fx_source {text} REFERENCES rate_source (code);

CREATE TABLE refund (
    id {uuid} NOT NULL PRIMARY KEY,
    account_id {uuid} NOT NULL REFERENCES account (id),
    payment_id {uuid} NOT NULL REFERENCES payment (id),
    receipt_id {uuid} NOT NULL REFERENCES receipt (id),
    currency {text} NOT NULL,
    amount {bigint} NOT NULL CONSTRAINT refund_amount_positive CHECK (amount > 0),
    reason {text} NOT NULL,
    created_at {timestamp} NOT NULL
) {table};

CREATE INDEX refund_by_creation ON refund (payment_id, created_at, id);

CREATE INDEX refund_by_receipt ON refund (receipt_id);

CREATE TABLE payment_event (
    payment_id {uuid} NOT NULL REFERENCES payment (id),
    sequence integer NOT NULL CONSTRAINT payment_event_sequence_positive CHECK (sequence > 0),
    account_id {uuid} NOT NULL REFERENCES account (id),
    at {timestamp} NOT NULL,
    kind {text} NOT NULL
        CONSTRAINT payment_event_kind_known CHECK (kind IN (
            'PAYMENT_CREATED', 'PAYMENT_RESCHEDULED', 'PAYMENT_CANCELLED', 'PAYMENT_WRITTEN_OFF',
            'RECEIPT_RECORDED', 'RECEIPT_REVERSED', 'RECEIPT_REFUNDED', 'INSTALLMENT_WAIVED')),
    actor {text} NOT NULL,
    request_id {text},
    reason {text},
    before {text},
    after {text} NOT NULL,
    prev_hash {text} NOT NULL,
    hash {text} NOT NULL,
    PRIMARY KEY (payment_id, sequence)
) {table};

CREATE TABLE idempotency_key (
    account_id {uuid} NOT NULL REFERENCES account (id),
    mutation {text} NOT NULL,
    key {text} NOT NULL,
    request_hash {text} NOT NULL,
    result {text} NOT NULL,
    created_at {timestamp} NOT NULL,
    PRIMARY KEY (account_id, mutation, key)
) {table};

-- For whoever removes old ones.
CREATE INDEX idempotency_key_by_creation ON idempotency_key (created_at);
"#;

const DOWN: &str = "
DROP TABLE idempotency_key;
DROP TABLE payment_event;
DROP TABLE refund;
ALTER TABLE receipt DROP COLUMN fx_source;
ALTER TABLE receipt DROP COLUMN fx_purpose;
ALTER TABLE receipt DROP COLUMN fx_effective_date;
ALTER TABLE receipt DROP COLUMN fx_rate;
ALTER TABLE receipt DROP COLUMN fx_quote;
ALTER TABLE installment DROP COLUMN planned_amount;
ALTER TABLE payment DROP COLUMN head_hash;
";

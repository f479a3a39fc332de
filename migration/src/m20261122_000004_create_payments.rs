//! Payments, their plans, installments, receipts, allocations and lines.
//!
//! An older replica does not know the new tables and does not miss them.

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
CREATE TABLE payment (
    id {uuid} NOT NULL PRIMARY KEY,
    account_id {uuid} NOT NULL REFERENCES account (id),
    reference {text} NOT NULL,
    payer_name {text},
    description {text},
    currency {text} NOT NULL,
    amount {bigint} NOT NULL CONSTRAINT payment_amount_positive CHECK (amount > 0),
    allocated {bigint} NOT NULL CONSTRAINT payment_allocated_in_range CHECK (allocated BETWEEN 0 AND amount),
    waived {bigint} NOT NULL CONSTRAINT payment_waived_in_range CHECK (waived BETWEEN 0 AND amount),
    written_off {bigint} NOT NULL CONSTRAINT payment_written_off_in_range CHECK (written_off BETWEEN 0 AND amount),
    outstanding {bigint} NOT NULL CONSTRAINT payment_outstanding_in_range CHECK (outstanding BETWEEN 0 AND amount),
    received {bigint} NOT NULL CONSTRAINT payment_received_not_negative CHECK (received >= 0),
    refunded {bigint} NOT NULL CONSTRAINT payment_refunded_in_range CHECK (refunded BETWEEN 0 AND received),
    credit {bigint} NOT NULL CONSTRAINT payment_credit_not_negative CHECK (credit >= 0),
    status {text} NOT NULL,
    time_zone {text} NOT NULL,
    next_due_date {date},
    version integer NOT NULL CONSTRAINT payment_version_positive CHECK (version > 0),
    created_at {timestamp} NOT NULL,
    updated_at {timestamp} NOT NULL,
    -- A sort key is never null, so that a keyset page can compare it: nulls last, nulls first.
    next_due_or_last {date} GENERATED ALWAYS AS (coalesce(next_due_date, {last_date})) STORED,
    next_due_or_first {date} GENERATED ALWAYS AS (coalesce(next_due_date, {first_date})) STORED,
    CONSTRAINT payment_reference_key UNIQUE (account_id, reference),
    CONSTRAINT payment_adds_up CHECK (
        (status = 'CANCELLED' AND allocated = 0 AND waived = 0 AND written_off = 0 AND outstanding = 0 AND received = 0)
        OR (status <> 'CANCELLED' AND allocated + waived + written_off + outstanding = amount)
    ),
    CONSTRAINT payment_status_follows_amounts CHECK (
        (status = 'OPEN' AND outstanding = amount)
        OR (status = 'PARTIALLY_PAID' AND outstanding > 0 AND outstanding < amount AND written_off = 0)
        OR (status = 'PAID' AND outstanding = 0 AND written_off = 0)
        OR (status = 'WRITTEN_OFF' AND outstanding = 0 AND written_off > 0)
        OR (status = 'CANCELLED')
    )
) {table};

-- One index for each order of the list of payments; the id makes every position distinct.
CREATE INDEX payment_by_creation ON payment (account_id, created_at, id);

CREATE INDEX payment_by_amount ON payment (account_id, currency, amount, id);

CREATE INDEX payment_by_outstanding ON payment (account_id, currency, outstanding, id);

CREATE INDEX payment_by_next_due_nulls_last ON payment (account_id, next_due_or_last, id);

CREATE INDEX payment_by_next_due_nulls_first ON payment (account_id, next_due_or_first, id);

CREATE TABLE installment_plan (
    id {uuid} NOT NULL PRIMARY KEY,
    account_id {uuid} NOT NULL REFERENCES account (id),
    payment_id {uuid} NOT NULL REFERENCES payment (id),
    revision integer NOT NULL CONSTRAINT installment_plan_revision_positive CHECK (revision > 0),
    frequency {text} NOT NULL
        CONSTRAINT installment_plan_frequency_known
        CHECK (frequency IN ('WEEKLY', 'BIWEEKLY', 'MONTHLY', 'QUARTERLY', 'CUSTOM')),
    count integer NOT NULL CONSTRAINT installment_plan_count_positive CHECK (count > 0),
    remainder {text}
        CONSTRAINT installment_plan_remainder_known CHECK (remainder IN ('LAST', 'FIRST', 'SPREAD')),
    rounding_unit {bigint} NOT NULL CONSTRAINT installment_plan_unit_positive CHECK (rounding_unit > 0),
    created_at {timestamp} NOT NULL,
    CONSTRAINT installment_plan_revision_key UNIQUE (payment_id, revision)
) {table};

CREATE TABLE installment (
    id {uuid} NOT NULL PRIMARY KEY,
    account_id {uuid} NOT NULL REFERENCES account (id),
    payment_id {uuid} NOT NULL REFERENCES payment (id),
    plan_revision integer NOT NULL,
    sequence integer NOT NULL CONSTRAINT installment_sequence_positive CHECK (sequence > 0),
    kind {text} NOT NULL
        CONSTRAINT installment_kind_known CHECK (kind IN ('DEPOSIT', 'INSTALLMENT', 'BALANCE')),
    due_date {date} NOT NULL,
    currency {text} NOT NULL,
    amount {bigint} NOT NULL CONSTRAINT installment_amount_positive CHECK (amount > 0),
    allocated {bigint} NOT NULL CONSTRAINT installment_allocated_in_range CHECK (allocated BETWEEN 0 AND amount),
    waived {bigint} NOT NULL CONSTRAINT installment_waived_in_range CHECK (waived BETWEEN 0 AND amount),
    outstanding {bigint} NOT NULL,
    status {text} NOT NULL,
    settled_at {timestamp},
    CONSTRAINT installment_sequence_key UNIQUE (payment_id, plan_revision, sequence),
    CONSTRAINT installment_adds_up CHECK (
        (status = 'VOID' AND allocated = 0 AND waived = 0 AND outstanding = 0)
        OR (status <> 'VOID' AND allocated + waived + outstanding = amount AND outstanding >= 0)
    ),
    CONSTRAINT installment_status_follows_amounts CHECK (
        (status = 'PENDING' AND allocated = 0 AND outstanding > 0)
        OR (status = 'PARTIALLY_PAID' AND allocated > 0 AND outstanding > 0)
        OR (status = 'PAID' AND outstanding = 0 AND waived = 0)
        OR (status = 'WAIVED' AND outstanding = 0 AND waived > 0)
        OR (status = 'VOID')
    )
) {table};

CREATE INDEX installment_by_due_date ON installment (payment_id, due_date, sequence, id);

CREATE TABLE receipt (
    id {uuid} NOT NULL PRIMARY KEY,
    account_id {uuid} NOT NULL REFERENCES account (id),
    payment_id {uuid} NOT NULL REFERENCES payment (id),
    currency {text} NOT NULL,
    amount {bigint} NOT NULL CONSTRAINT receipt_amount_positive CHECK (amount > 0),
    unallocated {bigint} NOT NULL CONSTRAINT receipt_unallocated_in_range CHECK (unallocated BETWEEN 0 AND amount),
    refunded {bigint} NOT NULL CONSTRAINT receipt_refunded_in_range CHECK (refunded BETWEEN 0 AND amount),
    received_at {timestamp} NOT NULL,
    method {text} NOT NULL,
    external_reference {text},
    reversed_at {timestamp},
    created_at {timestamp} NOT NULL,
    CONSTRAINT receipt_external_reference_key UNIQUE (account_id, external_reference)
) {table};

CREATE INDEX receipt_by_arrival ON receipt (payment_id, received_at, id);

CREATE TABLE allocation (
    id {uuid} NOT NULL PRIMARY KEY,
    account_id {uuid} NOT NULL REFERENCES account (id),
    receipt_id {uuid} NOT NULL REFERENCES receipt (id),
    installment_id {uuid} NOT NULL REFERENCES installment (id),
    currency {text} NOT NULL,
    amount {bigint} NOT NULL CONSTRAINT allocation_amount_positive CHECK (amount > 0)
) {table};

CREATE INDEX allocation_by_receipt ON allocation (receipt_id, id);

CREATE INDEX allocation_by_installment ON allocation (installment_id, id);

CREATE TABLE payment_line (
    id {uuid} NOT NULL PRIMARY KEY,
    account_id {uuid} NOT NULL REFERENCES account (id),
    payment_id {uuid} NOT NULL REFERENCES payment (id),
    position integer NOT NULL CONSTRAINT payment_line_position_positive CHECK (position > 0),
    commodity_code {text} REFERENCES commodity (code),
    description {text} NOT NULL,
    quantity {text} NOT NULL,
    unit {text} NOT NULL,
    currency {text} NOT NULL,
    unit_price {bigint} NOT NULL CONSTRAINT payment_line_unit_price_not_negative CHECK (unit_price >= 0),
    total {bigint} NOT NULL CONSTRAINT payment_line_total_not_negative CHECK (total >= 0),
    CONSTRAINT payment_line_position_key UNIQUE (payment_id, position)
) {table};
"#;

const DOWN: &str = "
DROP TABLE payment_line;
DROP TABLE allocation;
DROP TABLE receipt;
DROP TABLE installment;
DROP TABLE installment_plan;
DROP TABLE payment;
";

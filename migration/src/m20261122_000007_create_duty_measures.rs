//! Export duty and levies: regulations, measures with their bands, and what is published for a period.
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
CREATE TABLE regulation (
    number {text} NOT NULL PRIMARY KEY,
    title {text} NOT NULL,
    issued_on {date},
    in_force_from {date},
    in_force_to {date},
    url {text},
    CONSTRAINT regulation_in_force_in_order CHECK (in_force_to >= in_force_from)
) {table};

CREATE TABLE regulation_amendment (
    regulation {text} NOT NULL REFERENCES regulation (number),
    amends {text} NOT NULL REFERENCES regulation (number),
    CONSTRAINT regulation_amendment_of_another CHECK (regulation <> amends),
    PRIMARY KEY (regulation, amends)
) {keyed_table};

CREATE TABLE duty_measure (
    code {text} NOT NULL PRIMARY KEY,
    kind {text} NOT NULL CONSTRAINT duty_measure_kind_known
        CHECK (kind IN ('EXPORT_DUTY', 'EXPORT_LEVY', 'EXPORT_BAN', 'EXPORT_PERMIT')),
    duty_kind {text} NOT NULL CONSTRAINT duty_measure_duty_kind_known CHECK (duty_kind IN ('AD_VALOREM', 'SPECIFIC')),
    product {text} NOT NULL,
    product_key {text} NOT NULL,
    valid_from {date} NOT NULL,
    valid_to {date},
    CONSTRAINT duty_measure_valid_in_order CHECK (valid_to >= valid_from)
) {table};

CREATE UNIQUE INDEX duty_measure_of_product ON duty_measure (product_key, kind, valid_from);

-- The codes that a measure names. Of some codes only a part of the goods is meant ("ex").
CREATE TABLE duty_measure_commodity (
    commodity {text} NOT NULL REFERENCES commodity (code),
    measure {text} NOT NULL REFERENCES duty_measure (code),
    part {boolean} NOT NULL,
    PRIMARY KEY (commodity, measure)
) {keyed_table};

CREATE INDEX duty_measure_commodity_measure ON duty_measure_commodity (measure, commodity);

CREATE TABLE duty_band (
    measure {text} NOT NULL REFERENCES duty_measure (code),
    sequence integer NOT NULL CONSTRAINT duty_band_sequence_positive CHECK (sequence > 0),
    rule {text} NOT NULL,
    low {text},
    low_inclusive {boolean} NOT NULL,
    high {text},
    high_inclusive {boolean} NOT NULL,
    band_unit {text},
    rate {text} NOT NULL,
    rate_unit {text} NOT NULL,
    legal_basis {text} NOT NULL,
    confidence {text} NOT NULL,
    source_url {text},
    CONSTRAINT duty_band_edges_have_a_unit CHECK (band_unit IS NOT NULL OR (low IS NULL AND high IS NULL)),
    PRIMARY KEY (measure, sequence)
) {keyed_table};

CREATE UNIQUE INDEX duty_band_rule ON duty_band (rule);

-- What a decree prints for a period: the reference price, the export price (HPE), and the duty or levy itself.
CREATE TABLE reference_price (
    product_key {text} NOT NULL,
    kind {text} NOT NULL
        CONSTRAINT reference_price_kind_known CHECK (kind IN ('REFERENCE', 'HPE', 'DUTY', 'LEVY')),
    valid_from {date} NOT NULL,
    valid_to {date} NOT NULL,
    product {text} NOT NULL,
    currency {text} NOT NULL,
    unit {text} NOT NULL,
    amount {text},
    rate {text},
    rate_unit {text},
    decree {text},
    legal_basis {text},
    source_url {text},
    CONSTRAINT reference_price_valid_in_order CHECK (valid_to >= valid_from),
    CONSTRAINT reference_price_rate_has_a_unit CHECK ((rate IS NULL) = (rate_unit IS NULL)),
    CONSTRAINT reference_price_says_something CHECK (amount IS NOT NULL OR rate IS NOT NULL),
    PRIMARY KEY (product_key, kind, valid_from)
) {keyed_table};
"#;

const DOWN: &str = "
DROP TABLE reference_price;
DROP TABLE duty_band;
DROP TABLE duty_measure_commodity;
DROP TABLE duty_measure;
DROP TABLE regulation_amendment;
DROP TABLE regulation;
";

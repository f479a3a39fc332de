//! Schema migrations, in order. One text serves both databases: see `ddl`.
//!
//! A migration expands first and contracts in a later release, and says what an older replica sees
//! while it runs. It never changes data that a user entered.

mod ddl;
mod m20261122_000001_create_accounts;
mod m20261122_000002_create_rates;
mod m20261122_000003_create_commodities;
mod m20261122_000004_create_payments;
mod m20261122_000005_create_payment_events;
mod m20261122_000006_announce_changes;
mod m20261122_000007_create_duty_measures;
mod m20261122_000008_create_commodity_prices;
mod m20261122_000009_announce_duties;
mod m20261122_000010_create_assistant;
mod m20261122_000011_index_commodity_words;
mod m20261123_000012_count_commodity_words;
mod tell;

use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::MigrationTrait;

/// All migrations.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_create_accounts::Migration),
            Box::new(m20261122_000002_create_rates::Migration),
            Box::new(m20261122_000003_create_commodities::Migration),
            Box::new(m20261122_000004_create_payments::Migration),
            Box::new(m20261122_000005_create_payment_events::Migration),
            Box::new(m20261122_000006_announce_changes::Migration),
            Box::new(m20261122_000007_create_duty_measures::Migration),
            Box::new(m20261122_000008_create_commodity_prices::Migration),
            Box::new(m20261122_000009_announce_duties::Migration),
            Box::new(m20261122_000010_create_assistant::Migration),
            Box::new(m20261122_000011_index_commodity_words::Migration),
            Box::new(m20261123_000012_count_commodity_words::Migration),
        ]
    }
}

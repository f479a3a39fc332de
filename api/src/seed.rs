//! What a database holds after its first start: published rates, a list of commodities, and a demo account.
//!
//! Each part is made only where there is none of it. An operator's own imports are never overwritten, and a
//! database that holds another account is not given a demo one.

use crate::clock::Clock;
use crate::demo::{self, Generator};
use crate::error::{Error, Result};
use crate::import::{ecb, harmonized_system};
use crate::progress::Progress;
use crate::store::{Database, accounts, payments, rates};

/// Codes that Indonesian exporters use.
const COMMODITIES: &str = include_str!("../data/commodities.csv");

/// The seed of the demo payments that a first start makes.
pub const DEMO_SEED: u64 = 1;

/// Fills what is empty: a demo account with `demo_payments` payments too, but with `None` no demo account.
///
/// # Errors
/// When the database does not answer.
pub async fn fill(database: &Database, demo_payments: Option<u64>, clock: &Clock, progress: &Progress) -> Result<()> {
    reference_data(database, clock, progress).await?;
    let Some(demo_payments) = demo_payments else { return Ok(()) };
    let reader = database.reader(std::sync::Arc::default());
    let demo = accounts::by_name(&reader, demo::ACCOUNT_NAME).await?;
    if demo.is_none() && accounts::any(&reader).await? {
        return Ok(());
    }
    let account = demo::ensure_account(database, clock.now()).await?;
    // A first start that was killed is finished by the next one.
    if !payments::are_at_least(&reader, account, demo_payments).await? {
        demo_data(database, demo_payments, DEMO_SEED, progress).await?;
    }
    Ok(())
}

/// Makes the first `count` demo payments of a seed, where they are missing.
///
/// # Errors
/// When the database does not answer.
pub async fn demo_data(database: &Database, count: u64, seed: u64, progress: &Progress) -> Result<demo::LoadReport> {
    let reader = database.reader(std::sync::Arc::default());
    let account = accounts::by_name(&reader, demo::ACCOUNT_NAME)
        .await?
        .ok_or_else(|| Error::internal("there is no demo account in this database"))?;
    let mut task = progress.start("Making demo payments", count);
    let mut done = 0;
    let report = demo::load(database, &Generator::new(seed, account.id), count, &mut |now| {
        task.advance(now.saturating_sub(done));
        done = now;
    })
    .await?;
    task.finish();
    Ok(report)
}

async fn reference_data(database: &Database, clock: &Clock, progress: &Progress) -> Result<()> {
    database
        .write(async |transaction| {
            harmonized_system::seed(transaction, COMMODITIES, progress).await.map_err(Error::internal)
        })
        .await?;
    let reader = database.reader(std::sync::Arc::default());
    if !rates::any(&reader).await? {
        let history = ecb::parse(ecb::SHIPPED).map_err(Error::internal)?;
        database
            .write(async |transaction| {
                ecb::import(transaction, &history, clock.now(), progress).await.map_err(Error::internal)
            })
            .await?;
        database.analyze().await?;
    }
    Ok(())
}

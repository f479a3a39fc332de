//! What a database holds after its first start: published rates, a list of commodities with rules and prices of export
//! duty, market prices, what the assistant searches, and a demo account.
//!
//! Each part is made only where there is none of it. An operator's own imports are never overwritten, and a
//! database that holds another account is not given a demo one.

use entity::currency_rate::Purpose;

use crate::clock::Clock;
use crate::demo::{self, Generator};
use crate::error::{Error, Result};
use crate::import::{duty_rules, ecb, harmonized_system, prices, prompts, reference_prices, regulations, tax_rates};
use crate::progress::Progress;
use crate::store::{
    Database, accounts, commodity_search, duty_measures, payments, prices as stored_prices, prompts as stored_prompts,
    rates, reference_prices as stored_reference_prices, regulation_chunks,
};

/// Codes that Indonesian exporters use.
const COMMODITIES: &str = include_str!("../data/commodities.csv");

/// Facts about Indonesian export duty, each with its source.
const REGULATIONS: &[u8] = include_bytes!("../data/duty-id/regulations.csv");
const DUTY_RULES: &[u8] = include_bytes!("../data/duty-id/export-duty-rules.csv");
const PALM_LEVIES: &[u8] = include_bytes!("../data/duty-id/palm-levy-groups.csv");
const REFERENCE_PRICES: &[u8] = include_bytes!("../data/duty-id/observed-export-duty.csv");
const TAX_RATES: &[u8] = include_bytes!("../data/duty-id/kurs-pajak-samples.csv");

/// What the assistant searches: prompts, and notes on what regulations say.
const PROMPTS: &[u8] = include_bytes!("../data/assistant/prompts.csv");
const NOTES: &[u8] = include_bytes!("../data/assistant/regulation-notes.csv");

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

/// The codes of commodities, where there are none: rules of export duty name them.
///
/// # Errors
/// When the database does not answer.
pub async fn commodities(database: &Database, progress: &Progress) -> Result<()> {
    database
        .write(async |transaction| {
            harmonized_system::seed(transaction, COMMODITIES, progress).await.map_err(Error::internal)?;
            // What a server stored that made other words of names.
            commodity_search::refresh(transaction).await.map_err(Error::internal)
        })
        .await?;
    Ok(())
}

/// What belongs to no account, each part where there is none of it.
///
/// # Errors
/// When the database does not answer.
pub async fn reference_data(database: &Database, clock: &Clock, progress: &Progress) -> Result<()> {
    commodities(database, progress).await?;
    let reader = database.reader(std::sync::Arc::default());
    let is_first = !rates::any(&reader, Purpose::Reference).await?;
    if is_first {
        let history = ecb::parse(ecb::SHIPPED).map_err(Error::internal)?;
        database
            .write(async |transaction| {
                ecb::import(transaction, &history, clock.now(), progress).await.map_err(Error::internal)
            })
            .await?;
    }
    duty(database, clock, progress).await?;
    assistant(database, progress).await?;
    if !stored_prices::any(&reader).await? {
        let shipped = prices::parse(prices::SHIPPED).map_err(Error::internal)?;
        database
            .write(async |transaction| {
                prices::import(transaction, &shipped, clock.now(), progress).await.map_err(Error::internal)
            })
            .await?;
    }
    if is_first {
        database.analyze().await?;
    }
    Ok(())
}

/// What the assistant searches: prompts, and the texts of regulations.
async fn assistant(database: &Database, progress: &Progress) -> Result<()> {
    let reader = database.reader(std::sync::Arc::default());
    if !stored_prompts::any(&reader).await? {
        let shipped = prompts::parse(PROMPTS).map_err(Error::internal)?;
        database
            .write(async |transaction| prompts::import(transaction, &shipped, progress).await.map_err(Error::internal))
            .await?;
    }
    if !regulation_chunks::any(&reader).await? {
        let notes = regulations::parse(NOTES).map_err(Error::internal)?;
        database
            .write(async |transaction| {
                regulations::import_texts(transaction, &notes, progress).await.map_err(Error::internal)
            })
            .await?;
    }
    Ok(())
}

/// Rules, published prices and tax rates of export duty, each where there are none.
async fn duty(database: &Database, clock: &Clock, progress: &Progress) -> Result<()> {
    let reader = database.reader(std::sync::Arc::default());
    if !duty_measures::any(&reader).await? {
        let titles = regulations::parse(REGULATIONS).map_err(Error::internal)?;
        let rules = duty_rules::parse(DUTY_RULES).map_err(Error::internal)?;
        let levies = duty_rules::parse(PALM_LEVIES).map_err(Error::internal)?;
        database
            .write(async |transaction| {
                // An operator may have imported a list without the national codes that the rules name.
                if duty_rules::lacks_codes(transaction, &rules).await.map_err(Error::internal)? {
                    return Ok(());
                }
                regulations::import(transaction, &titles, progress).await.map_err(Error::internal)?;
                for rules in [&rules, &levies] {
                    duty_rules::import(transaction, rules, progress).await.map_err(Error::internal)?;
                }
                Ok::<_, Error>(())
            })
            .await?;
    }
    if !stored_reference_prices::any(&reader).await? {
        let published = reference_prices::parse(REFERENCE_PRICES).map_err(Error::internal)?;
        database
            .write(async |transaction| {
                reference_prices::import(transaction, &published, progress).await.map_err(Error::internal)
            })
            .await?;
    }
    if !rates::any(&reader, Purpose::TaxDuty).await? {
        let samples = tax_rates::parse(TAX_RATES).map_err(Error::internal)?;
        database
            .write(async |transaction| {
                tax_rates::import(transaction, &samples, clock.now(), progress).await.map_err(Error::internal)
            })
            .await?;
    }
    Ok(())
}

//! Currency rates of other sources than the ECB on their way into the table: one source for each decree or bank.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use entity::currency_rate::{self, Column, Purpose};
use entity::rate_source;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, QueryFilter};

use super::{Counts, ImportError, Report, Subject, rows};
use crate::progress::Task;

/// Sources looked up at a time.
const AT_A_TIME: usize = 200;

type RateKey = (Purpose, String, String, NaiveDate, String);

/// Stores the quotes that are new or other than stored, and those of their sources that have any.
pub(super) async fn import(
    tx: &DatabaseTransaction,
    quotes: Vec<currency_rate::Model>,
    sources: Vec<rate_source::Model>,
    now: DateTime<Utc>,
    task: &mut Task,
) -> Result<Report, ImportError> {
    let mut stored = HashMap::new();
    let codes: Vec<_> = sources.iter().map(|source| source.code.clone()).collect();
    for some in codes.chunks(AT_A_TIME) {
        let found = currency_rate::Entity::all().filter(Column::Source.is_in(some)).all(tx).await?;
        stored.extend(found.into_iter().map(|quote| (key(&quote), quote)));
    }
    let mut counts = Counts::default();
    let all: BTreeSet<_> = quotes.iter().map(|quote| quote.effective_date).collect();
    let before: BTreeSet<_> = stored.values().map(|quote| quote.effective_date).collect();
    let total = quotes.len() as u64;
    let changed = rows::changed(quotes, &stored, key, &mut counts);
    let other: BTreeSet<_> = changed.iter().map(|quote| quote.effective_date).collect();
    let days = Counts {
        added: other.difference(&before).count() as u64,
        changed: other.intersection(&before).count() as u64,
        unchanged: all.difference(&other).count() as u64,
    };
    let touched: BTreeSet<_> = changed.iter().map(|quote| quote.source.clone()).collect();
    let sources: BTreeMap<_, _> = sources.into_iter().map(|source| (source.code.clone(), source)).collect();
    let touched = touched.iter().filter_map(|code| sources.get(code)).cloned();
    let touched: Vec<_> = touched.map(|source| rate_source::Model { retrieved_at: now, ..source }).collect();
    rows::put::<rate_source::Entity>(tx, touched).await?;
    rows::put::<currency_rate::Entity>(tx, changed).await?;
    task.advance(total);
    Ok(Report::new(Subject::Rates { days }, counts))
}

fn key(quote: &currency_rate::Model) -> RateKey {
    let currency_rate::Model { purpose, base, quote: into, effective_date, source, .. } = quote;
    (*purpose, base.clone(), into.clone(), *effective_date, source.clone())
}

/// The source must be there before what names it.
pub(super) async fn ensure_source(tx: &DatabaseTransaction, source: rate_source::Model) -> Result<(), DbErr> {
    let there = OnConflict::column(rate_source::Column::Code).do_nothing().to_owned();
    let source = source.into_active_model().reset_all();
    rate_source::Entity::insert_many([source]).on_conflict(there).exec_without_returning(tx).await?;
    Ok(())
}

//! Rows on their way into the tables of an import, in statements that both databases take.

use std::hash::Hash;

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, DatabaseTransaction, DbErr, EntityTrait, IdenStatic, IntoActiveModel, Iterable,
    PrimaryKeyToColumn,
};

use super::Counts;

/// Values in a statement at the most: SQLite takes 32,766, PostgreSQL 65,535.
const VALUES_AT_A_TIME: usize = 30_000;

/// Writes rows; one whose key is there takes its place.
pub(super) async fn put<E>(tx: &DatabaseTransaction, rows: Vec<E::Model>) -> Result<(), DbErr>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel>,
    E::ActiveModel: Send,
{
    let keys: Vec<_> = E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column).collect();
    let is_key = |column: &E::Column| keys.iter().any(|key| key.as_str() == column.as_str());
    let others: Vec<_> = E::Column::iter().filter(|column| !is_key(column)).collect();
    let mut there = OnConflict::columns(keys.iter().copied());
    if others.is_empty() {
        there.do_nothing();
    } else {
        there.update_columns(others);
    }
    let at_a_time = VALUES_AT_A_TIME / E::Column::iter().count().max(1);
    let mut rows = rows.into_iter().map(|row| row.into_active_model().reset_all()).peekable();
    while rows.peek().is_some() {
        let some: Vec<_> = rows.by_ref().take(at_a_time).collect();
        E::insert_many(some).on_conflict(there.clone()).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// Sorts out which of `wanted` are new or other than stored, and counts them.
pub(super) fn changed<M: PartialEq, K: Eq + Hash>(
    wanted: Vec<M>,
    stored: &std::collections::HashMap<K, M>,
    key_of: impl Fn(&M) -> K,
    counts: &mut Counts,
) -> Vec<M> {
    let mut rows = Vec::new();
    for row in wanted {
        match stored.get(&key_of(&row)) {
            Some(there) if *there == row => counts.unchanged += 1,
            Some(_) => {
                counts.changed += 1;
                rows.push(row);
            }
            None => {
                counts.added += 1;
                rows.push(row);
            }
        }
    }
    rows
}

//! Payments.

use chrono::NaiveDate;
use entity::ids::{AccountId, PaymentId};
use entity::payment::{Column, Entity, Model, Status};
use entity::{AccountScoped, installment, placed};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, QueryFilter, QuerySelect, QueryTrait};

use super::keys;
use super::page::{Page, PageRequest, SortKey};
use super::payment_filter::PaymentFilter;
use super::reader::Reader;

/// The filter that finds all payments.
pub fn everything() -> PaymentFilter {
    PaymentFilter::All(Vec::new())
}

/// Whether the account has at least `count` payments. Reads no more than that many index entries.
///
/// # Errors
/// When the database does not answer.
pub async fn are_at_least(db: &Reader, account: AccountId, count: u64) -> Result<bool, DbErr> {
    let Some(before) = count.checked_sub(1) else { return Ok(true) };
    let last: Option<PaymentId> = Entity::of_account(account)
        .select_only()
        .column(Column::Id)
        .offset(before)
        .limit(1)
        .into_tuple()
        .one(db)
        .await?;
    Ok(last.is_some())
}

/// Payments with these ids, in any order; ids of other accounts find nothing.
///
/// # Errors
/// When the database does not answer.
pub async fn by_ids(db: &Reader, account: AccountId, ids: &[PaymentId]) -> Result<Vec<Model>, DbErr> {
    let wanted = keys::any_uuid(db.get_database_backend(), (Entity, Column::Id), ids.iter().map(|id| id.0));
    placed::all(Entity::of_account(account).filter(wanted), db).await
}

/// Payments with these references, in any order.
///
/// # Errors
/// When the database does not answer.
pub async fn by_references(db: &Reader, account: AccountId, references: &[String]) -> Result<Vec<Model>, DbErr> {
    let references = references.iter().map(String::as_str);
    let wanted = keys::any_text(db.get_database_backend(), (Entity, Column::Reference), references);
    placed::all(Entity::of_account(account).filter(wanted), db).await
}

/// One page of payments. `order` ends with a key that makes every position distinct.
///
/// # Errors
/// When the database does not answer.
pub async fn page(
    db: &Reader,
    account: AccountId,
    filter: &PaymentFilter,
    order: &[SortKey],
    request: &PageRequest,
) -> Result<Page<Model>, DbErr> {
    let query = Entity::of_account(account).filter(filter.condition(db.get_database_backend()));
    Ok(request.cut(placed::all(request.apply(query, order), db).await?))
}

/// How many payments there are.
///
/// # Errors
/// When the database does not answer.
pub async fn count(db: &Reader, account: AccountId, filter: &PaymentFilter) -> Result<i64, DbErr> {
    let count: Option<i64> = Entity::of_account(account)
        .filter(filter.condition(db.get_database_backend()))
        .select_only()
        .expr(Expr::cust("count(*)"))
        .into_tuple()
        .one(db)
        .await?;
    Ok(count.unwrap_or(0))
}

/// Sums over payments of one status in one currency, in its minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Totals {
    /// The status of the payments.
    pub status: Status,
    /// ISO 4217 code.
    pub currency: String,
    /// How many payments.
    pub count: i64,
    /// Sum of what is owed in all.
    pub amount: i128,
    /// Sum of what arrived.
    pub received: i128,
    /// Sum of what is still owed.
    pub outstanding: i128,
}

/// A sum in two halves, since the sum of 64-bit numbers may need more than 64 bits.
#[derive(Debug, FromQueryResult)]
struct TotalsRow {
    status: Status,
    currency: String,
    count: i64,
    amount_high: i64,
    amount_low: i64,
    received_high: i64,
    received_low: i64,
    outstanding_high: i64,
    outstanding_low: i64,
}

/// SQL for the upper and the lower half of the sum of a column.
pub(super) fn halves(column: &str) -> [String; 2] {
    [
        format!("CAST(coalesce(sum({column} >> 32), 0) AS bigint)"),
        format!("CAST(coalesce(sum({column} & 4294967295), 0) AS bigint)"),
    ]
}

/// A sum out of its halves.
pub(super) fn whole(high: i64, low: i64) -> i128 {
    (i128::from(high) << 32) + i128::from(low)
}

/// Sums by status and currency.
///
/// # Errors
/// When the database does not answer.
pub async fn totals(db: &Reader, account: AccountId, filter: &PaymentFilter) -> Result<Vec<Totals>, DbErr> {
    let mut query = Entity::of_account(account)
        .filter(filter.condition(db.get_database_backend()))
        .select_only()
        .columns([Column::Status, Column::Currency])
        .column_as(Expr::cust("count(*)"), "count")
        .group_by(Column::Status)
        .group_by(Column::Currency);
    for name in ["amount", "received", "outstanding"] {
        let [high, low] = halves(name);
        query =
            query.column_as(Expr::cust(high), format!("{name}_high")).column_as(Expr::cust(low), format!("{name}_low"));
    }
    let rows = query.into_model::<TotalsRow>().all(db).await?;
    Ok(rows
        .into_iter()
        .map(|row| Totals {
            status: row.status,
            currency: row.currency,
            count: row.count,
            amount: whole(row.amount_high, row.amount_low),
            received: whole(row.received_high, row.received_low),
            outstanding: whole(row.outstanding_high, row.outstanding_low),
        })
        .collect())
}

/// What is outstanding of installments due before a day, by the payment's status and currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverdueTotals {
    /// The status of the payments.
    pub status: Status,
    /// ISO 4217 code.
    pub currency: String,
    /// In minor units.
    pub overdue: i128,
}

#[derive(Debug, FromQueryResult)]
struct OverdueRow {
    status: Status,
    currency: String,
    overdue_high: i64,
    overdue_low: i64,
}

/// Sums of what is overdue, by status and currency.
///
/// # Errors
/// When the database does not answer.
pub async fn overdue_totals(
    db: &Reader,
    account: AccountId,
    filter: &PaymentFilter,
    as_of: NaiveDate,
) -> Result<Vec<OverdueTotals>, DbErr> {
    let payments = Entity::of_account(account)
        .filter(filter.condition(db.get_database_backend()))
        // Overdue payments alone; the index on the next due date finds them.
        .filter(Expr::col((Entity, Column::NextDueDate)).lt(as_of))
        .select_only()
        .columns([Column::Id, Column::Status, Column::Currency])
        .into_query();
    let p = Alias::new("p");
    let [high, low] = halves("i.outstanding");
    let query = Query::select()
        .column((p.clone(), Column::Status))
        .column((p.clone(), Column::Currency))
        .expr_as(Expr::cust(high), Alias::new("overdue_high"))
        .expr_as(Expr::cust(low), Alias::new("overdue_low"))
        .from_subquery(payments, p.clone())
        .join_as(
            sea_orm::sea_query::JoinType::InnerJoin,
            installment::Entity,
            Alias::new("i"),
            Expr::col((Alias::new("i"), installment::Column::PaymentId)).equals((p.clone(), Column::Id)),
        )
        .and_where(Expr::col((Alias::new("i"), installment::Column::DueDate)).lt(as_of))
        .and_where(Expr::col((Alias::new("i"), installment::Column::Outstanding)).gt(0))
        .add_group_by([Expr::col((p.clone(), Column::Status)), Expr::col((p, Column::Currency))])
        .to_owned();
    let rows = OverdueRow::find_by_statement(db.get_database_backend().build(&query)).all(db).await?;
    Ok(rows
        .into_iter()
        .map(|row| OverdueTotals {
            status: row.status,
            currency: row.currency,
            overdue: whole(row.overdue_high, row.overdue_low),
        })
        .collect())
}

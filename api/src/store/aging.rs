//! What is outstanding, by how long it has been overdue.

use chrono::{NaiveDate, TimeDelta};
use entity::ids::AccountId;
use entity::payment::{Column, Entity};
use entity::{AccountScoped, installment};
use sea_orm::sea_query::{Alias, CaseStatement, Expr, ExprTrait, JoinType, Query};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, QueryFilter, QuerySelect, QueryTrait};

use super::payment_filter::PaymentFilter;
use super::payments::{halves, whole};
use super::reader::Reader;

/// The last day overdue of each bucket but the last: not overdue, 1 to 30, 31 to 60, 61 to 90 days.
const ENDS: [i64; 4] = [0, 30, 60, 90];

/// What is outstanding in one currency, in its minor units, by how long it has been overdue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aging {
    /// ISO 4217 code.
    pub currency: String,
    /// Not overdue, 1 to 30 days, 31 to 60, 61 to 90, more than 90.
    pub buckets: [i128; 5],
}

#[derive(Debug, FromQueryResult)]
struct AgingRow {
    currency: String,
    bucket: i32,
    outstanding_high: i64,
    outstanding_low: i64,
}

/// The aging of open payments on a day, by currency.
///
/// # Errors
/// When the database does not answer.
pub async fn aging(
    db: &Reader,
    account: AccountId,
    filter: &PaymentFilter,
    as_of: NaiveDate,
) -> Result<Vec<Aging>, DbErr> {
    let payments = Entity::of_account(account)
        .filter(filter.condition(db.get_database_backend()))
        // Of closed payments nobody waits for anything.
        .filter(Expr::col((Entity, Column::NextDueDate)).is_not_null())
        .select_only()
        .columns([Column::Id, Column::Currency])
        .into_query();
    let (p, i) = (Alias::new("p"), Alias::new("i"));
    let due = || Expr::col((i.clone(), installment::Column::DueDate));
    let mut bucket = CaseStatement::new();
    for (at, days) in (0..).zip(ENDS) {
        // The calendar is longer than any due date; a day that it does not have is before them all.
        let first = as_of.checked_sub_signed(TimeDelta::days(days)).unwrap_or(NaiveDate::MIN);
        bucket = bucket.case(due().gte(first), Expr::val(at));
    }
    let [high, low] = halves("i.outstanding");
    let query = Query::select()
        .column((p.clone(), Column::Currency))
        .expr_as(bucket.finally(4), Alias::new("bucket"))
        .expr_as(Expr::cust(high), Alias::new("outstanding_high"))
        .expr_as(Expr::cust(low), Alias::new("outstanding_low"))
        .from_subquery(payments, p.clone())
        .join_as(
            JoinType::InnerJoin,
            installment::Entity,
            i.clone(),
            Expr::col((i.clone(), installment::Column::PaymentId)).equals((p.clone(), Column::Id)),
        )
        .and_where(Expr::col((i.clone(), installment::Column::Outstanding)).gt(0))
        // By place: a second CASE would have parameters of its own, which PostgreSQL takes for another expression.
        .add_group_by([Expr::cust("1"), Expr::cust("2")])
        .order_by_expr(Expr::cust("1"), sea_orm::Order::Asc)
        .to_owned();
    let rows = AgingRow::find_by_statement(db.get_database_backend().build(&query)).all(db).await?;
    let mut found: Vec<Aging> = Vec::new();
    for row in rows {
        if found.last().is_none_or(|last| last.currency != row.currency) {
            found.push(Aging { currency: row.currency, buckets: [0; 5] });
        }
        let bucket = usize::try_from(row.bucket).unwrap_or(0);
        if let Some(sum) = found.last_mut().and_then(|last| last.buckets.get_mut(bucket)) {
            *sum += whole(row.outstanding_high, row.outstanding_low);
        }
    }
    Ok(found)
}

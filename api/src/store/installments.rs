//! Installments.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use chrono::NaiveDate;
use entity::AccountScoped;
use entity::ids::{AccountId, InstallmentId, PaymentId};
use entity::installment::{Column, Entity, Model, Status};
use entity::placed::{self, Placed};
use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, QueryFilter, QuerySelect};

use super::children::{self, ParentColumn};
use super::keys::{self, KeyType};
use super::page::{Page, PageRequest, SortKey};
use super::reader::Reader;

/// The payment above.
const PARENT: ParentColumn<Entity, PaymentId> = ParentColumn {
    column: Column::PaymentId,
    key: KeyType::Uuid,
    value: |id| id.0.into(),
    of: |row| row.payment_id,
    read: Model::placed,
};

/// The order of installments in a payment: by due date, made distinct.
pub const DUE_ORDER: [SortKey; 3] = [
    SortKey { column: "due_date", descending: false },
    SortKey { column: "sequence", descending: false },
    SortKey { column: "id", descending: false },
];

/// Which installments of a payment are wanted. The default wants all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstallmentFilter {
    /// The status is one of these.
    pub status: Option<Vec<Status>>,
    /// Due on this day.
    pub due_on: Option<NaiveDate>,
    /// Due on this day or later.
    pub due_from: Option<NaiveDate>,
    /// Due on this day or earlier.
    pub due_to: Option<NaiveDate>,
    /// Due before this day and still outstanding.
    pub overdue_as_of: Option<NaiveDate>,
    /// Something is outstanding.
    pub unsettled: bool,
}

/// A key of a batch is hashed some ten times, and mostly has no filter.
impl Hash for InstallmentFilter {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let filters = *self != Self::default();
        filters.hash(state);
        if filters {
            let Self { status, due_on, due_from, due_to, overdue_as_of, unsettled } = self;
            (status, due_on, due_from, due_to, overdue_as_of, unsettled).hash(state);
        }
    }
}

impl InstallmentFilter {
    fn condition(&self) -> Condition {
        let mut condition = Condition::all();
        if let Some(statuses) = &self.status {
            condition = condition.add(Column::Status.is_in(statuses.iter().copied()));
        }
        if let Some(day) = self.due_on {
            condition = condition.add(Column::DueDate.eq(day));
        }
        if let Some(day) = self.due_from {
            condition = condition.add(Column::DueDate.gte(day));
        }
        if let Some(day) = self.due_to {
            condition = condition.add(Column::DueDate.lte(day));
        }
        if let Some(day) = self.overdue_as_of {
            condition = condition.add(Column::DueDate.lt(day)).add(Column::Outstanding.gt(0));
        }
        if self.unsettled {
            condition = condition.add(Column::Outstanding.gt(0));
        }
        condition
    }
}

/// Installments with these ids, in any order.
///
/// # Errors
/// When the database does not answer.
pub async fn by_ids(db: &Reader, account: AccountId, ids: &[InstallmentId]) -> Result<Vec<Model>, DbErr> {
    let wanted = keys::any_uuid(db.get_database_backend(), (Entity, Column::Id), ids.iter().map(|id| id.0));
    placed::all(Entity::of_account(account).filter(wanted), db).await
}

/// The same page of each of these payments, in one statement.
///
/// # Errors
/// When the database does not answer.
pub async fn pages_of_payments(
    db: &Reader,
    account: AccountId,
    payments: &[PaymentId],
    filter: &InstallmentFilter,
    request: &PageRequest,
) -> Result<HashMap<PaymentId, Page<Arc<Model>>>, DbErr> {
    let rows = Entity::of_account(account).filter(filter.condition());
    children::pages(db, rows, &PARENT, payments, &DUE_ORDER, request).await
}

/// How many installments each of these payments has.
///
/// # Errors
/// When the database does not answer.
pub async fn counts_of_payments(
    db: &Reader,
    account: AccountId,
    payments: &[PaymentId],
    filter: &InstallmentFilter,
) -> Result<HashMap<PaymentId, i64>, DbErr> {
    let rows: Vec<(PaymentId, i64)> = Entity::of_account(account)
        .filter(keys::any_uuid(db.get_database_backend(), (Entity, Column::PaymentId), payments.iter().map(|id| id.0)))
        .filter(filter.condition())
        .select_only()
        .column(Column::PaymentId)
        .expr(Expr::cust("count(*)"))
        .group_by(Column::PaymentId)
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().collect())
}

/// What is outstanding of installments due before `as_of`, per payment, in minor units.
/// A payment with nothing overdue is left out.
///
/// # Errors
/// When the database does not answer.
pub async fn overdue_of_payments(
    db: &Reader,
    account: AccountId,
    payments: &[PaymentId],
    as_of: NaiveDate,
) -> Result<HashMap<PaymentId, i64>, DbErr> {
    let rows: Vec<(PaymentId, i64)> = Entity::of_account(account)
        .filter(keys::any_uuid(
            db.get_database_backend(),
            (Entity, Column::PaymentId),
            payments.iter().map(|id| id.0),
        ))
        .filter(Column::DueDate.lt(as_of))
        .filter(Column::Outstanding.gt(0))
        .select_only()
        .column(Column::PaymentId)
        // Cannot overflow: the installments of a payment add up to its amount.
        .expr(Expr::cust("CAST(sum(outstanding) AS bigint)"))
        .group_by(Column::PaymentId)
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().collect())
}

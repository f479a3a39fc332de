//! Payments, their plans and their lines.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::NaiveDate;
use entity::ids::PaymentId;
use entity::{installment_plan, payment, payment_line};

use super::{Key, Source, list_each, one_each};
use crate::cache::{Policy, Tag};
use crate::error::Result;
use crate::store;
use crate::store::aging::Aging;
use crate::store::page::{Page, PageRequest, SortKey};
use crate::store::payment_filter::PaymentFilter;
use crate::store::payments::{OverdueTotals, Totals};

/// A payment by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PaymentKey(pub PaymentId);

impl Key for PaymentKey {
    type Value = Option<Arc<payment::Model>>;
    const LOADER: &'static str = "payment";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|key, _| Tag::Payment(key.0)).shared());

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let rows = store::payments::by_ids(&source.reader, source.account, &ids).await?;
        Ok(one_each(keys, rows, |row| Self(row.id)))
    }
}

/// A payment by the account's own reference.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PaymentReferenceKey(pub String);

impl Key for PaymentReferenceKey {
    type Value = Option<Arc<payment::Model>>;
    const LOADER: &'static str = "payment_by_reference";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_answer(|_, account, row| match row {
        Some(row) => Tag::Payment(row.id),
        None => Tag::Payments(account),
    }));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let references: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
        let rows = store::payments::by_references(&source.reader, source.account, &references).await?;
        Ok(one_each(keys, rows, |row| Self(row.reference.clone())))
    }
}

/// One page of the account's payments. One statement for each page that the operation names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PaymentPageKey {
    /// Which payments.
    pub filter: Arc<PaymentFilter>,
    /// In which order.
    pub order: Arc<Vec<SortKey>>,
    /// Which part of the list.
    pub request: PageRequest,
}

impl Key for PaymentPageKey {
    type Value = Arc<Page<Arc<payment::Model>>>;
    const LOADER: &'static str = "payment_page";
    const CACHE: Option<Policy<Self>> = Some(
        Policy::<Self>::by_key(|_, account| Tag::Payments(account)).only(|key| key.request.is_first_page()).shared(),
    );

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut answers = HashMap::new();
        for key in keys {
            let (db, account) = (&source.reader, source.account);
            let page = store::payments::page(db, account, &key.filter, &key.order, &key.request).await?;
            answers.insert(key.clone(), Arc::new(page.map(Arc::new)));
        }
        Ok(answers)
    }
}

/// How many payments a filter finds. One statement for each filter that the operation names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PaymentCountKey(pub Arc<PaymentFilter>);

impl Key for PaymentCountKey {
    type Value = i64;
    const LOADER: &'static str = "payment_count";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|_, account| Tag::Payments(account)));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut answers = HashMap::new();
        for key in keys {
            answers.insert(key.clone(), store::payments::count(&source.reader, source.account, &key.0).await?);
        }
        Ok(answers)
    }
}

/// Sums over the payments that a filter finds, by status and currency.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PaymentTotalsKey(pub Arc<PaymentFilter>);

impl Key for PaymentTotalsKey {
    type Value = Arc<Vec<Totals>>;
    const LOADER: &'static str = "payment_totals";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|_, account| Tag::Payments(account)));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut answers = HashMap::new();
        for key in keys {
            let totals = store::payments::totals(&source.reader, source.account, &key.0).await?;
            answers.insert(key.clone(), Arc::new(totals));
        }
        Ok(answers)
    }
}

/// Sums of what is overdue on a day over the payments that a filter finds, by status and currency.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PaymentOverdueTotalsKey {
    /// Which payments.
    pub filter: Arc<PaymentFilter>,
    /// Due before this day.
    pub as_of: NaiveDate,
}

impl Key for PaymentOverdueTotalsKey {
    type Value = Arc<Vec<OverdueTotals>>;
    const LOADER: &'static str = "payment_overdue_totals";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|_, account| Tag::Payments(account)));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut answers = HashMap::new();
        for key in keys {
            let (db, account) = (&source.reader, source.account);
            let totals = store::payments::overdue_totals(db, account, &key.filter, key.as_of).await?;
            answers.insert(key.clone(), Arc::new(totals));
        }
        Ok(answers)
    }
}

/// What is outstanding of the open payments that a filter finds, by how long it has been overdue on a day.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PaymentAgingKey {
    /// Which payments.
    pub filter: Arc<PaymentFilter>,
    /// The day.
    pub as_of: NaiveDate,
}

impl Key for PaymentAgingKey {
    type Value = Arc<Vec<Aging>>;
    const LOADER: &'static str = "payment_aging";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|_, account| Tag::Payments(account)));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut answers = HashMap::new();
        for key in keys {
            let found = store::aging::aging(&source.reader, source.account, &key.filter, key.as_of).await?;
            answers.insert(key.clone(), Arc::new(found));
        }
        Ok(answers)
    }
}

/// All plan revisions of one payment, the newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PaymentPlansKey(pub PaymentId);

impl Key for PaymentPlansKey {
    type Value = Arc<Vec<Arc<installment_plan::Model>>>;
    const LOADER: &'static str = "payment_plans";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|key, _| Tag::Payment(key.0)).shared());

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let rows = store::plans::of_payments(&source.reader, source.account, &ids).await?;
        Ok(list_each(keys, rows, |row| Self(row.payment_id)))
    }
}

/// All lines of one payment, by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PaymentLinesKey(pub PaymentId);

impl Key for PaymentLinesKey {
    type Value = Arc<Vec<Arc<payment_line::Model>>>;
    const LOADER: &'static str = "payment_lines";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|key, _| Tag::Payment(key.0)).shared());

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let rows = store::payment_lines::of_payments(&source.reader, source.account, &ids).await?;
        Ok(list_each(keys, rows, |row| Self(row.payment_id)))
    }
}

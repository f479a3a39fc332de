//! Installments.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::NaiveDate;
use entity::ids::{InstallmentId, PaymentId};
use entity::installment::Model;

use super::{Key, Source, by_shape, one_each};
use crate::cache::{Policy, Tag};
use crate::error::Result;
use crate::store;
use crate::store::installments::InstallmentFilter;
use crate::store::page::{Page, PageRequest};

/// An installment by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InstallmentKey(pub InstallmentId);

impl Key for InstallmentKey {
    type Value = Option<Arc<Model>>;
    const LOADER: &'static str = "installment";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_answer(|_, account, row| match row {
        Some(row) => Tag::Payment(row.payment_id),
        None => Tag::Payments(account),
    }));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let rows = store::installments::by_ids(&source.reader, source.account, &ids).await?;
        Ok(one_each(keys, rows, |row| Self(row.id)))
    }
}

/// One page of the installments of one payment, in due-date order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PaymentInstallmentsKey {
    /// The payment.
    pub payment: PaymentId,
    /// Which of its installments.
    pub filter: InstallmentFilter,
    /// Which part of the list.
    pub request: PageRequest,
}

impl Key for PaymentInstallmentsKey {
    type Value = Arc<Page<Arc<Model>>>;
    const LOADER: &'static str = "payment_installments";
    const CACHE: Option<Policy<Self>> = Some(
        Policy::<Self>::by_key(|key, _| Tag::Payment(key.payment)).only(|key| key.request.is_first_page()).shared(),
    );

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut answers = HashMap::with_capacity(keys.len());
        let shapes = by_shape(keys, |key| ((key.filter.clone(), key.request.clone()), key.payment));
        for ((filter, request), payments) in shapes {
            let (db, account) = (&source.reader, source.account);
            let pages = store::installments::pages_of_payments(db, account, &payments, &filter, &request).await?;
            for (payment, page) in pages {
                let key = Self { payment, filter: filter.clone(), request: request.clone() };
                answers.insert(key, Arc::new(page));
            }
        }
        Ok(answers)
    }
}

/// How many installments one payment has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PaymentInstallmentCountKey {
    /// The payment.
    pub payment: PaymentId,
    /// Which of its installments.
    pub filter: InstallmentFilter,
}

impl Key for PaymentInstallmentCountKey {
    type Value = i64;
    const LOADER: &'static str = "payment_installment_count";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|key, _| Tag::Payment(key.payment)));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut answers: HashMap<Self, i64> = keys.iter().map(|key| (key.clone(), 0)).collect();
        for (filter, payments) in by_shape(keys, |key| (key.filter.clone(), key.payment)) {
            let (db, account) = (&source.reader, source.account);
            let counts = store::installments::counts_of_payments(db, account, &payments, &filter).await?;
            answers.extend(counts.into_iter().map(|(payment, n)| (Self { payment, filter: filter.clone() }, n)));
        }
        Ok(answers)
    }
}

/// What is overdue of one payment on a day, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PaymentOverdueKey {
    /// The payment.
    pub payment: PaymentId,
    /// Due before this day.
    pub as_of: NaiveDate,
}

impl Key for PaymentOverdueKey {
    type Value = i64;
    const LOADER: &'static str = "payment_overdue";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|key, _| Tag::Payment(key.payment)));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut answers: HashMap<Self, i64> = keys.iter().map(|key| (*key, 0)).collect();
        // The day is one argument for all, or today in the payments' few time zones.
        for (as_of, payments) in by_shape(keys, |key| (key.as_of, key.payment)) {
            let (db, account) = (&source.reader, source.account);
            let sums = store::installments::overdue_of_payments(db, account, &payments, as_of).await?;
            answers.extend(sums.into_iter().map(|(payment, sum)| (Self { payment, as_of }, sum)));
        }
        Ok(answers)
    }
}

//! Refunds.

use std::collections::HashMap;
use std::sync::Arc;

use entity::ids::{PaymentId, RefundId};
use entity::refund;

use super::{Key, Source, by_shape, one_each};
use crate::cache::{Policy, Tag};
use crate::error::Result;
use crate::store;
use crate::store::page::{Page, PageRequest};

/// A refund by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RefundKey(pub RefundId);

impl Key for RefundKey {
    type Value = Option<Arc<refund::Model>>;
    const LOADER: &'static str = "refund";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_answer(|_, account, row| match row {
        Some(row) => Tag::Payment(row.payment_id),
        None => Tag::Payments(account),
    }));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let rows = store::refunds::by_ids(&source.reader, source.account, &ids).await?;
        Ok(one_each(keys, rows, |row| Self(row.id)))
    }
}

/// One page of the refunds of one payment, as they were made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PaymentRefundsKey {
    /// The payment.
    pub payment: PaymentId,
    /// Which part of the list.
    pub request: PageRequest,
}

impl Key for PaymentRefundsKey {
    type Value = Arc<Page<Arc<refund::Model>>>;
    const LOADER: &'static str = "payment_refunds";
    const CACHE: Option<Policy<Self>> =
        Some(Policy::<Self>::by_key(|key, _| Tag::Payment(key.payment)).only(|key| key.request.is_first_page()));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut answers = HashMap::with_capacity(keys.len());
        for (request, payments) in by_shape(keys, |key| (key.request.clone(), key.payment)) {
            let (db, account) = (&source.reader, source.account);
            for (payment, page) in store::refunds::pages_of_payments(db, account, &payments, &request).await? {
                let key = Self { payment, request: request.clone() };
                answers.insert(key, Arc::new(page));
            }
        }
        Ok(answers)
    }
}

//! Receipts and their allocations.

use std::collections::HashMap;
use std::sync::Arc;

use entity::ids::{InstallmentId, PaymentId, ReceiptId};
use entity::{allocation, receipt};

use super::{Key, Source, by_shape, list_each, one_each};
use crate::cache::{Policy, Tag};
use crate::error::Result;
use crate::store;
use crate::store::page::{Page, PageRequest};

/// A receipt by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReceiptKey(pub ReceiptId);

impl Key for ReceiptKey {
    type Value = Option<Arc<receipt::Model>>;
    const LOADER: &'static str = "receipt";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_answer(|_, account, row| match row {
        Some(row) => Tag::Payment(row.payment_id),
        None => Tag::Payments(account),
    }));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let rows = store::receipts::by_ids(&source.reader, source.account, &ids).await?;
        Ok(one_each(keys, rows, |row| Self(row.id)))
    }
}

/// One page of the receipts of one payment, as they arrived.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PaymentReceiptsKey {
    /// The payment.
    pub payment: PaymentId,
    /// Which part of the list.
    pub request: PageRequest,
}

impl Key for PaymentReceiptsKey {
    type Value = Arc<Page<Arc<receipt::Model>>>;
    const LOADER: &'static str = "payment_receipts";
    const CACHE: Option<Policy<Self>> = Some(
        Policy::<Self>::by_key(|key, _| Tag::Payment(key.payment)).only(|key| key.request.is_first_page()).shared(),
    );

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut answers = HashMap::with_capacity(keys.len());
        for (request, payments) in by_shape(keys, |key| (key.request.clone(), key.payment)) {
            let (db, account) = (&source.reader, source.account);
            for (payment, page) in store::receipts::pages_of_payments(db, account, &payments, &request).await? {
                let key = Self { payment, request: request.clone() };
                answers.insert(key, Arc::new(page));
            }
        }
        Ok(answers)
    }
}

/// Whether one payment has a receipt that was neither reversed nor refunded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PaymentReversibleKey(pub PaymentId);

impl Key for PaymentReversibleKey {
    type Value = bool;
    const LOADER: &'static str = "payment_reversible";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|key, _| Tag::Payment(key.0)));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = store::receipts::reversible(&source.reader, source.account, &ids).await?;
        Ok(keys.iter().map(|key| (*key, found.contains(&key.0))).collect())
    }
}

/// All allocations of one receipt, as they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReceiptAllocationsKey(pub ReceiptId);

impl Key for ReceiptAllocationsKey {
    type Value = Arc<Vec<Arc<allocation::Model>>>;
    const LOADER: &'static str = "receipt_allocations";
    const CACHE: Option<Policy<Self>> = Some(Policy::<Self>::by_key(|_, account| Tag::Payments(account)).shared());

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let rows = store::allocations::of_receipts(&source.reader, source.account, &ids).await?;
        Ok(list_each(keys, rows, |row| Self(row.receipt_id)))
    }
}

/// One page of the allocations on one installment, as they were made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InstallmentAllocationsKey {
    /// The installment.
    pub installment: InstallmentId,
    /// Which part of the list.
    pub request: PageRequest,
}

impl Key for InstallmentAllocationsKey {
    type Value = Arc<Page<Arc<allocation::Model>>>;
    const LOADER: &'static str = "installment_allocations";
    const CACHE: Option<Policy<Self>> =
        Some(Policy::<Self>::by_key(|_, account| Tag::Payments(account)).only(|key| key.request.is_first_page()));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut answers = HashMap::with_capacity(keys.len());
        for (request, installments) in by_shape(keys, |key| (key.request.clone(), key.installment)) {
            let (db, account) = (&source.reader, source.account);
            let pages = store::allocations::pages_of_installments(db, account, &installments, &request).await?;
            for (installment, page) in pages {
                let key = Self { installment, request: request.clone() };
                answers.insert(key, Arc::new(page));
            }
        }
        Ok(answers)
    }
}

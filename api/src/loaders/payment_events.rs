//! Payment events.

use std::collections::HashMap;
use std::sync::Arc;

use entity::ids::PaymentId;
use entity::payment_event;

use super::{Key, Source, by_shape, list_each};
use crate::cache::{Policy, Tag};
use crate::error::Result;
use crate::store;
use crate::store::page::{Page, PageRequest};

/// One page of the events of one payment, in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PaymentEventsKey {
    /// The payment.
    pub payment: PaymentId,
    /// Which part of the list.
    pub request: PageRequest,
}

impl Key for PaymentEventsKey {
    type Value = Arc<Page<Arc<payment_event::Model>>>;
    const LOADER: &'static str = "payment_events";
    const CACHE: Option<Policy<Self>> =
        Some(Policy::<Self>::by_key(|key, _| Tag::Payment(key.payment)).only(|key| key.request.is_first_page()));

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let mut answers = HashMap::with_capacity(keys.len());
        for (request, payments) in by_shape(keys, |key| (key.request.clone(), key.payment)) {
            let (db, account) = (&source.reader, source.account);
            for (payment, page) in store::payment_events::pages_of_payments(db, account, &payments, &request).await? {
                let key = Self { payment, request: request.clone() };
                answers.insert(key, Arc::new(page));
            }
        }
        Ok(answers)
    }
}

/// All events of one payment, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PaymentHistoryKey(pub PaymentId);

impl Key for PaymentHistoryKey {
    type Value = Arc<Vec<Arc<payment_event::Model>>>;
    const LOADER: &'static str = "payment_history";

    async fn load(source: &Source, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let rows = store::payment_events::of_payments(&source.reader, source.account, &ids).await?;
        Ok(list_each(keys, rows, |row| Self(row.payment_id)))
    }
}

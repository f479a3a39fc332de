//! Payment events.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object};
use entity::payment_event;

use crate::domain::ledger::is_chain;
use crate::error::Result;
use crate::graphql::context::ContextExt;
use crate::graphql::pagination::{Edge, KeyKind, List, PageArguments, PageInfo};
use crate::graphql::scalars::{BigInt, DateTime};
use crate::loaders::payment_events::{PaymentEventsKey, PaymentHistoryKey};
use crate::store::page::KeyValue;

/// What happened to a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "payment_event::Kind")]
pub enum PaymentEventType {
    /// It was created.
    PaymentCreated,
    /// What is outstanding was spread by a new plan.
    PaymentRescheduled,
    /// It was called off.
    PaymentCancelled,
    /// What is outstanding was given up.
    PaymentWrittenOff,
    /// Money arrived.
    ReceiptRecorded,
    /// A receipt was undone.
    ReceiptReversed,
    /// Money was given back.
    ReceiptRefunded,
    /// An installment, or a part of one, was forgiven.
    InstallmentWaived,
}

/// One change of a payment. Events are never changed and never removed, and each is sealed with the hash of the one
/// before, so that a change of history shows.
#[derive(Clone, Debug)]
pub struct PaymentEvent(pub Arc<payment_event::Model>);

/// One change of a payment. Events are never changed and never removed, and each is sealed with the hash of the one
/// before, so that a change of history shows.
#[Object]
impl PaymentEvent {
    /// 1 for the creation; the version that the payment had after the change.
    async fn sequence(&self) -> BigInt {
        BigInt(self.0.sequence.into())
    }

    /// When it was recorded.
    async fn at(&self) -> DateTime {
        DateTime(self.0.at)
    }

    /// What happened.
    #[graphql(name = "type")]
    async fn kind(&self) -> PaymentEventType {
        self.0.kind.into()
    }

    /// Who did it: the subject of a token, or the name of a program.
    async fn actor(&self) -> &str {
        &self.0.actor
    }

    /// The request that did it, as it stands in the log. Null when it was no request.
    async fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// Why, in the words of whoever did it. Null for what needs no reason.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// What changed as it was before, as JSON. Null for the creation.
    async fn before(&self) -> Option<&str> {
        self.0.before.as_deref()
    }

    /// What changed as it is since, as JSON; for the creation all of it.
    async fn after(&self) -> &str {
        &self.0.after
    }

    /// The hash of the event before; 64 zeros for the first.
    async fn prev_hash(&self) -> &str {
        &self.0.prev_hash
    }

    /// SHA-256, in hexadecimal, of the JSON array of: the hash before, the account's id, the payment's id, the
    /// sequence, the time in UTC with six digits of the second, the type, the actor, the request id, the reason,
    /// before and after.
    async fn hash(&self) -> &str {
        &self.0.hash
    }
}

/// A page of the events of a payment, in order.
#[derive(Clone, Debug)]
pub struct PaymentEventConnection {
    payment: Arc<entity::payment::Model>,
    edges: Vec<Edge<PaymentEvent>>,
    info: PageInfo,
}

/// A page of the events of a payment, in order.
#[Object]
impl PaymentEventConnection {
    /// The events with their cursors.
    async fn edges(&self) -> &[Edge<PaymentEvent>] {
        &self.edges
    }

    /// The events.
    async fn nodes(&self) -> Vec<PaymentEvent> {
        self.edges.iter().map(|edge| edge.node.clone()).collect()
    }

    /// Where the page stands.
    async fn page_info(&self) -> PageInfo {
        self.info.clone()
    }

    /// Whether all events of the payment are there, in order, and sealed, up to the payment as it is. Computed over
    /// the whole history only when it is selected.
    async fn chain_valid(&self, ctx: &Context<'_>) -> Result<bool> {
        let events = ctx.load(PaymentHistoryKey(self.payment.id)).await?;
        Ok(is_chain(&self.payment, events.iter().map(AsRef::as_ref)))
    }
}

impl PaymentEventConnection {
    /// One page of a payment's events.
    ///
    /// # Errors
    /// When the arguments make no page, or the rows cannot be loaded.
    pub async fn of_payment(
        ctx: &Context<'_>,
        payment: &Arc<entity::payment::Model>,
        first: i32,
        after: Option<String>,
    ) -> Result<Self> {
        let list = List::new("events", vec![KeyKind::Int], &payment.id);
        let max = ctx.request()?.max_page_size;
        let arguments = PageArguments { first: Some(first), after, ..PageArguments::default() };
        let request = list.request(&arguments, max, max)?;
        let page = ctx.load(PaymentEventsKey { payment: payment.id, request }).await?;
        let position = |row: &Arc<payment_event::Model>| vec![KeyValue::Int(row.sequence.into())];
        let edges = list.edges(&page, position, |row| Ok(PaymentEvent(Arc::clone(row))))?;
        let info = PageInfo::new(&page, edges.iter().map(|edge| edge.cursor.as_str()));
        Ok(Self { payment: Arc::clone(payment), edges, info })
    }
}

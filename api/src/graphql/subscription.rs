//! The root of all that is followed.

use std::collections::VecDeque;
use std::sync::Arc;

use async_graphql::{Context, ID, Subscription};
use entity::ids::PaymentId;
use entity::payment_event;
use futures_util::stream::{self, Stream, StreamExt};

use super::context::ContextExt;
use super::id::GlobalId;
use super::scalars::{BigInt, CurrencyCode};
use super::types::answer_event::AnswerEvent;
use super::types::ask_result::AskInput;
use super::types::payment_event::PaymentEvent;
use super::types::rate::{CurrencyRate, RatePurpose};
use crate::domain::currency::Currency;
use crate::error::{Error, Result, code};
use crate::loaders::Source;
use crate::payment_feed::Follower;
use crate::store::{payment_events, payments};

/// Everything that can be followed.
#[derive(Clone, Copy, Debug)]
pub struct Subscription;

/// Everything that can be followed.
#[Subscription]
impl Subscription {
    /// Each change of a payment, in order, when it is committed, whichever replica committed it. A client that was
    /// away names the last event that it has seen and misses nothing.
    async fn payment_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The payment.")] payment_id: ID,
        #[graphql(desc = "Everything after the event with this sequence: 0 for the whole history. Null: from now on.")]
        after_sequence: Option<BigInt>,
    ) -> Result<impl Stream<Item = Result<PaymentEvent>> + use<>> {
        let id = GlobalId::payment(&payment_id)?;
        let request = ctx.request()?;
        let source = request.loads.source().clone();
        // Before the first look, so that what happens in between is news.
        let follower = request.payments.follow(id);
        let row = payments::by_ids(&source.reader, source.account, &[id]).await?.pop();
        let row = row.ok_or_else(|| Error::caller(code::NOT_FOUND, "there is no payment with this id"))?;
        let seen = after_sequence.map_or(row.version, |after| i32::try_from(after.0.max(0)).unwrap_or(i32::MAX));
        Ok(PaymentHistory { source, payment: id, seen, unsent: VecDeque::new(), follower }.events())
    }

    /// Each rate of some currencies when it is published, from now on. In local mode a ticker publishes made-up
    /// rates, whose source says so.
    async fn rate_updated(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The currencies in which `base` is priced, at most as many as a page may have rows.")]
        quotes: Vec<CurrencyCode>,
        #[graphql(desc = "The currency that is priced. Null: the euro.")] base: Option<CurrencyCode>,
        #[graphql(desc = "Only rates for this use. Null: for any.")] purpose: Option<RatePurpose>,
    ) -> Result<impl Stream<Item = CurrencyRate> + use<>> {
        let request = ctx.request()?;
        if quotes.len() > usize::try_from(request.max_page_size).unwrap_or(usize::MAX) {
            let message = format!("at most {} currencies can be given", request.max_page_size);
            return Err(Error::caller(code::INVALID_PAGE, message));
        }
        let base = base.map_or(Currency::eur(), |code| code.0);
        Ok(request.rates.follow().flat_map(move |publication| {
            let wanted = purpose.is_none_or(|purpose| purpose == publication.purpose.into());
            let rates = quotes.iter().filter(|_| wanted).filter_map(|quote| publication.rate(base, quote.0));
            stream::iter(rates.map(|rate| CurrencyRate(Arc::new(rate))).collect::<Vec<_>>())
        }))
    }

    /// Asks the assistant as `askAssistant` does, and tells how far it is: the sources once they are found, then the
    /// text in parts, each quotation, and what came of it. Nothing is told before it was checked.
    async fn answer_stream(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The question.")] input: AskInput,
        #[graphql(desc = "Only what comes after the event with this sequence. Null: everything.")]
        after_sequence: Option<i32>,
    ) -> Result<impl Stream<Item = Result<AnswerEvent>> + use<>> {
        let (request, question) = (ctx.request()?, input.question(ctx)?);
        let asking = request.assistant.ask(request.loads.source().clone(), &question);
        Ok(AnswerEvent::stream(asking, ID(input.idempotency_key.0), after_sequence.unwrap_or(0)))
    }
}

/// Events read at once.
const EVENTS: u64 = 100;

/// A follower of one payment's events.
struct PaymentHistory {
    source: Source,
    payment: PaymentId,
    /// The sequence of the last event that was read.
    seen: i32,
    unsent: VecDeque<payment_event::Model>,
    follower: Follower,
}

impl PaymentHistory {
    /// The events, without end. It ends after an error.
    fn events(self) -> impl Stream<Item = Result<PaymentEvent>> {
        stream::unfold(Some(self), |history| async move {
            let mut history = history?;
            match history.next().await {
                Ok(event) => Some((Ok(PaymentEvent(Arc::new(event))), Some(history))),
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    async fn next(&mut self) -> Result<payment_event::Model> {
        loop {
            if let Some(event) = self.unsent.pop_front() {
                return Ok(event);
            }
            let Source { reader, account, .. } = &self.source;
            let events = payment_events::after(reader, *account, self.payment, self.seen, EVENTS).await?;
            if let Some(last) = events.last() {
                self.seen = last.sequence;
                self.unsent.extend(events);
            } else {
                self.follower.news().await;
            }
        }
    }
}

//! The root of all that is followed.

use std::sync::Arc;

use async_graphql::{Context, Subscription};
use futures_util::stream::{self, Stream, StreamExt};

use super::context::ContextExt;
use super::scalars::CurrencyCode;
use super::types::rate::{CurrencyRate, RatePurpose};
use crate::domain::currency::Currency;
use crate::error::{Error, Result, code};

/// Everything that can be followed.
#[derive(Clone, Copy, Debug)]
pub struct Subscription;

/// Everything that can be followed.
#[Subscription]
impl Subscription {
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
}

//! The root of all questions.

use async_graphql::{Context, ID, Object};

use super::context::ContextExt;
use super::id::GlobalId;
use super::input::filter::PaymentWhere;
use super::input::order::{PaymentOrder, PaymentSort};
use super::input::plan::PlanInput;
use super::pagination::PageArguments;
use super::scalars::{CurrencyCode, Date, HsCode};
use super::types::aging::AgingReport;
use super::types::ask_result::floor;
use super::types::commodity::{Commodity, CommodityConnection, HsLevel};
use super::types::cost::CostInfo;
use super::types::currency::Currency;
use super::types::export_duty_quote::{ExportDutyQuoteInput, ExportDutyResult};
use super::types::money::MoneyInput;
use super::types::node::Node;
use super::types::payment::{Payment, PaymentConnection};
use super::types::plan_preview::PlanPreview;
use super::types::prompt::PromptMatch;
use super::types::rate::{Conversion, MissingRatePolicy, RatePurpose, RateResult};
use super::types::rate_series::{RateGroup, RateSeries};
use super::types::reference_price::ReferencePrice;
use super::types::regulation::Regulation;
use super::types::regulation_chunk::Citation;
use super::types::viewer::Viewer;
use crate::assistant::outcome::{self, FoundChunk};
use crate::assistant::{SourceSearch, scope};
use crate::domain::{self, words};
use crate::error::{Error, Result, code};
use crate::loaders::commodities::CommodityVocabularyKey;
use crate::loaders::rates::{MissingPolicy, RateKey};
use crate::store::commodities::{CommodityFilter, Search};
use crate::store::payments;

/// Longest search text, in bytes.
const MAX_SEARCH_BYTES: usize = 200;

/// Most words in a search.
const MAX_SEARCH_WORDS: usize = 8;

/// Everything that can be read.
#[derive(Clone, Copy, Debug)]
pub struct Query;

/// Everything that can be read.
#[Object]
impl Query {
    /// Who is asking, and for which account.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Viewer> {
        Ok(Viewer(ctx.request()?.caller.clone()))
    }

    /// What this operation costs, and what is left of the caller's quota.
    async fn cost(&self, ctx: &Context<'_>) -> Result<CostInfo> {
        Ok(CostInfo(ctx.request()?.cost))
    }

    /// What a global id names. Null when that does not exist, or belongs to another account.
    async fn node(&self, ctx: &Context<'_>, #[graphql(desc = "The global id.")] id: ID) -> Option<Result<Node>> {
        Node::named(ctx, &id).await.transpose()
    }

    /// What some global ids name, in their order, null where a thing does not exist.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The global ids, at most as many as a page may have rows.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        let max = ctx.request()?.max_page_size;
        if ids.len() > usize::try_from(max).unwrap_or(usize::MAX) {
            return Err(Error::caller(code::INVALID_PAGE, format!("at most {max} ids can be given")));
        }
        let ids = ids.iter().map(|id| GlobalId::parse(id)).collect::<Result<Vec<_>>>()?;
        // All at once, so that each kind is one batch.
        futures_util::future::try_join_all(ids.into_iter().map(|id| Node::fetch(ctx, id))).await
    }

    /// A payment by its id or by its reference. Null when there is none in this account.
    async fn payment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The global id. Give this or the reference.")] id: Option<ID>,
        #[graphql(desc = "The account's own reference. Give this or the id.")] reference: Option<String>,
    ) -> Option<Result<Payment>> {
        Payment::named(ctx, id, reference).await.transpose()
    }

    /// The payments of the account: the newest first, unless another order is asked for.
    #[allow(clippy::too_many_arguments, reason = "the arguments of a Relay connection")]
    async fn payments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start, at most 100. 20 when neither `first` nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(name = "where", desc = "Which payments. Null: all.")] filter: Option<PaymentWhere>,
        #[graphql(desc = "At most three orders, the most important first. Null: the newest first.")] order_by: Option<
            Vec<PaymentOrder>,
        >,
    ) -> Result<PaymentConnection> {
        let filter = match filter {
            Some(filter) => filter.filter()?,
            None => payments::everything(),
        };
        let sort = PaymentSort::new(order_by)?;
        PaymentConnection::load(ctx, filter, sort, PageArguments { first, after, last, before }).await
    }

    /// What is outstanding of open payments by how long it has been overdue, for each currency in which something is.
    async fn payment_aging(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The day. Null: the account's current day.")] as_of: Option<Date>,
        #[graphql(name = "where", desc = "Which payments. Null: all.")] filter: Option<PaymentWhere>,
    ) -> Result<Vec<AgingReport>> {
        let filter = match filter {
            Some(filter) => filter.filter()?,
            None => payments::everything(),
        };
        AgingReport::load(ctx, filter, as_of).await
    }

    /// How an amount would be split, without storing anything. What a mutation would refuse is in `userErrors`.
    async fn preview_installment_plan(
        &self,
        #[graphql(desc = "The amount to split, above zero.")] amount: MoneyInput,
        #[graphql(desc = "How to split it.")] plan: PlanInput,
    ) -> PlanPreview {
        PlanPreview::new(amount, plan)
    }

    /// All currencies that are known here, by code.
    async fn currencies(&self) -> Vec<Currency> {
        domain::currency::Currency::all().map(Currency).collect()
    }

    /// What a currency costs in another on a day.
    #[allow(clippy::too_many_arguments, reason = "what tells one rate from another")]
    async fn currency_rate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The currency that is priced.")] base: CurrencyCode,
        #[graphql(desc = "The currency in which it is priced.")] quote: CurrencyCode,
        #[graphql(desc = "The day. Null: the account's current day.")] date: Option<Date>,
        #[graphql(default_with = "RatePurpose::Reference", desc = "What the rate is for.")] purpose: RatePurpose,
        #[graphql(default_with = "MissingRatePolicy::Previous", desc = "What to do when that day has no rate.")]
        on_missing: MissingRatePolicy,
    ) -> Result<RateResult> {
        let on = day(ctx, date)?;
        let key = RateKey { purpose: purpose.into(), base: base.0, quote: quote.0, on, missing: on_missing.into() };
        Ok(ctx.load(key).await?.into())
    }

    /// What a currency costs in some others on a day, in the order of `quotes`.
    async fn currency_rates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The currency that is priced.")] base: CurrencyCode,
        #[graphql(desc = "The currencies in which it is priced, at most as many as a page may have rows.")] quotes: Vec<
            CurrencyCode,
        >,
        #[graphql(desc = "The day. Null: the account's current day.")] date: Option<Date>,
        #[graphql(default_with = "RatePurpose::Reference", desc = "What the rates are for.")] purpose: RatePurpose,
    ) -> Result<Vec<RateResult>> {
        let on = day(ctx, date)?;
        let max = ctx.request()?.max_page_size;
        if quotes.len() > usize::try_from(max).unwrap_or(usize::MAX) {
            return Err(Error::caller(code::INVALID_PAGE, format!("at most {max} currencies can be given")));
        }
        let keys = quotes.into_iter().map(|quote| RateKey {
            purpose: purpose.into(),
            base: base.0,
            quote: quote.0,
            on,
            missing: MissingPolicy::Previous,
        });
        let answers = ctx.load_many(keys.collect::<Vec<_>>()).await?;
        Ok(answers.into_iter().map(RateResult::from).collect())
    }

    /// What a currency cost in another one over some time, at most ten years and 400 points.
    #[allow(clippy::too_many_arguments, reason = "what tells one series from another")]
    async fn rate_series(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The currency that is priced.")] base: CurrencyCode,
        #[graphql(desc = "The currency in which it is priced.")] quote: CurrencyCode,
        #[graphql(desc = "The first day.")] from: Date,
        #[graphql(desc = "The last day.")] to: Date,
        #[graphql(default_with = "RateGroup::Day", desc = "What the days are gathered by.")] group: RateGroup,
        #[graphql(default_with = "RatePurpose::Reference", desc = "What the rates are for.")] purpose: RatePurpose,
    ) -> Result<RateSeries> {
        RateSeries::load(ctx, purpose.into(), (base.0, quote.0), (from.0, to.0), group.into()).await
    }

    /// An amount in another currency. Null when no rate is held for that day; `currencyRate` tells why.
    async fn convert(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The amount to convert.")] amount: MoneyInput,
        #[graphql(desc = "The currency wanted.")] to: CurrencyCode,
        #[graphql(desc = "The day of the rate. Null: the account's current day.")] date: Option<Date>,
        #[graphql(default_with = "RatePurpose::Reference", desc = "What the conversion is for.")] purpose: RatePurpose,
    ) -> Option<Result<Conversion>> {
        match amount.money() {
            Ok(amount) => Conversion::load(ctx, amount, to.0, date, purpose).await.transpose(),
            Err(error) => Some(Err(error)),
        }
    }

    /// A commodity by its code. Null when there is none.
    async fn commodity(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The code, with or without dots.")] code: HsCode,
    ) -> Option<Result<Commodity>> {
        Commodity::with_code(ctx, code.0.as_str().to_owned()).await.transpose()
    }

    /// Commodities: all, those below one, those of a level, those with export duty, or those that a search finds.
    #[allow(
        clippy::too_many_arguments,
        reason = "the arguments of a Relay connection, and what tells commodities apart"
    )]
    async fn commodities(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, at most 100. Null: 20.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(
            desc = "The start of a code, or words that all stand in the names, English and Indonesian: whole words or their beginnings, and where a word is unknown those that are spelt nearly like it. Null or blank: no search."
        )]
        search: Option<String>,
        #[graphql(desc = "Only those directly below this code.")] parent: Option<HsCode>,
        #[graphql(desc = "Only those of this level.")] level: Option<HsLevel>,
        #[graphql(
            desc = "Only those that a rule of export duty in force on this day names, and those below them. Null: with and without a rule."
        )]
        dutiable_on: Option<Date>,
    ) -> Result<CommodityConnection> {
        let filter = CommodityFilter {
            dutiable_on: dutiable_on.map(|day| day.0),
            parent: parent.map(|code| code.0.as_str().to_owned()),
            level: level.map(Into::into),
            search: match search {
                Some(text) => read_search(ctx, &text).await?,
                None => None,
            },
        };
        CommodityConnection::load(ctx, filter, PageArguments { first, after, ..PageArguments::default() }).await
    }

    /// What the ministry publishes for a day: reference prices, export prices (HPE), and the duties and levies that it
    /// prints with them. By goods.
    async fn reference_prices(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only of the goods under this code. Null: of all.")] hs_code: Option<HsCode>,
        #[graphql(desc = "The day. Null: the account's current day.")] on: Option<Date>,
    ) -> Result<Vec<ReferencePrice>> {
        let on = day(ctx, on)?;
        ReferencePrice::on(ctx, hs_code.as_ref().map(|code| code.0.as_str()), on).await
    }

    /// Export duty and levy, with every step of the computation, or a typed reason why there is no quote. An estimate,
    /// and no legal advice.
    async fn export_duty_quote(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is exported, and when.")] input: ExportDutyQuoteInput,
    ) -> Result<ExportDutyResult> {
        ExportDutyResult::load(ctx, input).await
    }

    /// A regulation by its number. Null when there is none.
    async fn regulation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The number, such as `PMK 38/2024`; `PMK 39/PMK.010/2022` is `PMK 39/2022`.")] number: String,
    ) -> Option<Result<Regulation>> {
        Regulation::named(ctx, &number).await.transpose()
    }

    /// Pieces of regulations that are about something, the best first: by words, and by meaning where a model is
    /// configured and answers.
    async fn search_regulations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to look for, at most 1,000 characters.")] query: String,
        #[graphql(default = 5, desc = "How many, at most as many as a page may have rows.")] first: i32,
        #[graphql(desc = "How similar they have to be, from 0 to 1. Null: as this server is set.")]
        min_similarity: Option<f64>,
        #[graphql(desc = "Only what is in force on this day. Null: the account's current day.")] as_of: Option<Date>,
    ) -> Result<Vec<Citation>> {
        let (search, on) = (SourceSearch::new(ctx, &query, first, min_similarity)?, day(ctx, as_of)?);
        let request = ctx.request()?;
        let found = request.assistant.search_chunks(&request.loads, &search, on).await?;
        let whole = |(source, marker): (FoundChunk, usize)| {
            let words = source.chunk.text.clone();
            Citation(outcome::Citation { marker, start: 0, end: words.chars().count(), words, source })
        };
        Ok(found.into_iter().zip(1..).map(whole).collect())
    }

    /// Prompts of the library that are like a question, the best first: by words, and by meaning where a model is
    /// configured and answers.
    async fn search_prompts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The question, at most 1,000 characters.")] query: String,
        #[graphql(default = 5, desc = "How many, at most as many as a page may have rows.")] first: i32,
        #[graphql(desc = "How similar they have to be, from 0 to 1. Null: as this server is set.")]
        min_similarity: Option<f64>,
    ) -> Result<Vec<PromptMatch>> {
        let search = SourceSearch::new(ctx, &query, first, min_similarity)?;
        let request = ctx.request()?;
        let found = request.assistant.search_prompts(&request.loads, &search).await?;
        Ok(found.into_iter().map(PromptMatch).collect())
    }
}

impl SourceSearch {
    fn new(ctx: &Context<'_>, query: &str, first: i32, min_similarity: Option<f64>) -> Result<Self> {
        let bad = |message: String| Error::caller(code::BAD_USER_INPUT, message);
        if query.chars().count() > scope::LONGEST || query.contains('\0') {
            return Err(bad(format!("a search has at most {} characters", scope::LONGEST)));
        }
        let max = ctx.request()?.max_page_size;
        let limit = u32::try_from(first).ok().filter(|first| (1..=max).contains(first));
        let limit = limit.ok_or_else(|| Error::caller(code::INVALID_PAGE, format!("first must be from 1 to {max}")))?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(Self { text: query.to_owned(), limit, min_similarity: min_similarity.map(floor).transpose()? })
    }
}

fn day(ctx: &Context<'_>, date: Option<Date>) -> Result<chrono::NaiveDate> {
    match date {
        Some(day) => Ok(day.0),
        None => Ok(ctx.request()?.today()),
    }
}

/// What a search text asks for, with unknown words replaced by those that may have been meant.
async fn read_search(ctx: &Context<'_>, text: &str) -> Result<Option<Search>> {
    Ok(match typed(text)? {
        Typed::Nothing => None,
        Typed::Code(digits) => Some(Search::Code(digits)),
        Typed::Words(words) => {
            let vocabulary = ctx.load(CommodityVocabularyKey).await?;
            let terms: Vec<_> = words.into_iter().map(|word| vocabulary.term(word)).collect();
            let estimate = vocabulary.estimate(&terms);
            Some(Search::Words(terms, estimate))
        }
    })
}

/// What stands in a search box.
#[derive(Debug, PartialEq, Eq)]
enum Typed {
    Nothing,
    /// The start of a code, without dots.
    Code(String),
    Words(Vec<String>),
}

/// Digits and dots are the start of a code; anything else is words.
fn typed(text: &str) -> Result<Typed> {
    if text.len() > MAX_SEARCH_BYTES {
        let message = format!("a search has at most {MAX_SEARCH_BYTES} bytes");
        return Err(Error::caller(code::BAD_USER_INPUT, message));
    }
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        return Ok(if digits.is_empty() { Typed::Nothing } else { Typed::Code(digits) });
    }
    let words = words::search_words(text);
    if words.len() > MAX_SEARCH_WORDS {
        return Err(Error::caller(code::BAD_USER_INPUT, format!("a search has at most {MAX_SEARCH_WORDS} words")));
    }
    Ok(if words.is_empty() { Typed::Nothing } else { Typed::Words(words) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A search box takes a code as it is printed, or words in any case.
    #[test]
    fn a_search_is_a_code_or_words() {
        let read = |text: &str| typed(text).unwrap();
        assert_eq!(read("1801.00"), Typed::Code("180100".to_owned()));
        assert_eq!(read(" Biji  KAKAO "), Typed::Words(vec!["biji".to_owned(), "kakao".to_owned()]));
        for blank in ["", "  ", ".", "--"] {
            assert_eq!(read(blank), Typed::Nothing, "{blank}");
        }
        assert_eq!(typed("b c d e f g h i j").unwrap_err().code(), code::BAD_USER_INPUT);
        assert_eq!(typed(&"a".repeat(201)).unwrap_err().code(), code::BAD_USER_INPUT);
    }
}

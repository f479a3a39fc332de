//! What comes of a question to the assistant.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, Union};
use chrono::{DateTime as Moment, Utc};

use super::commodity::Commodity;
use super::exact_money::ExactMoney;
use super::export_duty_quote::ExportDutyQuote;
use super::prompt::PromptMatch;
use super::regulation_chunk::{Citation, RegulationChunk};
use crate::assistant::numbers::Language;
use crate::assistant::outcome::{self, Outcome, Reason, Verdict};
use crate::assistant::{Question, similarity};
use crate::domain::currency::Currency;
use crate::domain::decimal;
use crate::error::{Error, Result, code};
use crate::graphql::context::{ContextExt, RequestContext};
use crate::graphql::id::GlobalId;
use crate::graphql::scalars::{Date, DateTime, HsCode, IdempotencyKey};
use crate::loaders::commodities::CommodityKey;

/// A question to the assistant.
#[derive(Clone, Debug, InputObject)]
pub struct AskInput {
    /// Names the attempt. The same question is answered from what was kept, under this key or another.
    pub idempotency_key: IdempotencyKey,
    /// The question, at most 1,000 characters.
    pub question: String,
    /// The language of the answer and of the numbers in the question: `en`, or Indonesian.
    #[graphql(default = "id")]
    pub locale: String,
    /// The day that it is about: only what is in force then is a source. Null: the account's current day.
    pub as_of: Option<Date>,
    /// The code of the goods, where the question does not name them clearly. Null: by the question.
    pub hs_code: Option<HsCode>,
    /// How similar a source has to be to count, from 0 to 1. Null: as this server is set.
    pub min_similarity: Option<f64>,
}

impl AskInput {
    /// The question as it is compared with others.
    ///
    /// # Errors
    /// [`code::BAD_USER_INPUT`] when the input makes no sense.
    pub fn question(&self, ctx: &Context<'_>) -> Result<Question> {
        let bad = |message: &str| Error::caller(code::BAD_USER_INPUT, message);
        if self.hs_code.is_some_and(|code| code.0.is_section()) {
            return Err(bad("hsCode must be a code of digits and not a section"));
        }
        Ok(Question {
            text: self.question.clone(),
            language: Language::of_locale(&self.locale),
            as_of: self.as_of.map_or_else(|| ctx.request().map(RequestContext::today), |day| Ok(day.0))?,
            code: self.hs_code.map(|code| code.0.as_str().to_owned()),
            min_similarity: self.min_similarity.map(floor).transpose()?,
        })
    }
}

/// A least similarity, in thousandths.
///
/// # Errors
/// [`code::BAD_USER_INPUT`] when it is not from 0 to 1.
pub fn floor(similarity: f64) -> Result<u32> {
    if !(0.0..=1.0).contains(&similarity) {
        return Err(Error::caller(code::BAD_USER_INPUT, "minSimilarity must be from 0 to 1"));
    }
    Ok(similarity::to_thousandths(similarity))
}

/// What came of a question.
#[derive(Clone, Debug, Union)]
pub enum AskResult {
    /// An answer, every number and quotation of which was checked.
    Answer(Answer),
    /// It is not clear which goods are meant.
    Clarification(Clarification),
    /// It is not answered.
    Refusal(Refusal),
    /// The model that answers cannot be asked now.
    AssistantUnavailable(AssistantUnavailable),
    /// The account has used what it may use in a day.
    BudgetExceeded(BudgetExceeded),
}

impl AskResult {
    /// What came of it, as a client sees it.
    ///
    /// # Errors
    /// When commodities to choose from cannot be loaded.
    pub async fn new(ctx: &Context<'_>, outcome: Arc<Outcome>, cached: bool) -> Result<Self> {
        Ok(match &outcome.verdict {
            Verdict::Answer(_) => Self::Answer(Answer { outcome, cached }),
            Verdict::Clarification(clarification) => {
                let codes = clarification.codes.iter().cloned().map(CommodityKey).collect::<Vec<_>>();
                let options = ctx.load_many(codes).await?.into_iter().flatten().map(Commodity::new).collect();
                Self::Clarification(Clarification { found: clarification.clone(), options })
            }
            Verdict::Refusal(refusal) => Self::Refusal(Refusal(refusal.clone())),
            Verdict::Unavailable(why) => {
                Self::AssistantUnavailable(AssistantUnavailable { why: *why, outcome: Arc::clone(&outcome) })
            }
            Verdict::BudgetExceeded(reset_at) => Self::BudgetExceeded(BudgetExceeded(*reset_at)),
        })
    }
}

/// An answer, every number and quotation of which was checked. An estimate, and no legal advice.
#[derive(Clone, Debug)]
pub struct Answer {
    outcome: Arc<Outcome>,
    cached: bool,
}

/// An answer, every number and quotation of which was checked. An estimate, and no legal advice.
#[Object]
impl Answer {
    /// Global id. The answer is found by it as long as it is kept, about an hour.
    pub async fn id(&self) -> ID {
        GlobalId::Answer(self.outcome.id).encode()
    }

    /// The words, with markers such as `[1]`.
    async fn text(&self) -> Result<&str> {
        Ok(&self.found()?.text)
    }

    /// What it quotes.
    async fn citations(&self) -> Result<Vec<Citation>> {
        Ok(self.found()?.citations.iter().cloned().map(Citation).collect())
    }

    /// The computation that its amounts are from. Null where nothing was to be computed, or something is not held;
    /// then `warnings` says what.
    async fn calculation(&self) -> Result<Option<ExportDutyQuote>> {
        Ok(self.found()?.quote.clone().map(ExportDutyQuote))
    }

    /// The prompt of the library that the question is like. Null when it is like none.
    async fn matched_prompt(&self) -> Result<Option<PromptMatch>> {
        Ok(self.found()?.prompt.clone().map(PromptMatch))
    }

    /// The day that it is about.
    async fn as_of(&self) -> Result<Date> {
        Ok(Date(self.found()?.as_of))
    }

    /// Whether it was kept from an earlier question, so that no model was asked.
    async fn cached(&self) -> bool {
        self.cached
    }

    /// What it took when it was made.
    async fn usage(&self) -> Result<Usage> {
        Ok(Usage(self.found()?.usage.clone()))
    }

    /// What whoever reads it should know, in words.
    async fn warnings(&self) -> Result<&[String]> {
        Ok(&self.found()?.warnings)
    }
}

impl Answer {
    /// The answer with an id, as long as it is kept.
    ///
    /// # Errors
    /// When the schema is executed without a request.
    pub fn with_id(ctx: &Context<'_>, id: uuid::Uuid) -> Result<Option<Self>> {
        Ok(ctx.request()?.assistant.answer(id).map(|outcome| Self { outcome, cached: true }))
    }

    fn found(&self) -> Result<&outcome::Answer> {
        match &self.outcome.verdict {
            Verdict::Answer(answer) => Ok(answer),
            _ => Err(Error::internal("an outcome that was taken for an answer")),
        }
    }
}

/// What an answer took.
#[derive(Clone, Debug)]
pub struct Usage(outcome::Usage);

/// What an answer took.
#[Object]
impl Usage {
    /// Tokens that the model read.
    async fn prompt_tokens(&self) -> i32 {
        number(self.0.prompt_tokens)
    }

    /// Tokens that it wrote.
    async fn completion_tokens(&self) -> i32 {
        number(self.0.completion_tokens)
    }

    /// Tokens of those read that its server had kept.
    async fn cached_tokens(&self) -> i32 {
        number(self.0.cached_tokens)
    }

    /// What it cost, in US dollars, by the prices that this server is set to. Null where it is set to none.
    async fn cost(&self) -> Option<ExactMoney> {
        let micros = i128::from(self.0.cost_micros);
        (micros > 0).then(|| ExactMoney::new(decimal::Decimal::new(micros, 6).normalized(), Currency::usd()))
    }

    /// The model, as its server names it.
    async fn model(&self) -> &str {
        &self.0.model
    }

    /// Milliseconds from the question to the answer.
    async fn latency_ms(&self) -> i32 {
        number(u64::try_from(self.0.latency.as_millis()).unwrap_or(u64::MAX))
    }
}

fn number(number: u64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// Why a question is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Reason")]
pub enum RefusalReason {
    /// It is not about exporting goods from Indonesia.
    OutOfScope,
    /// Nothing that is held and in force on the day is about it.
    NoRelevantSource,
    /// The answer of the model did not stand up to its sources, twice.
    Ungrounded,
    /// The question is empty, too long, or asks to change the rules of answers.
    InputRejected,
}

/// A question that is not answered.
#[derive(Clone, Debug)]
pub struct Refusal(outcome::Refusal);

/// A question that is not answered.
#[Object]
impl Refusal {
    /// Why.
    async fn reason(&self) -> RefusalReason {
        self.0.reason.into()
    }

    /// The same in words.
    async fn message(&self) -> &str {
        &self.0.message
    }

    /// How similar the best source is. Null when there was none, or none was looked for.
    async fn best_similarity(&self) -> Option<f64> {
        self.0.best
    }

    /// How similar it would have to be.
    async fn threshold(&self) -> f64 {
        self.0.threshold
    }

    /// The nearest sources, the best first.
    async fn nearest(&self) -> Vec<RegulationChunk> {
        RegulationChunk::found(&self.0.nearest)
    }

    /// Prompts that may help, the best first.
    async fn suggested_prompts(&self) -> Vec<PromptMatch> {
        self.0.prompts.iter().cloned().map(PromptMatch).collect()
    }
}

/// The model that answers cannot be asked now.
#[derive(Clone, Debug)]
pub struct AssistantUnavailable {
    why: outcome::Unavailable,
    outcome: Arc<Outcome>,
}

/// The model that answers cannot be asked now.
#[Object]
impl AssistantUnavailable {
    /// Why, in words with a code.
    async fn message(&self) -> String {
        format!("the model that answers cannot be asked: {}", self.why.code)
    }

    /// After how many seconds it is worth asking again. Null where nobody knows.
    async fn retry_after_seconds(&self) -> Option<i32> {
        let seconds = self.why.retry_after?.as_secs_f64().ceil();
        #[allow(clippy::cast_possible_truncation, reason = "a pause of some seconds")]
        Some((seconds as i32).max(1))
    }

    /// The sources that were found, the best first.
    async fn partial(&self) -> Vec<RegulationChunk> {
        RegulationChunk::found(&self.outcome.sources)
    }
}

/// The account has used what it may use in a day.
#[derive(Clone, Copy, Debug)]
pub struct BudgetExceeded(Moment<Utc>);

/// The account has used what it may use in a day.
#[Object]
impl BudgetExceeded {
    /// The same in words.
    async fn message(&self) -> &'static str {
        "the account has used what it may use of the assistant in a day"
    }

    /// When it may ask again.
    async fn reset_at(&self) -> DateTime {
        DateTime(self.0)
    }
}

/// It is not clear which goods are meant.
#[derive(Clone, Debug)]
pub struct Clarification {
    found: outcome::Clarification,
    options: Vec<Commodity>,
}

/// It is not clear which goods are meant.
#[Object]
impl Clarification {
    /// What has to be said.
    async fn question(&self) -> &str {
        &self.found.question
    }

    /// Commodities that may be meant, to be passed as `hsCode`. Empty where rules name goods without codes.
    async fn options(&self) -> &[Commodity] {
        &self.options
    }

    /// Goods that may be meant, in the words of the rules, to be named in the question.
    async fn products(&self) -> &[String] {
        &self.found.products
    }
}

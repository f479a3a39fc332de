//! A question from its words to its outcome: see the flow in `docs/assistant.md`.

use std::cell::RefCell;
use std::future::Future;
use std::sync::Arc;

use chrono::NaiveDate;
use futures_util::future::{join3, try_join};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::budget::Reserved;
use super::calculation::{self, Calculation};
use super::client::{CallError, Client};
use super::grounding;
use super::index::Index;
use super::numbers::Language;
use super::outcome::{
    Answer, Citation, FoundChunk, FoundPrompt, Outcome, Reason, Refusal, Unavailable, Usage, Verdict,
};
use super::prompt::{self, Said};
use super::retrieval;
use super::search::{Query, chunk_at};
use super::wire::{Asked, Turn};
use super::{Inner, scope, similarity, text};
use crate::error::{Error, Result};
use crate::loaders::Loads;
use crate::telemetry::traces::{Span, SpanKind};

/// A question, as it is compared with others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// The words.
    pub text: String,
    /// The language of the answer, and of the numbers in the question.
    pub language: Language,
    /// The day that it is about.
    pub as_of: NaiveDate,
    /// The code of the goods, without dots.
    pub code: Option<String>,
    /// The least similarity of a source, in thousandths; `None` for that of the settings.
    pub min_similarity: Option<u32>,
}

/// How far a question is.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// The sources, once they are found.
    pub sources: Option<Arc<Vec<FoundChunk>>>,
    /// What came of it, at the end.
    pub done: Option<Result<Arc<Outcome>>>,
}

/// Prompts that are suggested.
const SUGGESTED: usize = 3;

/// Chunks of a regulation that a computation rests on, where the question itself finds none of it.
const OF_BASIS: usize = 2;

/// How often a model may answer: once, and once more when the first answer does not stand up to its sources.
const ANSWERS: usize = 2;

/// A question on its way.
pub(super) struct Work<'a> {
    pub(super) inner: &'a Inner,
    pub(super) loads: &'a Loads,
    pub(super) question: &'a Question,
    pub(super) tell: &'a watch::Sender<Progress>,
    /// What it costs, which outlives it: the deadline ends the work, and not the bill.
    pub(super) bill: &'a RefCell<Option<Bill>>,
    pub(super) started: Instant,
    pub(super) deadline: Instant,
}

/// What a question costs.
#[derive(Debug)]
pub(super) struct Bill {
    reserved: Reserved,
    usage: Usage,
}

impl Bill {
    /// Adds it to what the account has used, where a model has answered.
    pub(super) async fn settle(self, inner: &Inner) -> Result<()> {
        let Usage { calls, prompt_tokens, completion_tokens, cost_micros, .. } = self.usage;
        if calls == 0 {
            return Ok(());
        }
        inner.metrics.cost(cost_micros);
        self.reserved.spend(&inner.database, calls, prompt_tokens + completion_tokens, cost_micros).await
    }
}

/// What was found of a question.
struct Findings {
    index: Arc<Index>,
    good: Vec<FoundChunk>,
    nearest: Vec<FoundChunk>,
    prompts: Vec<FoundPrompt>,
    calculation: Calculation,
    /// Whether words alone were searched though vectors were wanted.
    without_vector: bool,
}

impl Work<'_> {
    /// Does it, and says whether what came of it may be given to others who ask the same.
    pub(super) async fn run(&self) -> Result<(Verdict, bool)> {
        match scope::verdict(&self.question.text) {
            scope::Verdict::Ask => {}
            scope::Verdict::Rejected(why) => return Ok((self.plain_refusal(Reason::InputRejected, why), true)),
            scope::Verdict::OutOfScope => {
                let why = "the question is not about exporting goods from Indonesia";
                return Ok((self.plain_refusal(Reason::OutOfScope, why), true));
            }
        }
        if self.inner.client.is_some() {
            let account = self.loads.source().account;
            match self.staged("budget", self.inner.budget.reserve(self.loads, account)).await? {
                Ok(reserved) => *self.bill.borrow_mut() = Some(Bill { reserved, usage: Usage::default() }),
                Err(exceeded) => return Ok((Verdict::BudgetExceeded(exceeded.reset_at), false)),
            }
        }
        let findings = self.find().await?;
        self.tell.send_modify(|progress| progress.sources = Some(Arc::new(findings.good.clone())));
        if let Calculation::Unclear(clarification) = &findings.calculation {
            return Ok((Verdict::Clarification(clarification.clone()), true));
        }
        let kept = !findings.without_vector;
        if findings.good.is_empty() || self.is_about_unknown(&findings) {
            let why = "no source that is held and in force on that day is about the question";
            return Ok((self.refusal(Reason::NoRelevantSource, why, &findings), kept));
        }
        let Some(client) = &self.inner.client else {
            return Ok((unavailable(CallError::NotConfigured), false));
        };
        let verdict = self.answer(client, &findings).await;
        let kept = kept && !matches!(&verdict, Verdict::Unavailable(_)) && verdict.name() != Reason::Ungrounded.name();
        Ok((verdict, kept))
    }

    /// Runs a stage, timed, in a span of its own.
    async fn staged<F: Future>(&self, stage: &'static str, work: F) -> F::Output {
        let start = Instant::now();
        let span = Span::begin(SpanKind::Internal, || format!("assistant {stage}").into());
        let output = span.around(work).await;
        self.inner.metrics.stage(stage, start.elapsed());
        output
    }

    /// The least similarity, in thousandths.
    fn threshold(&self) -> u32 {
        self.inner.settings.floor(self.question.min_similarity)
    }

    fn least(&self) -> f64 {
        similarity::of_thousandths(self.threshold())
    }

    /// Looks up everything that does not depend on anything else, all at once; then searches.
    async fn find(&self) -> Result<Findings> {
        // A server that is slow to make a vector must leave time to answer.
        let vector_deadline = self.deadline.min(self.started + self.inner.settings.deadline / 3);
        let (vector, index, calculated) = join3(
            self.staged("embedding", self.inner.embedder.vector(&self.question.text, vector_deadline)),
            self.inner.search.index(self.loads),
            self.staged("quote", calculation::calculate(self.loads, self.inner.rounding, self.question)),
        )
        .await;
        let (index, (calculation, day)) = (index?, calculated?);
        let without_vector = self.inner.client.is_some() && vector.is_err();
        let mut words = text::words(&self.question.text);
        // Quantities and days say nothing of what a source is about; numbers of regulations do.
        let is_number = |word: &str| word.bytes().any(|byte| byte.is_ascii_digit());
        words.retain(|word| !is_number(word) || index.chunk_words.has(word));
        let search = async {
            let (text, vector) = (self.question.text.as_str(), vector.as_deref().ok());
            let query =
                Query { text, words: &words, vector, floor: self.threshold(), limit: self.inner.settings.sources };
            let chunks = self.inner.search.chunks(self.loads, &query, day);
            let query = Query { limit: SUGGESTED, floor: 0, ..query };
            let (chunks, prompts) = try_join(chunks, self.inner.search.prompts(self.loads, &query)).await?;
            let mut good = chunks.good.clone();
            // What a computation rests on is a source, whatever words the question has.
            let mut basis = calculation.basis();
            basis.retain(|number| !good.iter().any(|found| found.chunk.regulation == *number));
            let in_force = index.in_force(day);
            for number in basis {
                let hits = retrieval::chunks_of(&index, &number, &words, &in_force, OF_BASIS);
                good.extend(hits.into_iter().filter_map(|hit| chunk_at(&index, hit)));
            }
            Ok::<_, Error>((good, chunks.nearest.clone(), prompts.all().take(SUGGESTED).cloned().collect()))
        };
        let (good, nearest, prompts) = self.staged("search", search).await?;
        Ok(Findings { good, nearest, prompts, calculation, without_vector, index })
    }

    fn is_about_unknown(&self, findings: &Findings) -> bool {
        let words = text::words(&self.question.text);
        let known = |word: &str| findings.index.chunk_words.has(word) || findings.index.prompt_words.has(word);
        matches!(findings.calculation, Calculation::None) && scope::is_about_unknown(&words, known)
    }

    /// Asks the model, checks what it says, and asks once more when that does not stand up.
    async fn answer(&self, client: &Client, findings: &Findings) -> Verdict {
        let settings = &self.inner.settings;
        let mut usage = Usage { model: settings.chat_model.clone(), ..Usage::default() };
        let sources: Vec<_> = findings.good.iter().map(as_source).collect();
        let steps = findings.calculation.lines();
        let best_prompt = findings.prompts.first().filter(|found| found.similarity >= self.least());
        let material = prompt::Material {
            question: &self.question.text,
            language: self.question.language,
            as_of: self.question.as_of,
            sources: &sources,
            calculation: &steps,
            template: best_prompt.map(|found| found.prompt.template.as_str()),
        };
        let mut turns = vec![Turn::User(prompt::message(&material))];
        let known = findings.calculation.numbers(self.question);
        for _ in 0..ANSWERS {
            let asked = Asked {
                model: &settings.chat_model,
                system: prompt::system(),
                turns: &turns,
                max_tokens: settings.max_tokens,
                temperature: settings.temperature,
            };
            let completion = match self.staged("chat", client.chat(&asked, self.deadline)).await {
                Ok(completion) => completion,
                Err(error) => return unavailable(error),
            };
            usage.calls += 1;
            usage.prompt_tokens += completion.prompt_tokens;
            usage.completion_tokens += completion.completion_tokens;
            usage.cached_tokens += completion.cached_tokens;
            usage.cost_micros = settings.cost_micros(usage.prompt_tokens, usage.completion_tokens);
            if let Some(model) = &completion.model {
                usage.model.clone_from(model);
            }
            if let Some(bill) = &mut *self.bill.borrow_mut() {
                bill.usage.clone_from(&usage);
            }
            let fault = match prompt::read(&completion.text) {
                Said::OutOfScope => {
                    let why = "the question is not about exporting goods from Indonesia";
                    return self.refusal(Reason::OutOfScope, why, findings);
                }
                Said::NoRelevantSource => {
                    return self.refusal(Reason::NoRelevantSource, "no source that was found answers it", findings);
                }
                Said::Nonsense => "it is not the JSON object that was asked for".to_owned(),
                Said::Answer(draft) => {
                    let plain = calculation::without_days(&draft, self.question);
                    let checked = self.staged("check", async { grounding::check(&plain, &sources, &known) }).await;
                    match checked {
                        Ok(found) => {
                            usage.latency = self.started.elapsed();
                            return self.answered(draft.text, &found, findings, usage.clone());
                        }
                        Err(fault) => fault.to_string(),
                    }
                }
            };
            tracing::info!(fault, "an answer of a model does not stand up to its sources");
            turns.push(Turn::Assistant(completion.text));
            turns.push(Turn::User(prompt::repair(&fault)));
        }
        let why = "the answer of the model did not stand up to its sources";
        self.refusal(Reason::Ungrounded, why, findings)
    }

    fn answered(&self, text: String, found: &[grounding::Found], findings: &Findings, usage: Usage) -> Verdict {
        let citations = found.iter().filter_map(|one| {
            let source = findings.good.get(one.marker.checked_sub(1)?)?.clone();
            Some(Citation { marker: one.marker, source, words: one.words.clone(), start: one.start, end: one.end })
        });
        let mut warnings = vec!["An estimate, and no legal advice.".to_owned()];
        warnings.extend(findings.calculation.warning());
        if findings.without_vector {
            warnings.push("Sources were searched by words alone.".to_owned());
        }
        let prompt = findings.prompts.first().filter(|found| found.similarity >= self.least()).cloned();
        Verdict::Answer(Box::new(Answer {
            text,
            citations: citations.collect(),
            quote: findings.calculation.quote(),
            prompt,
            as_of: self.question.as_of,
            usage,
            warnings,
        }))
    }

    fn plain_refusal(&self, reason: Reason, message: &str) -> Verdict {
        Verdict::Refusal(Refusal {
            reason,
            message: message.to_owned(),
            best: None,
            threshold: self.least(),
            nearest: Vec::new(),
            prompts: Vec::new(),
        })
    }

    fn refusal(&self, reason: Reason, message: &str, findings: &Findings) -> Verdict {
        let all = findings.good.iter().chain(&findings.nearest);
        Verdict::Refusal(Refusal {
            reason,
            message: message.to_owned(),
            best: all.clone().map(|found| found.similarity).max_by(f64::total_cmp),
            threshold: self.least(),
            nearest: all.take(SUGGESTED).cloned().collect(),
            prompts: findings.prompts.clone(),
        })
    }
}

/// What is said of a call that failed.
pub(super) fn unavailable(error: CallError) -> Verdict {
    Verdict::Unavailable(Unavailable { code: error.code(), retry_after: error.retry_after() })
}

/// What is said of a question whose time is over.
pub(super) async fn in_time<F: Future<Output = Result<(Verdict, bool)>>>(
    deadline: Instant,
    work: F,
) -> Result<(Verdict, bool)> {
    timeout_at(deadline, work).await.unwrap_or_else(|_| Ok((unavailable(CallError::Late), false)))
}

fn as_source(found: &FoundChunk) -> grounding::Source<'_> {
    let chunk = &found.chunk;
    grounding::Source { regulation: &chunk.regulation, article: chunk.article.as_deref(), text: &chunk.text }
}

/// The outcome of some work, with its id and its sources.
pub(super) fn outcome(id: uuid::Uuid, verdict: Verdict, sources: Option<&Arc<Vec<FoundChunk>>>) -> Outcome {
    Outcome { id, sources: sources.map(|sources| sources.as_ref().clone()).unwrap_or_default(), verdict }
}

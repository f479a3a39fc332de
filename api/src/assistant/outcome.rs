//! What comes of a question.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use entity::{prompt, regulation_chunk};
use uuid::Uuid;

use crate::duty_quote::Quote;

/// What came of a question.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its id.
    pub id: Uuid,
    /// The sources that were found, the best first.
    pub sources: Vec<FoundChunk>,
    /// The rest.
    pub verdict: Verdict,
}

/// The kinds of outcome.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// An answer that was checked.
    Answer(Box<Answer>),
    /// It is not clear which goods are meant.
    Clarification(Clarification),
    /// It is not answered.
    Refusal(Refusal),
    /// A model is needed that cannot be asked.
    Unavailable(Unavailable),
    /// Nothing is left for today.
    BudgetExceeded(DateTime<Utc>),
}

/// A chunk that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundChunk {
    /// The chunk.
    pub chunk: Arc<regulation_chunk::Model>,
    /// How similar it is to the question.
    pub similarity: f64,
}

/// A prompt that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundPrompt {
    /// The prompt.
    pub prompt: Arc<prompt::Model>,
    /// How similar it is to the question.
    pub similarity: f64,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The words, with markers such as `[1]`.
    pub text: String,
    /// What it quotes.
    pub citations: Vec<Citation>,
    /// The computation that its numbers are from.
    pub quote: Option<Arc<Quote>>,
    /// The prompt that the question is like.
    pub prompt: Option<FoundPrompt>,
    /// The day that it is about.
    pub as_of: NaiveDate,
    /// What it took.
    pub usage: Usage,
    /// What whoever reads it should know.
    pub warnings: Vec<String>,
}

/// A quotation in an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Citation {
    /// The number of its marker.
    pub marker: usize,
    /// Where it is from.
    pub source: FoundChunk,
    /// The words.
    pub words: String,
    /// Where they begin in the chunk's text, in characters.
    pub start: usize,
    /// Where they end.
    pub end: usize,
}

/// What an answer took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Calls of the model that answers.
    pub calls: u64,
    /// Tokens that were read.
    pub prompt_tokens: u64,
    /// Tokens that were written.
    pub completion_tokens: u64,
    /// Tokens that the model's server had kept.
    pub cached_tokens: u64,
    /// What it cost, in millionths of a US dollar.
    pub cost_micros: u64,
    /// The model.
    pub model: String,
    /// From the question to the answer.
    pub latency: Duration,
}

/// A question back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clarification {
    /// The question.
    pub question: String,
    /// The codes that may be meant.
    pub codes: Vec<String>,
    /// The goods that may be meant, in the words of the rules.
    pub products: Vec<String>,
}

/// Why a question is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is not about exporting goods from Indonesia.
    OutOfScope,
    /// Nothing that is held is about it.
    NoRelevantSource,
    /// The model's answer did not stand up to its sources, twice.
    Ungrounded,
    /// The question is empty, too long, or asks to change the rules.
    InputRejected,
}

impl Reason {
    /// The name in metrics and evaluations.
    pub fn name(self) -> &'static str {
        match self {
            Self::OutOfScope => "OUT_OF_SCOPE",
            Self::NoRelevantSource => "NO_RELEVANT_SOURCE",
            Self::Ungrounded => "UNGROUNDED",
            Self::InputRejected => "INPUT_REJECTED",
        }
    }
}

/// That a question is not answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// The same in words.
    pub message: String,
    /// The similarity of the best source.
    pub best: Option<f64>,
    /// What it would have to be.
    pub threshold: f64,
    /// The nearest sources.
    pub nearest: Vec<FoundChunk>,
    /// Prompts that may help.
    pub prompts: Vec<FoundPrompt>,
}

/// That a model cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable {
    /// Why, as a code.
    pub code: &'static str,
    /// After what time it is worth asking again.
    pub retry_after: Option<Duration>,
}

impl Verdict {
    /// The name in metrics and evaluations.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Answer(_) => "ANSWER",
            Self::Clarification(_) => "CLARIFICATION",
            Self::Refusal(refusal) => refusal.reason.name(),
            Self::Unavailable(_) => "UNAVAILABLE",
            Self::BudgetExceeded(_) => "BUDGET_EXCEEDED",
        }
    }
}

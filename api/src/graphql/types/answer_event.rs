//! The events of an answer under way.
//!
//! What is shown was checked before: a model's words reach a client only when every number and quotation in them stands
//! up to its sources. The same question has the same events again while its answer is kept, so that a client that was
//! away goes on behind the last one that it has seen.

use std::sync::Arc;

use async_graphql::{Context, ID, Interface, SimpleObject};
use futures_util::stream::{self, Stream, StreamExt};

use super::ask_result::AskResult;
use super::regulation_chunk::{Citation, RegulationChunk};
use crate::assistant::Asking;
use crate::assistant::outcome::{FoundChunk, Outcome, Verdict};
use crate::error::Result;

/// Characters of a part of an answer, about.
const PART: usize = 40;

/// An event of an answer under way.
#[derive(Debug, Interface)]
#[graphql(
    field(name = "sequence", ty = "&i32", desc = "Its place among the events of the answer, from 1."),
    field(name = "ask_id", ty = "&ID", desc = "The key under which the question was asked.")
)]
pub enum AnswerEvent {
    /// The sources are found.
    Started(AnswerStarted),
    /// More of the text.
    Delta(AnswerDelta),
    /// A quotation.
    Cited(AnswerCited),
    /// The end.
    Completed(AnswerCompleted),
}

/// The sources are found, or the question ended without any.
#[derive(Debug, SimpleObject)]
pub struct AnswerStarted {
    /// Its place among the events of the answer, from 1.
    sequence: i32,
    /// The key under which the question was asked.
    ask_id: ID,
    /// The sources, the best first.
    sources: Vec<RegulationChunk>,
}

/// More of the text of an answer that was checked.
#[derive(Debug, SimpleObject)]
pub struct AnswerDelta {
    /// Its place among the events of the answer, from 1.
    sequence: i32,
    /// The key under which the question was asked.
    ask_id: ID,
    /// What comes next.
    text: String,
}

/// A quotation of the answer.
#[derive(Debug, SimpleObject)]
pub struct AnswerCited {
    /// Its place among the events of the answer, from 1.
    sequence: i32,
    /// The key under which the question was asked.
    ask_id: ID,
    /// The quotation.
    citation: Citation,
}

/// The end: what came of the question.
#[derive(Debug, SimpleObject)]
#[graphql(complex)]
pub struct AnswerCompleted {
    /// Its place among the events of the answer, from 1.
    sequence: i32,
    /// The key under which the question was asked.
    ask_id: ID,
    #[graphql(skip)]
    outcome: Arc<Outcome>,
    #[graphql(skip)]
    cached: bool,
}

/// The end: what came of the question.
#[async_graphql::ComplexObject]
impl AnswerCompleted {
    /// What came of it.
    async fn result(&self, ctx: &Context<'_>) -> Result<AskResult> {
        AskResult::new(ctx, Arc::clone(&self.outcome), self.cached).await
    }
}

impl AnswerEvent {
    /// The events of a question, those behind `after` alone.
    pub fn stream(mut asking: Asking, ask_id: ID, after: i32) -> impl Stream<Item = Result<Self>> + use<> {
        let first = async move {
            let sources = asking.sources().await;
            (sources, asking)
        };
        let events = stream::once(first).flat_map(move |(sources, asking)| {
            let cached = asking.cached;
            let started = stream::iter([Ok(Self::started(&ask_id, &sources))]);
            let ask_id = ask_id.clone();
            let rest = stream::once(asking.outcome()).flat_map(move |outcome| {
                stream::iter(match outcome {
                    Ok(outcome) => Self::rest(&outcome, cached, &ask_id).into_iter().map(Ok).collect::<Vec<_>>(),
                    Err(error) => vec![Err(error)],
                })
            });
            started.chain(rest)
        });
        events.filter(move |event| {
            let seen = event.as_ref().is_ok_and(|event| event.place() <= after);
            futures_util::future::ready(!seen)
        })
    }

    fn started(ask_id: &ID, sources: &[FoundChunk]) -> Self {
        Self::Started(AnswerStarted { sequence: 1, ask_id: ask_id.clone(), sources: RegulationChunk::found(sources) })
    }

    fn rest(outcome: &Arc<Outcome>, cached: bool, ask_id: &ID) -> Vec<Self> {
        let mut sequence = 1;
        let mut next = || {
            sequence += 1;
            sequence
        };
        let mut events = Vec::new();
        if let Verdict::Answer(answer) = &outcome.verdict {
            for text in parts(&answer.text) {
                events.push(Self::Delta(AnswerDelta { sequence: next(), ask_id: ask_id.clone(), text }));
            }
            for citation in &answer.citations {
                let citation = Citation(citation.clone());
                events.push(Self::Cited(AnswerCited { sequence: next(), ask_id: ask_id.clone(), citation }));
            }
        }
        let outcome = Arc::clone(outcome);
        events.push(Self::Completed(AnswerCompleted { sequence: next(), ask_id: ask_id.clone(), outcome, cached }));
        events
    }

    fn place(&self) -> i32 {
        match self {
            Self::Started(event) => event.sequence,
            Self::Delta(event) => event.sequence,
            Self::Cited(event) => event.sequence,
            Self::Completed(event) => event.sequence,
        }
    }
}

/// A text in parts, cut behind blanks.
fn parts(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for word in text.split_inclusive(' ') {
        match parts.last_mut() {
            Some(last) if last.chars().count() < PART => last.push_str(word),
            _ => parts.push(word.to_owned()),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_text_are_the_text() {
        let text =
            "The export duty on 12.5 t of cocoa beans is 5015.625 USD, as the calculation says [1]. An estimate.";
        let parts = parts(text);
        assert!(parts.len() > 1 && parts.iter().all(|part| part.chars().count() < PART + 20), "{parts:?}");
        assert_eq!(parts.concat(), text);
        assert_eq!(super::parts(""), Vec::<String>::new());
    }
}

//! How good the assistant is: questions with what is expected of them, and what came of them.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;

use chrono::NaiveDate;
use serde::Deserialize;

use super::Question;
use super::numbers::{Language, numbers};
use super::outcome::{FoundChunk, Outcome, Verdict};
use crate::domain::decimal::Decimal;

/// The questions that are shipped.
pub const SHIPPED: &str = include_str!("../../data/assistant/evaluation.jsonl");

/// A question, and what is expected of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Its name.
    pub id: String,
    /// `en` or `id`.
    pub language: String,
    /// The question.
    pub question: String,
    /// The day that it is about.
    pub as_of: NaiveDate,
    /// `ANSWER`, `CLARIFICATION` or `REFUSAL`.
    pub outcome: String,
    /// The reason of a refusal.
    pub reason: Option<String>,
    /// Regulations that an answer cites.
    pub sources: Vec<String>,
    /// Numbers that stand in an answer.
    pub numbers: Vec<String>,
}

impl Case {
    /// The question as it is asked.
    pub fn question(&self) -> Question {
        Question {
            text: self.question.clone(),
            language: Language::of_locale(&self.language),
            as_of: self.as_of,
            code: None,
            min_similarity: None,
        }
    }

    fn expected(&self) -> &str {
        self.reason.as_deref().unwrap_or(&self.outcome)
    }
}

/// Reads questions, one JSON object a line.
///
/// # Errors
/// With the number of the first line that is none.
pub fn parse(text: &str) -> Result<Vec<Case>, String> {
    let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    lines.map(|(line, at)| serde_json::from_str(line).map_err(|error| format!("line {at}: {error}"))).collect()
}

/// Reads a file of questions, or those that are shipped.
///
/// # Errors
/// When the file cannot be read or is wrong.
pub fn read(file: Option<&Path>) -> io::Result<Vec<Case>> {
    let text = match file {
        Some(file) => std::fs::read_to_string(file)?,
        None => SHIPPED.to_owned(),
    };
    parse(&text).map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))
}

/// A way to search, for the recall of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leg {
    /// By words.
    Words,
    /// By vectors.
    Vectors,
    /// By both.
    Both,
}

/// What came of all questions.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Questions.
    pub asked: usize,
    /// Outcomes that are the expected ones.
    pub right: usize,
    /// Answers that were given.
    pub answered: usize,
    /// Answers that were expected, with the expected sources and numbers.
    pub good_answers: usize,
    /// Refusals and questions back where an answer was expected.
    pub wrong_refusals: usize,
    /// Answers where something else was expected, or without what was expected of them.
    pub wrong_answers: usize,
    /// Questions for which no model was to be had.
    pub unavailable: usize,
    /// For each way to search, how many of the expected sources it found.
    pub recall: BTreeMap<Leg, (usize, usize)>,
    /// What was wrong, a line for each question.
    pub faults: Vec<String>,
}

impl Report {
    /// Counts what came of a question.
    pub fn add(&mut self, case: &Case, outcome: &Outcome) {
        self.asked += 1;
        let came = outcome.verdict.name();
        let expects_answer = case.outcome == "ANSWER";
        if let Verdict::Answer(answer) = &outcome.verdict {
            self.answered += 1;
            let cites = |number: &String| {
                let cited = answer.citations.iter().any(|one| one.source.chunk.regulation == *number);
                cited || answer.quote.is_some() && outcome.sources.iter().any(|one| one.chunk.regulation == *number)
            };
            let text = numbers(&answer.text);
            let has = |number: &String| {
                let wanted = Decimal::parse(number).ok();
                text.iter().any(|found| found.readings.iter().any(|reading| Some(*reading) == wanted))
            };
            let lacking: Vec<_> = case
                .sources
                .iter()
                .filter(|one| !cites(one))
                .chain(case.numbers.iter().filter(|one| !has(one)))
                .collect();
            if expects_answer && lacking.is_empty() {
                self.good_answers += 1;
                self.right += 1;
            } else {
                self.wrong_answers += 1;
                self.faults.push(format!("{}: expected {}, answered without {lacking:?}", case.id, case.expected()));
            }
            return;
        }
        if matches!(outcome.verdict, Verdict::Unavailable(_) | Verdict::BudgetExceeded(_)) {
            self.unavailable += 1;
        } else if expects_answer {
            self.wrong_refusals += 1;
        }
        if came == case.expected() {
            self.right += 1;
        } else {
            self.faults.push(format!("{}: expected {}, came {came}", case.id, case.expected()));
        }
    }

    /// Counts the expected sources that one way to search has found.
    pub fn found(&mut self, leg: Leg, case: &Case, found: &[FoundChunk]) {
        let (hits, wanted) = self.recall.entry(leg).or_default();
        *wanted += case.sources.len();
        *hits += case.sources.iter().filter(|number| found.iter().any(|one| one.chunk.regulation == **number)).count();
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |f: &mut fmt::Formatter<'_>, name: &str, part: usize, whole: usize| {
            let percent = (part * 100).checked_div(whole).map_or("-".to_owned(), |percent| format!("{percent} %"));
            writeln!(f, "{name:<44}{part:>5} of {whole:<5}{percent:>7}")
        };
        row(f, "outcomes as expected", self.right, self.asked)?;
        row(f, "precision: answers that are as expected", self.good_answers, self.answered)?;
        row(f, "refused, and an answer was expected", self.wrong_refusals, self.asked)?;
        row(f, "answered, and not as expected", self.wrong_answers, self.asked)?;
        row(f, "no model to be had", self.unavailable, self.asked)?;
        for (leg, (hits, wanted)) in &self.recall {
            let name = match leg {
                Leg::Words => "expected sources found by words",
                Leg::Vectors => "expected sources found by vectors",
                Leg::Both => "expected sources found by both",
            };
            row(f, name, *hits, *wanted)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_questions_are_read() {
        let cases = parse(SHIPPED).unwrap();
        assert!(cases.len() >= 50, "{}", cases.len());
        assert!(cases.iter().all(|case| ["ANSWER", "CLARIFICATION", "REFUSAL"].contains(&case.outcome.as_str())));
        assert!(parse("{}\n").unwrap_err().starts_with("line 1: "));
    }
}

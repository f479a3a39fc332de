//! Finds the sources of a question: by its words, by its vector, and by both orders together.
//!
//! Only what is in force on the day that is asked about is looked at, before anything is ordered. Either way may be
//! missing: without vectors words alone are enough, and the other way round.

use chrono::NaiveDate;

use super::index::Index;
use super::similarity::{Vector, WordMatch, Words, fuse};

/// How many of each order are put together.
const DEPTH: usize = 50;

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The words of the question.
    pub words: &'a [String],
    /// Its vector.
    pub vector: Option<&'a Vector>,
    /// The least similarity.
    pub floor: f64,
    /// How many at the most.
    pub limit: usize,
}

/// Something that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Its place in the index.
    pub at: usize,
    /// How similar it is, from 0 to 1: by vectors or by words, whichever is more.
    pub similarity: f64,
}

/// What was found, and the best of all that were not similar enough.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hits {
    /// The best first, all of them similar enough.
    pub good: Vec<Hit>,
    /// The best of the others.
    pub nearest: Vec<Hit>,
}

/// Finds chunks that are in force on a day.
pub fn chunks(index: &Index, wanted: &Wanted<'_>, on: NaiveDate) -> Hits {
    chunks_where(index, wanted, on, |_| true)
}

/// Finds those of the chunks in force on a day that `also` says.
pub fn chunks_where(index: &Index, wanted: &Wanted<'_>, on: NaiveDate, also: impl Fn(usize) -> bool) -> Hits {
    let valid = |at: usize| {
        also(at)
            && index.chunks.get(at).is_some_and(|chunk| {
                chunk.row.valid_from.is_none_or(|from| from <= on) && chunk.row.valid_to.is_none_or(|to| on <= to)
            })
    };
    let vectors = index.chunks.iter().map(|chunk| chunk.vector.as_ref());
    search(&index.chunk_words, vectors, wanted, valid)
}

/// Finds prompts.
pub fn prompts(index: &Index, wanted: &Wanted<'_>) -> Hits {
    let vectors = index.prompts.iter().map(|prompt| prompt.vector.as_ref());
    search(&index.prompt_words, vectors, wanted, |_| true)
}

fn search<'a>(
    texts: &Words,
    vectors: impl Iterator<Item = Option<&'a Vector>>,
    wanted: &Wanted<'_>,
    valid: impl Fn(usize) -> bool,
) -> Hits {
    let by_words = texts.search(wanted.words, &valid);
    let by_vector = match wanted.vector {
        Some(question) => nearest(question, vectors, &valid),
        None => Vec::new(),
    };
    let orders = [
        by_words.iter().take(DEPTH).map(|found| found.at).collect(),
        by_vector.iter().take(DEPTH).map(|(at, _)| *at).collect(),
    ];
    let mut hits = Hits::default();
    for at in fuse(&orders) {
        let coverage = by_words.iter().find(|found| found.at == at).map_or(0.0, |found: &WordMatch| found.coverage);
        let cosine = by_vector.iter().find(|(one, _)| *one == at).map(|(_, similarity)| *similarity);
        // That share of a question's words, by their weight, says as much as a vector does.
        let good = cosine.is_some_and(|cosine| cosine >= wanted.floor) || coverage >= wanted.floor;
        let similarity = cosine.unwrap_or(0.0).max(coverage).clamp(0.0, 1.0);
        let list = if good { &mut hits.good } else { &mut hits.nearest };
        if list.len() < wanted.limit {
            list.push(Hit { at, similarity });
        }
    }
    hits
}

/// The texts by the similarity of their vectors; equal ones in their own order.
fn nearest<'a>(
    question: &Vector,
    vectors: impl Iterator<Item = Option<&'a Vector>>,
    valid: impl Fn(usize) -> bool,
) -> Vec<(usize, f64)> {
    let compared = vectors.enumerate().filter(|(at, _)| valid(*at));
    let mut found: Vec<_> = compared.filter_map(|(at, vector)| Some((at, question.similarity(vector?)?))).collect();
    found.sort_by(|(one, here), (two, there)| there.total_cmp(here).then(one.cmp(two)));
    found
}

//! Orders the sources of a question: by its words, by its vector, and by both orders together.
//!
//! Only what is in force on the day that is asked about is looked at, before anything is ordered. Either way may be
//! missing: without vectors words alone are enough, and the other way round.

use super::index::Index;
use super::similarity::{self, Among, WordMatches, fuse};

/// How many of each order are put together.
pub const DEPTH: usize = 50;

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The words of the question.
    pub words: &'a [String],
    /// The least similarity, in thousandths.
    pub floor: u32,
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
#[derive(Clone, Debug, PartialEq)]
pub struct Hits<T> {
    /// The best first, all of them similar enough.
    pub good: Vec<T>,
    /// The best of the others.
    pub nearest: Vec<T>,
}

impl<T> Hits<T> {
    /// Something else of each; what gives none is left out.
    pub fn map<U>(&self, mut of: impl FnMut(&T) -> Option<U>) -> Hits<U> {
        let good = self.good.iter().filter_map(&mut of).collect();
        Hits { good, nearest: self.nearest.iter().filter_map(of).collect() }
    }

    /// All of them, the best first.
    pub fn all(&self) -> impl Iterator<Item = &T> {
        self.good.iter().chain(&self.nearest)
    }
}

/// Orders chunks that are in force; `near` are those of them whose vectors are nearest, the nearest first.
pub fn chunks(index: &Index, wanted: &Wanted<'_>, near: &[(usize, f64)], in_force: &[bool]) -> Hits<Hit> {
    ranked(&index.chunk_words.search(wanted.words, Among::Marked(in_force)), near, wanted)
}

/// Orders the chunks in force of one regulation, by words. Where none has any of the words, the first ones count.
pub fn chunks_of(index: &Index, number: &str, words: &[String], in_force: &[bool], limit: usize) -> Vec<Hit> {
    let of_it = index.of_regulation(number).iter().copied();
    let these: Vec<_> = of_it.filter(|at| in_force.get(*at).copied().unwrap_or(false)).collect();
    let found = index.chunk_words.search(words, Among::These(&these));
    let mut places = found.best(limit);
    let others: Vec<_> = these.into_iter().filter(|at| !places.contains(at)).take(limit - places.len()).collect();
    places.extend(others);
    places.into_iter().map(|at| Hit { at, similarity: found.coverage(at).clamp(0.0, 1.0) }).collect()
}

/// Orders the marked prompts; `near` are those of them whose vectors are nearest.
pub fn prompts(index: &Index, wanted: &Wanted<'_>, near: &[(usize, f64)], marked: &[bool]) -> Hits<Hit> {
    ranked(&index.prompt_words.search(wanted.words, Among::Marked(marked)), near, wanted)
}

fn ranked(by_words: &WordMatches, near: &[(usize, f64)], wanted: &Wanted<'_>) -> Hits<Hit> {
    let floor = similarity::of_thousandths(wanted.floor);
    let orders = [by_words.best(DEPTH), near.iter().map(|(at, _)| *at).collect()];
    let mut hits = Hits { good: Vec::new(), nearest: Vec::new() };
    for at in fuse(&orders) {
        let coverage = by_words.coverage(at);
        let cosine = near.iter().find(|(one, _)| *one == at).map(|(_, similarity)| *similarity);
        // That share of a question's words, by their weight, says as much as a vector does.
        let good = cosine.is_some_and(|cosine| cosine >= floor) || coverage >= floor;
        let similarity = cosine.unwrap_or(0.0).max(coverage).clamp(0.0, 1.0);
        let list = if good { &mut hits.good } else { &mut hits.nearest };
        if list.len() < wanted.limit {
            list.push(Hit { at, similarity });
        }
    }
    hits
}

//! The words that are known, and which of them somebody may have meant.

use serde::{Deserialize, Serialize};

/// Most known words that stand in for a misspelt one.
const MOST_CORRECTIONS: usize = 20;

/// A word that was searched.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Term {
    /// A known word, or the beginning of one.
    Known(String),
    /// The known words that may have been meant, by the alphabet. Empty where nothing is near.
    Corrected(Vec<String>),
}

/// All known words, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vocabulary(Box<[String]>);

impl Vocabulary {
    /// A vocabulary of these words.
    pub fn new(mut words: Vec<String>) -> Self {
        words.sort_unstable();
        words.dedup();
        Self(words.into())
    }

    /// The words by the alphabet.
    pub fn words(&self) -> &[String] {
        &self.0
    }

    /// What a word that was searched stands for.
    pub fn term(&self, word: String) -> Term {
        if self.begins(&word) { Term::Known(word) } else { Term::Corrected(self.corrections(&word)) }
    }

    /// Whether a known word begins so.
    fn begins(&self, prefix: &str) -> bool {
        let at = self.0.partition_point(|word| word.as_str() < prefix);
        self.0.get(at).is_some_and(|word| word.starts_with(prefix))
    }

    /// The known words that are as few slips away from `word` as any: one slip for five letters, two for nine. That
    /// `word` is but a beginning counts as one more.
    fn corrections(&self, word: &str) -> Vec<String> {
        let letters: Vec<char> = word.chars().collect();
        let mut allowed = match letters.len() {
            0..5 => return Vec::new(),
            5..9 => 1,
            _ => 2,
        };
        let mut least = usize::MAX;
        let mut nearest: Vec<&String> = Vec::new();
        for known in &self.0 {
            let Some((beginning, whole)) = slips(&letters, known, allowed) else { continue };
            let cost = whole.min(beginning + 1);
            if cost < least {
                least = cost;
                allowed = allowed.min(cost);
                nearest.clear();
            }
            if cost == least {
                nearest.push(known);
            }
        }
        nearest.into_iter().take(MOST_CORRECTIONS).cloned().collect()
    }
}

/// How many letters were left out, put in, exchanged for another or swapped with the next one between `word` and the
/// nearest beginning of `known`, and all of `known`. `None` where every beginning is more than `most` away.
fn slips(word: &[char], known: &str, most: usize) -> Option<(usize, usize)> {
    let width = word.len() + 1;
    let mut before: Vec<usize> = vec![0; width];
    let mut above: Vec<usize> = (0..width).collect();
    let mut row = above.clone();
    let mut nearest = above[width - 1];
    let mut previous = None;
    for (at, letter) in known.chars().enumerate() {
        row[0] = at + 1;
        for column in 1..width {
            let same = word[column - 1] == letter;
            let mut cost = (above[column - 1] + usize::from(!same)).min(above[column] + 1).min(row[column - 1] + 1);
            if column > 1 && previous == Some(word[column - 1]) && word[column - 2] == letter {
                cost = cost.min(before[column - 2] + 1);
            }
            row[column] = cost;
        }
        nearest = nearest.min(row[width - 1]);
        previous = Some(letter);
        // No longer beginning comes nearer: a row is never below the least of the two above it.
        if row.iter().chain(&above).min().is_none_or(|least| *least > most) {
            return (nearest <= most).then_some((nearest, usize::MAX));
        }
        std::mem::swap(&mut before, &mut above);
        std::mem::swap(&mut above, &mut row);
    }
    (nearest <= most).then_some((nearest, above[width - 1]))
}

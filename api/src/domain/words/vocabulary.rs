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

/// A word that stands in names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KnownWord {
    /// The word.
    pub word: String,
    /// How many names have it in their title.
    pub in_titles: u64,
    /// How many names have it anywhere.
    pub in_names: u64,
}

/// About how many names fit a search, as if its words had nothing to do with each other. To choose a way to find
/// them, and never to tell anybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Estimate {
    /// Those with all words in their title, as they are.
    pub title: u64,
    /// Those with all words somewhere, as they are.
    pub words: u64,
    /// Those with words in their title that begin so.
    pub title_prefix: u64,
    /// Those with words that begin so.
    pub prefix: u64,
    /// All names there are.
    pub names: u64,
}

/// All known words, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vocabulary {
    words: Box<[KnownWord]>,
    names: u64,
}

impl Vocabulary {
    /// A vocabulary of these words, which stand in so many names.
    pub fn new(mut words: Vec<KnownWord>, names: u64) -> Self {
        words.sort_unstable();
        words.dedup_by(|one, other| one.word == other.word);
        Self { words: words.into(), names }
    }

    /// The words by the alphabet.
    pub fn words(&self) -> impl ExactSizeIterator<Item = &str> {
        self.words.iter().map(|known| known.word.as_str())
    }

    /// About how many names fit these terms.
    pub fn estimate(&self, terms: &[Term]) -> Estimate {
        let all = |of: &dyn Fn(&KnownWord) -> u64, is_prefix: bool| {
            terms.iter().fold(self.names, |names, term| {
                let with_term = match term {
                    Term::Known(word) => {
                        let known = self.beginning_with(word).iter();
                        known.filter(|known| is_prefix || known.word == *word).map(of).sum::<u64>()
                    }
                    Term::Corrected(words) => words.iter().filter_map(|word| self.known(word)).map(of).sum(),
                };
                // As large a share of these as of all.
                let fitting = u128::from(names) * u128::from(with_term.min(self.names));
                fitting.checked_div(u128::from(self.names)).and_then(|fitting| fitting.try_into().ok()).unwrap_or(0)
            })
        };
        Estimate {
            title: all(&|known| known.in_titles, false),
            words: all(&|known| known.in_names, false),
            title_prefix: all(&|known| known.in_titles, true),
            prefix: all(&|known| known.in_names, true),
            names: self.names,
        }
    }

    fn known(&self, word: &str) -> Option<&KnownWord> {
        self.beginning_with(word).first().filter(|known| known.word == word)
    }

    fn beginning_with(&self, prefix: &str) -> &[KnownWord] {
        let from = self.words.partition_point(|known| known.word.as_str() < prefix);
        let rest = &self.words[from..];
        &rest[..rest.partition_point(|known| known.word.starts_with(prefix))]
    }

    /// What a word that was searched stands for.
    pub fn term(&self, word: String) -> Term {
        if self.begins(&word) { Term::Known(word) } else { Term::Corrected(self.corrections(&word)) }
    }

    /// Whether a known word begins so.
    fn begins(&self, prefix: &str) -> bool {
        !self.beginning_with(prefix).is_empty()
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
        let mut nearest: Vec<&str> = Vec::new();
        for known in self.words() {
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
        nearest.into_iter().take(MOST_CORRECTIONS).map(str::to_owned).collect()
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

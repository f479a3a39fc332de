//! How much texts have in common by their words, and one order out of several. Here and in [`vectors`](super::vectors)
//! the assistant computes with floats: what comes of it orders texts, and is never money.

#![allow(clippy::float_arithmetic, reason = "similarities are no amounts")]
#![allow(clippy::cast_precision_loss, reason = "counts of words and chunks are small")]

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

/// What rank a text has counts by one part in this, plus its rank.
const RANK_OFFSET: f64 = 60.0;

/// How fast the weight of a word that is repeated levels off.
const SATURATION: f64 = 1.2;

/// How much longer texts are held back.
const LENGTH: f64 = 0.75;

/// The words of some texts, to be searched.
#[derive(Clone, Debug, Default)]
pub struct Words {
    /// For each word, the texts that have it and how often.
    places: HashMap<String, Vec<(usize, u32)>>,
    lengths: Vec<u32>,
    mean_length: f64,
}

impl Words {
    /// Takes the words of each text.
    pub fn new(texts: impl IntoIterator<Item = Vec<String>>) -> Self {
        let mut words = Self::default();
        for (at, text) in texts.into_iter().enumerate() {
            words.lengths.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
            for word in text {
                let places = words.places.entry(word).or_default();
                match places.last_mut() {
                    Some((last, count)) if *last == at => *count += 1,
                    _ => places.push((at, 1)),
                }
            }
        }
        let sum: f64 = words.lengths.iter().map(|length| f64::from(*length)).sum();
        words.mean_length = sum / (words.lengths.len().max(1) as f64);
        words
    }

    /// Whether any text has the word.
    pub fn has(&self, word: &str) -> bool {
        self.places.contains_key(word)
    }

    /// How well texts fit the words (BM25), those of them that are `among`.
    pub fn search(&self, words: &[String], among: Among<'_>) -> WordMatches {
        let distinct: BTreeSet<&String> = words.iter().collect();
        let texts = self.lengths.len() as f64;
        let mut found = WordMatches { scores: vec![(0.0, 0.0); self.lengths.len()], at: Vec::new(), all: 0.0 };
        for word in distinct {
            let places = self.places.get(word).map(Vec::as_slice).unwrap_or_default();
            let with = places.len() as f64;
            let weight = (1.0 + (texts - with + 0.5) / (with + 0.5)).ln();
            found.all += weight;
            let mut add = |at: usize, count: u32| {
                let Some((score, coverage)) = found.scores.get_mut(at) else { return };
                if *coverage <= 0.0 {
                    found.at.push(at);
                }
                let count = f64::from(count);
                let length = f64::from(self.lengths.get(at).copied().unwrap_or(0)) / self.mean_length.max(1.0);
                *score += weight * count * (SATURATION + 1.0) / (count + SATURATION * (1.0 - LENGTH + LENGTH * length));
                *coverage += weight;
            };
            match among {
                Among::Marked(marked) => places
                    .iter()
                    .filter(|(at, _)| marked.get(*at).copied().unwrap_or(false))
                    .for_each(|(at, count)| add(*at, *count)),
                Among::These(these) => these
                    .iter()
                    .filter_map(|at| places.get(places.binary_search_by_key(at, |(at, _)| *at).ok()?))
                    .for_each(|(at, count)| add(*at, *count)),
            }
        }
        found
    }
}

/// Which texts are looked at.
#[derive(Clone, Copy, Debug)]
pub enum Among<'a> {
    /// Those whose mark is set.
    Marked(&'a [bool]),
    /// These few.
    These(&'a [usize]),
}

/// The texts that have some of the words.
#[derive(Clone, Debug)]
pub struct WordMatches {
    /// By text: by what it is ordered, and how much of the words' weight it has.
    scores: Vec<(f64, f64)>,
    /// The texts that have any, in no order.
    at: Vec<usize>,
    /// The weight of all words.
    all: f64,
}

impl WordMatches {
    /// The best texts, the best first; equal ones in their own order.
    pub fn best(&self, limit: usize) -> Vec<usize> {
        let score = |at: usize| self.scores.get(at).map_or(0.0, |(score, _)| *score);
        best(self.at.clone(), limit, |one, two| score(*two).total_cmp(&score(*one)).then(one.cmp(two)))
    }

    /// How much of the words' weight a text has, from 0 to 1.
    pub fn coverage(&self, at: usize) -> f64 {
        self.scores.get(at).map_or(0.0, |(_, coverage)| if *coverage > 0.0 { coverage / self.all } else { 0.0 })
    }
}

/// The first of what is ordered so. Most of it is never sorted.
pub fn best<T>(mut all: Vec<T>, limit: usize, order: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    if all.len() > limit {
        all.select_nth_unstable_by(limit, &order);
        all.truncate(limit);
    }
    all.sort_unstable_by(order);
    all
}

/// One order out of several, by the sum of what each rank counts (reciprocal rank fusion). Equal sums keep the order of
/// the texts.
pub fn fuse(orders: &[Vec<usize>]) -> Vec<usize> {
    let mut sums: HashMap<usize, f64> = HashMap::new();
    for order in orders {
        for (rank, at) in order.iter().enumerate() {
            *sums.entry(*at).or_default() += 1.0 / (RANK_OFFSET + rank as f64 + 1.0);
        }
    }
    let mut fused: Vec<_> = sums.into_iter().collect();
    fused.sort_by(|(one, sum), (two, other)| other.total_cmp(sum).then(one.cmp(two)));
    fused.into_iter().map(|(at, _)| at).collect()
}

/// A similarity from thousandths.
pub fn of_thousandths(thousandths: u32) -> f64 {
    f64::from(thousandths) / 1_000.0
}

/// A similarity in thousandths; one that is none is the nearest that is.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1,000")]
pub fn to_thousandths(similarity: f64) -> u32 {
    (similarity.clamp(0.0, 1.0) * 1_000.0).round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_rarer_word_counts_more() {
        let texts = Words::new(["duty on cocoa", "duty on palm", "duty on gold gold"].map(words));
        let found = texts.search(&words("duty cocoa"), Among::Marked(&[true; 3]));
        let best = found.best(3);
        assert_eq!((best[0], best.len()), (0, 3));
        assert_eq!(found.best(1), [0]);
        assert!((found.coverage(0) - 1.0).abs() < 1e-9 && found.coverage(1) < 0.5, "{found:?}");
        assert!(texts.search(&words("coffee"), Among::Marked(&[true; 3])).best(3).is_empty());
    }

    #[test]
    fn only_those_that_are_wanted_are_looked_at() {
        let texts = Words::new(["duty on cocoa", "duty on palm", "duty on gold gold"].map(words));
        let one = texts.search(&words("duty"), Among::Marked(&[false, false, true]));
        let same = texts.search(&words("duty"), Among::These(&[2]));
        assert_eq!((one.best(3), same.best(3)), (vec![2], vec![2]));
        assert!((one.coverage(2) - same.coverage(2)).abs() < 1e-12 && one.coverage(0) <= 0.0);
    }

    #[test]
    fn what_both_orders_have_comes_first() {
        assert_eq!(fuse(&[vec![1, 2, 3], vec![4, 2]]), [2, 1, 4, 3]);
        assert_eq!(fuse(&[vec![], vec![7]]), [7]);
        assert_eq!(fuse(&[]), Vec::<usize>::new());
    }
}

//! How much texts have in common. The only place where the assistant computes with floats: what comes of it orders
//! texts, and is never money.

#![allow(clippy::float_arithmetic, reason = "similarities are no amounts")]
#![allow(clippy::cast_precision_loss, reason = "counts of words and chunks are small")]

use std::collections::{BTreeSet, HashMap};

/// What rank a text has counts by one part in this, plus its rank.
const RANK_OFFSET: f64 = 60.0;

/// How fast the weight of a word that is repeated levels off.
const SATURATION: f64 = 1.2;

/// How much longer texts are held back.
const LENGTH: f64 = 0.75;

/// A vector of length one.
#[derive(Clone, Debug, PartialEq)]
pub struct Vector(Vec<f32>);

impl Vector {
    /// A vector in the direction of these numbers; `None` when they have none, or one of them is no number.
    pub fn new(numbers: &[f32]) -> Option<Self> {
        let square: f64 = numbers.iter().map(|number| f64::from(*number) * f64::from(*number)).sum();
        if !square.is_finite() || square <= 0.0 {
            return None;
        }
        let length = square.sqrt();
        #[allow(clippy::cast_possible_truncation, reason = "a part of a length of one")]
        Some(Self(numbers.iter().map(|number| (f64::from(*number) / length) as f32).collect()))
    }

    /// A vector as it is stored: numbers of 32 bits, the lowest byte first.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (numbers, []) = bytes.as_chunks::<4>() else { return None };
        Self::new(&numbers.iter().map(|number| f32::from_le_bytes(*number)).collect::<Vec<_>>())
    }

    /// How it is stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    /// How many numbers it has.
    pub fn dimension(&self) -> usize {
        self.0.len()
    }

    /// The cosine of the angle between two: 1 for the same direction. `None` for vectors of different dimensions.
    pub fn similarity(&self, other: &Self) -> Option<f64> {
        (self.0.len() == other.0.len())
            .then(|| self.0.iter().zip(&other.0).map(|(one, two)| f64::from(*one) * f64::from(*two)).sum())
    }
}

/// The words of some texts, to be searched.
#[derive(Clone, Debug, Default)]
pub struct Words {
    /// For each word, the texts that have it and how often.
    places: HashMap<String, Vec<(usize, u32)>>,
    lengths: Vec<u32>,
    mean_length: f64,
}

/// A text that has some of the words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WordMatch {
    /// Which text.
    pub at: usize,
    /// By what it is ordered.
    pub score: f64,
    /// How much of the words' weight it has, from 0 to 1.
    pub coverage: f64,
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

    /// The texts that have some of the words, the best first (BM25), those that `wanted` says alone.
    pub fn search(&self, words: &[String], wanted: impl Fn(usize) -> bool) -> Vec<WordMatch> {
        let distinct: BTreeSet<&String> = words.iter().collect();
        let texts = self.lengths.len() as f64;
        let mut matches: HashMap<usize, WordMatch> = HashMap::new();
        let mut all = 0.0;
        for word in distinct {
            let places = self.places.get(word).map(Vec::as_slice).unwrap_or_default();
            let with = places.len() as f64;
            let weight = (1.0 + (texts - with + 0.5) / (with + 0.5)).ln();
            all += weight;
            for (at, count) in places.iter().filter(|(at, _)| wanted(*at)) {
                let count = f64::from(*count);
                let length = f64::from(self.lengths.get(*at).copied().unwrap_or(0)) / self.mean_length.max(1.0);
                let entry = matches.entry(*at).or_insert(WordMatch { at: *at, score: 0.0, coverage: 0.0 });
                entry.score +=
                    weight * count * (SATURATION + 1.0) / (count + SATURATION * (1.0 - LENGTH + LENGTH * length));
                entry.coverage += weight;
            }
        }
        let mut matches: Vec<_> = matches.into_values().collect();
        for found in &mut matches {
            found.coverage /= all;
        }
        matches.sort_by(|one, two| two.score.total_cmp(&one.score).then(one.at.cmp(&two.at)));
        matches
    }
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
    fn vectors_survive_their_bytes_and_have_a_direction() {
        let vector = Vector::new(&[3.0, 4.0]).unwrap();
        assert_eq!(Vector::from_bytes(&vector.to_bytes()), Some(vector.clone()));
        assert!((vector.similarity(&Vector::new(&[6.0, 8.0]).unwrap()).unwrap() - 1.0).abs() < 1e-6);
        assert_eq!(vector.similarity(&Vector::new(&[1.0]).unwrap()), None);
        for bad in [&[][..], &[0.0, 0.0], &[f32::NAN, 1.0], &[f32::INFINITY]] {
            assert_eq!(Vector::new(bad), None, "{bad:?}");
        }
        assert_eq!(Vector::from_bytes(&[0, 0, 1]), None);
    }

    #[test]
    fn the_rarer_word_counts_more() {
        let texts = Words::new(["duty on cocoa", "duty on palm", "duty on gold gold"].map(words));
        let found = texts.search(&words("duty cocoa"), |_| true);
        assert_eq!(found[0].at, 0);
        assert!((found[0].coverage - 1.0).abs() < 1e-9 && found[1].coverage < 0.5, "{found:?}");
        assert!(texts.search(&words("duty"), |at| at == 2).iter().all(|found| found.at == 2));
        assert!(texts.search(&words("coffee"), |_| true).is_empty());
    }

    #[test]
    fn what_both_orders_have_comes_first() {
        assert_eq!(fuse(&[vec![1, 2, 3], vec![4, 2]]), [2, 1, 4, 3]);
        assert_eq!(fuse(&[vec![], vec![7]]), [7]);
        assert_eq!(fuse(&[]), Vec::<usize>::new());
    }
}

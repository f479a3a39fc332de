//! Vectors of texts: one by one, and many of them to be compared with one.

#![allow(clippy::float_arithmetic, reason = "similarities are no amounts")]

use super::similarity::best;

/// Sums that are taken side by side, so that the processor adds several at a time.
const LANES: usize = 16;

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
        (self.0.len() == other.0.len()).then(|| product(&self.0, &other.0))
    }
}

/// The sum of the products of each two numbers. Always added in the same order, so that the same vectors are as similar
/// wherever they are compared.
#[allow(clippy::indexing_slicing, reason = "arrays of one length, so that the loop becomes a few instructions")]
fn product(one: &[f32], two: &[f32]) -> f64 {
    let (one, one_rest) = one.as_chunks::<LANES>();
    let (two, two_rest) = two.as_chunks::<LANES>();
    let mut sums = [0.0_f32; LANES];
    for (one, two) in one.iter().zip(two) {
        for lane in 0..LANES {
            sums[lane] += one[lane] * two[lane];
        }
    }
    let rest = one_rest.iter().zip(two_rest).map(|(one, two)| f64::from(*one) * f64::from(*two));
    sums.iter().map(|sum| f64::from(*sum)).chain(rest).sum()
}

/// The vectors of many texts, one behind the other in memory.
#[derive(Clone, Debug, Default)]
pub struct Vectors {
    /// The dimension of most.
    dimension: usize,
    numbers: Vec<f32>,
    /// Which text each is of.
    texts: Vec<usize>,
}

impl Vectors {
    /// Takes the vectors of texts, some of which have none. One whose dimension is not that of the first cannot be
    /// compared with a question that the same model made a vector of, and is left out.
    pub fn new(vectors: impl IntoIterator<Item = Option<Vector>>) -> Self {
        let mut all = Self::default();
        for (at, vector) in vectors.into_iter().enumerate() {
            let Some(vector) = vector else { continue };
            if all.texts.is_empty() {
                all.dimension = vector.dimension();
            }
            if vector.dimension() == all.dimension {
                all.numbers.extend_from_slice(&vector.0);
                all.texts.push(at);
            }
        }
        all
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The marked texts that are most similar to a question, and how similar; equal ones in their own order.
    pub fn nearest(&self, question: &Vector, marked: &[bool], limit: usize) -> Vec<(usize, f64)> {
        if question.dimension() != self.dimension {
            return Vec::new();
        }
        let rows = self.texts.iter().zip(self.numbers.chunks_exact(self.dimension.max(1)));
        let compared = rows
            .filter(|(at, _)| marked.get(**at).copied().unwrap_or(false))
            .map(|(at, numbers)| (*at, product(&question.0, numbers)));
        ordered(compared.collect(), limit)
    }
}

/// The first of some texts by how similar they are; equal ones in their own order.
pub fn ordered(found: Vec<(usize, f64)>, limit: usize) -> Vec<(usize, f64)> {
    best(found, limit, |(one, here), (two, there)| there.total_cmp(here).then(one.cmp(two)))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn all_numbers_count() {
        for dimension in [1, 15, 16, 17, 384] {
            let numbers: Vec<f32> = (0..dimension).map(|at: u16| f32::from(at % 7) - 2.5).collect();
            let opposite: Vec<f32> = numbers.iter().map(|number| -number).collect();
            let (one, two) = (Vector::new(&numbers).unwrap(), Vector::new(&opposite).unwrap());
            assert!((one.similarity(&one).unwrap() - 1.0).abs() < 1e-6, "{dimension}");
            assert!((one.similarity(&two).unwrap() + 1.0).abs() < 1e-6, "{dimension}");
        }
    }

    #[test]
    fn the_nearest_come_first_and_equal_ones_in_their_order() {
        let vector = |numbers: &[f32]| Vector::new(numbers);
        let texts =
            [vector(&[1.0, 0.0]), None, vector(&[1.0, 1.0]), vector(&[2.0, 0.0]), vector(&[1.0]), vector(&[0.0, 1.0])];
        let vectors = Vectors::new(texts);
        let question = Vector::new(&[3.0, 0.0]).unwrap();
        let at = |marked: &[bool], limit| -> Vec<usize> {
            vectors.nearest(&question, marked, limit).into_iter().map(|(at, _)| at).collect()
        };
        assert_eq!(at(&[true; 6], 9), [0, 3, 2, 5]);
        assert_eq!(at(&[true; 6], 2), [0, 3]);
        assert_eq!(at(&[false, true, true, true, true, true], 9), [3, 2, 5]);
        assert!(vectors.nearest(&Vector::new(&[1.0]).unwrap(), &[true; 6], 9).is_empty());
    }
}

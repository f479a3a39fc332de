//! Words of a text, as search compares them, and words that were misspelt.
//!
//! A text and a search are cut into words in the same way, so what was indexed is found again: small letters, no
//! accents, an English plural like its singular, no Indonesian `-nya`. Nothing here knows a database.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

mod vocabulary;

pub use vocabulary::{Estimate, KnownWord, Term, Vocabulary};

/// Counted up when the words of a text change: what was indexed with another number is indexed again.
pub const REVISION: i32 = 1;

/// Longest word that is told apart from others with the same beginning, in characters.
const MAX_LETTERS: usize = 64;

/// Words that tell nothing apart, in English and Indonesian.
const STOP_WORDS: &[&str] = &[
    "a", "an", "and", "as", "at", "atau", "by", "dan", "dari", "dengan", "di", "for", "from", "in", "is", "ke", "of",
    "on", "or", "pada", "that", "the", "to", "untuk", "whether", "with", "yang",
];

/// The words of a text in their order, without those that tell nothing apart.
pub fn words(text: &str) -> Vec<String> {
    all_words(text).into_iter().filter(|word| !is_stop_word(word)).collect()
}

/// The words of a search. Where there is nothing but stop words they are kept: somebody types `or` on the way to
/// `orange`.
pub fn search_words(text: &str) -> Vec<String> {
    let all = all_words(text);
    if all.iter().all(|word| is_stop_word(word)) {
        return all;
    }
    all.into_iter().filter(|word| !is_stop_word(word)).collect()
}

fn is_stop_word(word: &str) -> bool {
    STOP_WORDS.binary_search(&word).is_ok()
}

fn all_words(text: &str) -> Vec<String> {
    let plain: String = text.nfkd().filter(|letter| !is_combining_mark(*letter)).flat_map(char::to_lowercase).collect();
    // Indonesian repeats a word to say that there are many: the second one says nothing new.
    let mut words: Vec<String> = Vec::new();
    for word in plain.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let stem = stem(&word.chars().take(MAX_LETTERS).collect::<String>());
        if words.last() != Some(&stem) {
            words.push(stem);
        }
    }
    words
}

/// A word without the ending that does not matter. Of endings that two words share this takes too few rather than
/// too many: what is lost here no search can tell apart again.
fn stem(word: &str) -> String {
    if word.len() < 4 || !word.is_ascii() {
        return word.to_owned();
    }
    let cut = |ending: &str| word.strip_suffix(ending);
    if let Some(stem) = cut("nya").filter(|stem| stem.len() > 3) {
        return stem.to_owned();
    }
    if let Some(stem) = cut("ies").filter(|stem| stem.len() > 2) {
        return format!("{stem}y");
    }
    for ending in ["oes", "xes", "ches", "shes", "sses", "zes"] {
        if let Some(stem) = cut(ending) {
            return format!("{stem}{}", ending.trim_end_matches("es"));
        }
    }
    match cut("s") {
        Some(stem) if !stem.ends_with(['s', 'u', 'i']) => stem.to_owned(),
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests;

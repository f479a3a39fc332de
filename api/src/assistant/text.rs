//! Texts as they are compared: the words of a question or a source, and its normal form.

use crate::domain::words;

/// Words of questions that say nothing about what a question is about, in English and Indonesian, beside those that say
/// nothing anywhere.
const OF_QUESTIONS: &[&str] = &[
    "about",
    "ada",
    "adalah",
    "akan",
    "apa",
    "apakah",
    "are",
    "atas",
    "bagaimana",
    "bagi",
    "be",
    "berapa",
    "can",
    "dalam",
    "do",
    "has",
    "have",
    "how",
    "i",
    "if",
    "ini",
    "it",
    "itu",
    "jika",
    "kepada",
    "many",
    "me",
    "much",
    "must",
    "my",
    "oleh",
    "please",
    "saya",
    "sebagai",
    "tell",
    "there",
    "this",
    "was",
    "we",
    "what",
    "when",
    "which",
    "will",
    "you",
    "your",
];

/// The words of a text, in their order, as they are compared, without words that say nothing.
pub fn words(text: &str) -> Vec<String> {
    let mut words = words::words(text);
    words.retain(|word| OF_QUESTIONS.binary_search(&word.as_str()).is_err());
    words
}

/// The normal form of a question: two that differ in case, blanks or the mark at the end are one.
pub fn normal(text: &str) -> String {
    let lower = text.to_lowercase();
    let blanks = lower.split_whitespace().collect::<Vec<_>>().join(" ");
    blanks.trim_end_matches(['?', '.', '!', ' ']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_a_text_is_about() {
        assert_eq!(words("How much duty do I pay on the Cocoa Beans?"), ["duty", "pay", "cocoa", "bean"]);
        assert_eq!(
            words("Berapa bea keluar biji kakaonya; PMK 68/2025"),
            ["bea", "keluar", "biji", "kakao", "pmk", "68", "2025"]
        );
        assert_eq!(words("commodities, glass, gas"), ["commodity", "glass", "gas"]);
        assert!(words("What does it have? How was this?").is_empty());
        assert!(OF_QUESTIONS.is_sorted());
    }

    #[test]
    fn questions_that_mean_one_are_one() {
        assert_eq!(normal("  What  is\nDUTY ?"), normal("what is duty"));
    }
}

//! Texts as they are compared: the words of a text, and its normal form.

/// Words that say nothing about what a text is about, in Indonesian and English.
const STOP_WORDS: [&str; 72] = [
    "a",
    "about",
    "ada",
    "adalah",
    "akan",
    "an",
    "and",
    "apa",
    "apakah",
    "are",
    "as",
    "at",
    "atas",
    "atau",
    "bagaimana",
    "bagi",
    "be",
    "berapa",
    "by",
    "can",
    "dalam",
    "dan",
    "dari",
    "dengan",
    "di",
    "do",
    "does",
    "for",
    "from",
    "has",
    "have",
    "how",
    "i",
    "if",
    "in",
    "ini",
    "is",
    "it",
    "itu",
    "jika",
    "ke",
    "kepada",
    "many",
    "me",
    "much",
    "must",
    "my",
    "of",
    "oleh",
    "on",
    "or",
    "pada",
    "saya",
    "sebagai",
    "tell",
    "that",
    "the",
    "there",
    "this",
    "to",
    "untuk",
    "was",
    "what",
    "when",
    "which",
    "will",
    "with",
    "yang",
    "you",
    "your",
    "we",
    "please",
];

/// The words of a text, in their order, as they are compared: in lower case, without the endings that differ between
/// singular and plural, and without words that say nothing. The one place to change for another way of reading words.
pub fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words.filter(|word| STOP_WORDS.binary_search(word).is_err() && !STOP_WORDS.contains(word)).map(stem).collect()
}

/// A word without its plural, or the suffix of an Indonesian possessive.
fn stem(word: &str) -> String {
    let long = |rest: &&str| rest.chars().count() >= 4;
    if word.bytes().any(|byte| byte.is_ascii_digit()) {
        return word.to_owned();
    }
    if let Some(rest) = word.strip_suffix("nya").filter(long) {
        return rest.to_owned();
    }
    if let Some(rest) = word.strip_suffix("ies").filter(|rest| rest.len() >= 3) {
        return format!("{rest}y");
    }
    if word.ends_with("ss") || word.ends_with("us") || word.ends_with("is") {
        return word.to_owned();
    }
    match word.strip_suffix('s').filter(|rest| rest.chars().count() >= 3) {
        Some(rest) => rest.to_owned(),
        None => word.to_owned(),
    }
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
    }

    #[test]
    fn questions_that_mean_one_are_one() {
        assert_eq!(normal("  What  is\nDUTY ?"), normal("what is duty"));
    }
}

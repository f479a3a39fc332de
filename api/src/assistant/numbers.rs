//! Numbers as people write them, in Indonesian and in English, and a quantity of goods in a sentence.

use crate::domain::decimal::Decimal;
use crate::domain::duty::MassUnit;
use crate::domain::duty::quote::Quantity;

/// How a language writes numbers: which mark stands before the fraction where the number itself does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// `1.250,5`.
    Indonesian,
    /// `1,250.5`.
    English,
}

impl Language {
    /// The language of a locale; Indonesian for all but English.
    pub fn of_locale(locale: &str) -> Self {
        let language = locale.split(['-', '_']).next().unwrap_or_default();
        if language.eq_ignore_ascii_case("en") { Self::English } else { Self::Indonesian }
    }
}

/// A number in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it may be: one number, two where the language would have to tell, or none for one that is too long.
    pub readings: Vec<Decimal>,
    /// Where it begins, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// All numbers of a text, in their order. Digits that are a part of a word, such as `HS2022`, are numbers too.
pub fn numbers(text: &str) -> Vec<Found> {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if !is_digit(at) {
            at += 1;
            continue;
        }
        let start = at;
        // A mark belongs to the number when a digit follows it.
        while is_digit(at) || (matches!(bytes.get(at), Some(b'.' | b',')) && is_digit(at + 1)) {
            at += 1;
        }
        found.push(Found { readings: readings(text.get(start..at).unwrap_or_default()), start, end: at });
    }
    found
}

/// What a number may be: the Indonesian reading first where there are two.
fn readings(text: &str) -> Vec<Decimal> {
    let read = |fraction: Option<char>| {
        let plain: String = text
            .chars()
            .filter_map(|letter| match letter {
                mark if Some(mark) == fraction => Some('.'),
                '.' | ',' => None,
                digit => Some(digit),
            })
            .collect();
        Decimal::parse(&plain).ok()
    };
    let count = |mark: char| text.chars().filter(|letter| *letter == mark).count();
    let readings = match (count('.'), count(',')) {
        (0, 0) => vec![read(None)],
        // Both: the last one is before the fraction.
        (dots, commas) if dots > 0 && commas > 0 => {
            let fraction = text.chars().rfind(|letter| matches!(letter, '.' | ','));
            let once = fraction.is_some_and(|mark| count(mark) == 1);
            vec![read(fraction.filter(|_| once))]
        }
        (dots, commas) if dots + commas > 1 => vec![read(None)],
        (dots, _) => {
            let mark = if dots == 1 { '.' } else { ',' };
            let (whole, fraction) = text.split_once(mark).unwrap_or((text, ""));
            let grouped = fraction.len() == 3 && (1..=3).contains(&whole.len()) && !whole.starts_with('0');
            match (grouped, mark) {
                (false, _) => vec![read(Some(mark))],
                (true, '.') => vec![read(None), read(Some('.'))],
                (true, _) => vec![read(Some(',')), read(None)],
            }
        }
    };
    readings.into_iter().flatten().collect()
}

/// The one reading in a language.
fn reading(found: &Found, language: Language) -> Option<Decimal> {
    match (found.readings.as_slice(), language) {
        ([one], _) | ([one, _], Language::Indonesian) | ([_, one], Language::English) => Some(*one),
        _ => None,
    }
}

/// Words that stand in numbers and are none.
const BETWEEN: [&str; 3] = ["and", "koma", "point"];

/// Words that are numbers, in English and in Indonesian, and those that stand between.
const NUMBER_WORDS: &[&str] = &[
    "and",
    "belas",
    "billion",
    "delapan",
    "dua",
    "eight",
    "eighteen",
    "eighty",
    "eleven",
    "empat",
    "enam",
    "fifteen",
    "fifty",
    "five",
    "forty",
    "four",
    "fourteen",
    "half",
    "hundred",
    "juta",
    "koma",
    "lima",
    "miliar",
    "million",
    "nine",
    "nineteen",
    "ninety",
    "nol",
    "one",
    "point",
    "puluh",
    "ratus",
    "ribu",
    "satu",
    "sebelas",
    "sembilan",
    "sepuluh",
    "seratus",
    "seribu",
    "setengah",
    "seven",
    "seventeen",
    "seventy",
    "six",
    "sixteen",
    "sixty",
    "ten",
    "thirteen",
    "thirty",
    "thousand",
    "three",
    "tiga",
    "tujuh",
    "twelve",
    "twenty",
    "two",
    "zero",
];

/// What numbers in words count where they matter.
const COUNTED: &[&str] = &[
    "cent",
    "cents",
    "dollar",
    "dollars",
    "idr",
    "kg",
    "kilogram",
    "kilograms",
    "kilos",
    "ons",
    "ounce",
    "ounces",
    "per cent",
    "percent",
    "persen",
    "rupiah",
    "rupiahs",
    "ton",
    "tonne",
    "tonnes",
    "tons",
    "us dollars",
    "usd",
];

/// Numbers in words that count money, weight or parts, such as `ten percent` or `dua puluh ton`, in lower case.
pub fn in_words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words: Vec<&str> =
        lower.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let is_number = |word: &&str| NUMBER_WORDS.binary_search(word).is_ok();
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let begins = words.get(at).is_some_and(|word| !BETWEEN.contains(word));
        let count = if begins { words.iter().skip(at).take_while(|word| is_number(word)).count() } else { 0 };
        let end = at + count;
        let unit = [1, 2].into_iter().find_map(|length| {
            let unit = words.get(end..end + length)?;
            COUNTED.binary_search(&unit.join(" ").as_str()).ok().map(|_| length)
        });
        if let Some(length) = unit.filter(|_| count > 0) {
            found.push(words.get(at..end + length).unwrap_or_default().join(" "));
        }
        at = end + 1;
    }
    found
}

/// Words behind a number that make it larger, and by how many zeros.
const MULTIPLES: [(&str, u32); 6] = [("ribu", 3), ("thousand", 3), ("juta", 6), ("million", 6), ("rb", 3), ("jt", 6)];

/// Words before a number that make it a limit.
const LIMITS: [&str; 8] = ["most", "to", "maximum", "sampai", "hingga", "maksimal", "maks", "<="];

/// The quantity in a question; `None` where there is none, or more than one.
pub fn quantity(text: &str, language: Language) -> Option<Quantity> {
    let mut quantities = numbers(text).into_iter().filter_map(|found| quantity_at(text, &found, language));
    let first = quantities.next()?;
    quantities.all(|other| other == first).then_some(first)
}

fn quantity_at(text: &str, found: &Found, language: Language) -> Option<Quantity> {
    let before = text.get(..found.start).unwrap_or_default().chars().next_back();
    if before.is_some_and(|letter| letter.is_alphanumeric() || matches!(letter, '/' | '-' | '.')) {
        return None;
    }
    // `Packs of at most 25 kg` says nothing of how much is exported.
    let last_word = text.get(..found.start).unwrap_or_default().split_whitespace().next_back().unwrap_or_default();
    if LIMITS.contains(&last_word.to_lowercase().as_str()) {
        return None;
    }
    let mut amount = reading(found, language)?;
    let rest = text.get(found.end..).unwrap_or_default();
    let mut words: Vec<&str> = rest
        .split(|letter: char| letter.is_whitespace() || letter == '-')
        .filter(|word| !word.is_empty())
        .take(3)
        .collect();
    let lower = words.first().map(|word| word.to_lowercase()).unwrap_or_default();
    if let Some((_, zeros)) = MULTIPLES.iter().find(|(word, _)| *word == lower) {
        amount = amount.checked_mul(Decimal::new(10_i128.pow(*zeros), 0))?;
        words.remove(0);
    }
    let bare = |word: &str| word.trim_end_matches(|letter: char| !letter.is_alphanumeric()).to_owned();
    let one = words.first().map(|word| bare(word))?;
    let two = words.get(1).map(|next| format!("{} {}", words.first().copied().unwrap_or_default(), bare(next)));
    let unit = two.as_deref().and_then(MassUnit::parse).or_else(|| MassUnit::parse(&one))?;
    // A zero is no quantity, and `USD/t` is a price.
    (!amount.is_zero()).then_some(Quantity { amount, unit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_words_are_found_where_they_count_something() {
        assert!(NUMBER_WORDS.is_sorted() && COUNTED.is_sorted());
        assert_eq!(
            in_words("You pay ten percent, that is Twenty-five thousand US dollars."),
            ["ten percent", "twenty five thousand us dollars"]
        );
        assert_eq!(
            in_words("Tarifnya tujuh koma lima persen dari dua puluh ton"),
            ["tujuh koma lima persen", "dua puluh ton"]
        );
        assert!(
            in_words(
                "Rupiah and dollars; one of two sources says so; percent and persen alone are none, and so is a ton."
            )
            .is_empty()
        );
    }

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    /// The marks of both languages, and the numbers of which only the language tells what they are.
    #[test]
    fn numbers_are_read_in_both_languages() {
        for (text, readings) in [
            ("20", &["20"][..]),
            ("1.234.567,89", &["1234567.89"]),
            ("1,234,567.89", &["1234567.89"]),
            ("12,5", &["12.5"]),
            ("12.5", &["12.5"]),
            ("1.250", &["1250", "1.250"]),
            ("1,250", &["1.250", "1250"]),
            ("0.125", &["0.125"]),
            ("1.000.000", &["1000000"]),
            ("7,5%.", &["7.5"]),
        ] {
            let found = numbers(text);
            assert_eq!(found.len(), 1, "{text}");
            assert_eq!(found[0].readings, readings.iter().map(|text| decimal(text)).collect::<Vec<_>>(), "{text}");
        }
        assert_eq!(numbers("PMK 68/2025, annex B: 7.5 %.").len(), 3);
    }

    #[test]
    fn a_quantity_is_found_in_a_question() {
        use Language::{English, Indonesian};
        for (text, language, expected) in [
            ("How much duty on 20 tonnes of cocoa?", English, Some(("20", MassUnit::Tonne))),
            ("bea keluar 12,5 ton biji kakao", Indonesian, Some(("12.5", MassUnit::Tonne))),
            ("ekspor 1.250 kg kakao", Indonesian, Some(("1250", MassUnit::Kilogram))),
            ("export 1,250kg", English, Some(("1250", MassUnit::Kilogram))),
            ("20 ribu ton CPO", Indonesian, Some(("20000", MassUnit::Tonne))),
            ("100 troy ounces of gold dore", English, Some(("100", MassUnit::TroyOunce))),
            ("5 metric tons, please", English, Some(("5", MassUnit::Tonne))),
            ("15 tonnes in packs of at most 25 kg", English, Some(("15", MassUnit::Tonne))),
            ("8 ton dalam kemasan sampai 25 kg", Indonesian, Some(("8", MassUnit::Tonne))),
            ("10-t lot", English, Some(("10", MassUnit::Tonne))),
            ("PMK 68/2025 t", English, None),
            ("at 5350 USD/t", English, None),
            ("10 t or 20 t", English, None),
            ("0 t", English, None),
            ("duty in 2026", English, None),
            ("", English, None),
        ] {
            let found = quantity(text, language).map(|found| (found.amount, found.unit));
            assert_eq!(found, expected.map(|(amount, unit)| (decimal(amount), unit)), "{text}");
        }
    }
}

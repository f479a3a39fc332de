//! Whether an answer may be given: each quotation stands in its source, and each number is known.
//!
//! A number is known when it is one of the computation's, or stands in a quotation that is cited. What names a cited
//! regulation or its article is a name and not a number, there and nowhere else. A model that makes one up has its answer refused, however right it may sound.

use std::collections::HashSet;

use super::numbers::{in_words, numbers};
use crate::domain::decimal::Decimal;

/// What a model said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The text, with markers such as `[1]`.
    pub text: String,
    /// What it quotes.
    pub quotes: Vec<Quote>,
}

/// A quotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The source that it is from, from 1.
    pub marker: usize,
    /// The words.
    pub words: String,
}

/// A quotation that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The source, from 1.
    pub marker: usize,
    /// Where it begins in the source's text, in characters.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// The words as they stand in the source.
    pub words: String,
}

/// A source as far as it is compared.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The number of the regulation.
    pub regulation: &'a str,
    /// The heading of the article.
    pub article: Option<&'a str>,
    /// The words.
    pub text: &'a str,
}

/// Why an answer may not be given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ungrounded {
    /// It quotes nothing.
    #[error("the answer cites no source; quote at least one")]
    NoQuote,
    /// It is empty.
    #[error("the answer is empty")]
    Empty,
    /// A marker stands for no source, or for none that is quoted.
    #[error("the marker [{0}] stands for no quoted source")]
    UnknownMarker(usize),
    /// A quotation does not stand in its source.
    #[error("the quotation {1:?} does not stand in source {0}; copy the words exactly")]
    NotInSource(usize, String),
    /// A number is not known.
    #[error("the number {0} is neither in the calculation nor in a quotation; leave it out or use the exact one")]
    UnknownNumber(String),
}

/// Words that a quotation has at least: fewer prove nothing.
const SHORTEST: usize = 3;

/// Checks an answer.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn check(draft: &Draft, sources: &[Source<'_>], known: &[Decimal]) -> Result<Vec<Found>, Ungrounded> {
    if draft.text.trim().is_empty() {
        return Err(Ungrounded::Empty);
    }
    let mut found = Vec::new();
    for quote in &draft.quotes {
        let source = quote.marker.checked_sub(1).and_then(|at| sources.get(at));
        let source = source.ok_or(Ungrounded::UnknownMarker(quote.marker))?;
        let place = place(source.text, &quote.words);
        let (start, end, words) =
            place.ok_or_else(|| Ungrounded::NotInSource(quote.marker, quote.words.chars().take(120).collect()))?;
        let one = Found { marker: quote.marker, start, end, words };
        if !found.contains(&one) {
            found.push(one);
        }
    }
    if found.is_empty() {
        return Err(Ungrounded::NoQuote);
    }
    let cited: HashSet<usize> = found.iter().map(|one| one.marker).collect();
    let (text, markers) = without_markers(&draft.text);
    if let Some(unknown) = markers.iter().find(|marker| !cited.contains(marker)) {
        return Err(Ungrounded::UnknownMarker(*unknown));
    }
    let mut allowed: HashSet<Decimal> = known.iter().copied().collect();
    for one in &found {
        allowed.extend(numbers(&one.words).into_iter().flat_map(|one| one.readings));
    }
    let text = without_names(&text, cited.iter().filter_map(|marker| sources.get(marker - 1)));
    for number in numbers(&text) {
        if !number.readings.iter().any(|reading| allowed.contains(reading)) {
            let number = text.get(number.start..number.end).unwrap_or_default();
            return Err(Ungrounded::UnknownNumber(number.to_owned()));
        }
    }
    let quoted: Vec<String> = found.iter().flat_map(|one| in_words(&one.words)).collect();
    match in_words(&text).into_iter().find(|number| !quoted.contains(number)) {
        Some(number) => Err(Ungrounded::UnknownNumber(number)),
        None => Ok(found),
    }
}

/// Where the words stand in a text, in characters, and as they stand there. Blanks and quotation marks may differ,
/// and nothing else may.
fn place(text: &str, quote: &str) -> Option<(usize, usize, String)> {
    let trimmed = quote.trim().trim_matches(['"', '“', '”', '…', '«', '»']).trim();
    let wanted = letters(trimmed);
    if trimmed.split_whitespace().count() < SHORTEST || wanted.is_empty() {
        return None;
    }
    let there = letters(text);
    let at = there.windows(wanted.len()).enumerate().position(|(at, window)| {
        let same = window.iter().zip(&wanted).all(|((_, one), (_, two))| one == two);
        // Whole words: `12` does not stand in `512`.
        let is_letter = |at: Option<&(usize, char)>| at.is_some_and(|(_, letter)| letter.is_alphanumeric());
        let inside = |one: Option<&(usize, char)>, two: Option<&(usize, char)>| is_letter(one) && is_letter(two);
        let before = at.checked_sub(1).and_then(|at| there.get(at));
        same && !inside(before, window.first()) && !inside(window.last(), there.get(at + wanted.len()))
    })?;
    let (start, _) = *there.get(at)?;
    let (last, _) = *there.get(at + wanted.len() - 1)?;
    let words = text.chars().skip(start).take(last + 1 - start).collect();
    Some((start, last + 1, words))
}

/// The letters of a text with their places, each run of blanks one blank, quotation marks alike.
fn letters(text: &str) -> Vec<(usize, char)> {
    let mut letters: Vec<(usize, char)> = Vec::new();
    for (at, letter) in text.chars().enumerate() {
        let letter = match letter {
            '“' | '”' | '„' => '"',
            '‘' | '’' => '\'',
            letter if letter.is_whitespace() => ' ',
            letter => letter,
        };
        if letter != ' ' || letters.last().is_some_and(|(_, last)| *last != ' ') {
            letters.push((at, letter));
        }
    }
    while letters.last().is_some_and(|(_, last)| *last == ' ') {
        letters.pop();
    }
    letters
}

/// The text, in lower case, without what names these sources: `PMK 68/2025`, `68 Tahun 2025`, `Pasal 3`.
fn without_names<'a>(text: &str, sources: impl Iterator<Item = &'a Source<'a>>) -> String {
    let mut text = text.to_lowercase();
    for source in sources {
        let mut names: Vec<String> = source.article.into_iter().map(str::to_lowercase).collect();
        let (_, number) = source.regulation.rsplit_once(' ').unwrap_or(("", source.regulation));
        names.push(number.to_lowercase());
        if let Some((number, year)) = number.split_once('/') {
            names.extend(["tahun", "of", "year"].map(|between| format!("{number} {between} {year}")));
        }
        for name in names.iter().filter(|name| !name.is_empty()) {
            text = without(&text, name);
        }
    }
    text
}

/// The text without a name, where that is not a part of something longer.
fn without(text: &str, name: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(name) {
        let (before, after) = (&rest[..at], &rest[at + name.len()..]);
        // `3` does not end in `35`, nor in `3.5`.
        let goes_on = |text: &str| {
            let mut letters = text.chars();
            let first = letters.next();
            first.is_some_and(char::is_alphanumeric)
                || (first.is_some_and(|sign| ".,".contains(sign))
                    && letters.next().is_some_and(|next| next.is_ascii_digit()))
        };
        let is_part = goes_on(after) || before.chars().next_back().is_some_and(char::is_alphanumeric);
        plain.push_str(before);
        plain.push_str(if is_part { name } else { " " });
        rest = after;
    }
    plain.push_str(rest);
    plain
}

/// The text without its markers, and the markers.
fn without_markers(text: &str) -> (String, Vec<usize>) {
    let (mut plain, mut markers) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        let (before, after) = rest.split_at(open);
        plain.push_str(before);
        let inside = after.get(1..).and_then(|after| after.split_once(']'));
        match inside.and_then(|(inside, behind)| Some((inside.trim().parse::<usize>().ok()?, behind))) {
            Some((marker, behind)) => {
                markers.push(marker);
                plain.push(' ');
                rest = behind;
            }
            None => {
                plain.push('[');
                rest = after.get(1..).unwrap_or_default();
            }
        }
    }
    plain.push_str(rest);
    (plain, markers)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCES: [Source<'static>; 2] = [
        Source {
            regulation: "PMK 68/2025",
            article: Some("Pasal 3"),
            text: "Pasal 3\nThe duty on  cocoa beans is 7.5%\nof the export price above USD 3,500.",
        },
        Source { regulation: "PMK 30/2025", article: None, text: "A levy of 10% is due on crude palm oil." },
    ];

    fn draft(text: &str, quotes: &[(usize, &str)]) -> Draft {
        let quotes = quotes.iter().map(|(marker, words)| Quote { marker: *marker, words: (*words).to_owned() });
        Draft { text: text.to_owned(), quotes: quotes.collect() }
    }

    fn known(numbers: &[&str]) -> Vec<Decimal> {
        numbers.iter().map(|number| Decimal::parse(number).unwrap()).collect()
    }

    #[test]
    fn a_quotation_is_found_where_it_stands() {
        let answer = draft(
            "The rate is 7.5 % under PMK 68/2025 [1].",
            &[(1, "duty on cocoa beans is 7.5% of the export price")],
        );
        let found = check(&answer, &SOURCES, &[]).unwrap();
        assert_eq!(found.len(), 1);
        let text: String = SOURCES[0].text.chars().skip(found[0].start).take(found[0].end - found[0].start).collect();
        assert_eq!(text, "duty on  cocoa beans is 7.5%\nof the export price");
        assert_eq!(found[0].words, text);
    }

    /// What a model may do to look right.
    #[test]
    fn what_is_made_up_is_found_out() {
        let good: &[(usize, &str)] = &[(1, "duty on cocoa beans is 7.5%")];
        for (text, quotes, fault) in [
            ("", good, Ungrounded::Empty),
            ("The rate is 7.5 %.", &[][..], Ungrounded::NoQuote),
            ("It is [2].", good, Ungrounded::UnknownMarker(2)),
            ("It is [9].", &[(9, "duty on cocoa beans")], Ungrounded::UnknownMarker(9)),
            ("It is [0].", &[(0, "duty on cocoa beans")], Ungrounded::UnknownMarker(0)),
            (
                "It is [1].",
                &[(1, "duty on cocoa beans is 9.5%")],
                Ungrounded::NotInSource(1, "duty on cocoa beans is 9.5%".to_owned()),
            ),
            (
                "It is [2].",
                &[(2, "duty on cocoa beans is 7.5%")],
                Ungrounded::NotInSource(2, "duty on cocoa beans is 7.5%".to_owned()),
            ),
            ("It is [1].", &[(1, "7.5%")], Ungrounded::NotInSource(1, "7.5%".to_owned())),
            ("It is 8.5 % [1].", good, Ungrounded::UnknownNumber("8.5".to_owned())),
            ("It is ten percent [1].", good, Ungrounded::UnknownNumber("ten percent".to_owned())),
            ("You pay USD 5,015.63 [1].", good, Ungrounded::UnknownNumber("5,015.63".to_owned())),
            // It stands in the source, and not in what is quoted.
            ("Above 3,500 it is 7.5 % [1].", good, Ungrounded::UnknownNumber("3,500".to_owned())),
            // Names are no numbers.
            ("Under PMK 68/2025, Pasal 3, it is 68 % [1].", good, Ungrounded::UnknownNumber("68".to_owned())),
            ("Pasal 3 says 3 % [1].", good, Ungrounded::UnknownNumber("3".to_owned())),
            ("Pasal 3.5 says so [1].", good, Ungrounded::UnknownNumber("3.5".to_owned())),
            ("Under PMK 68/20255 it is so [1].", good, Ungrounded::UnknownNumber("68".to_owned())),
            // It stands in another source.
            ("The levy is 10 % [1].", good, Ungrounded::UnknownNumber("10".to_owned())),
        ] {
            assert_eq!(check(&draft(text, quotes), &SOURCES, &known(&["5015.625"])), Err(fault), "{text}");
        }
    }

    #[test]
    fn numbers_of_the_calculation_may_be_written_in_either_language() {
        let quotes: &[(usize, &str)] = &[(1, "duty on cocoa beans is 7.5%")];
        for text in [
            "You pay USD 5,015.625 [1].",
            "Anda membayar 5.015,625 dolar [1].",
            "It is 5015.625, or 82,336,500 rupiah, or Rp 82.336.500,00.",
            "PMK Nomor 68 Tahun 2025 says so, in pasal 3 (PMK 68/2025).",
        ] {
            assert!(check(&draft(text, quotes), &SOURCES, &known(&["5015.625", "82336500"])).is_ok(), "{text}");
        }
    }
}

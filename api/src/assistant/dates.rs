//! Days in a question: when a declaration is filed, and when duty is paid.

use chrono::NaiveDate;

/// Months by the first letters of their names, in English and Indonesian.
const MONTHS: [(&str, u32); 22] = [
    ("jan", 1),
    ("feb", 2),
    ("mar", 3),
    ("apr", 4),
    ("may", 5),
    ("mei", 5),
    ("jun", 6),
    ("jul", 7),
    ("aug", 8),
    ("agu", 8),
    ("agt", 8),
    ("sep", 9),
    ("oct", 10),
    ("okt", 10),
    ("nov", 11),
    ("nop", 11),
    ("dec", 12),
    ("des", 12),
    ("peb", 2),
    ("ags", 8),
    ("sept", 9),
    ("octo", 10),
];

/// Words before the day of a payment or of the rate at which it is made.
const PAID: [&str; 8] = ["paid", "pay", "payment", "dibayar", "pembayaran", "bayar", "rate", "kurs"];

/// Words before the day of filing.
const FILED: [&str; 9] =
    ["filed", "file", "filing", "declared", "diajukan", "pengajuan", "peb", "tanggal", "declaration"];

/// The days that a question names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Days {
    /// When the declaration is filed.
    pub filed: Option<NaiveDate>,
    /// When the duty is paid.
    pub paid: Option<NaiveDate>,
}

/// Finds them: a day is that of payment when the nearest word before it that tells says so.
pub fn days(question: &str) -> Days {
    let words: Vec<String> = question
        .split(|letter: char| letter.is_whitespace() || matches!(letter, ',' | '(' | ')' | '?' | ';'))
        .map(|word| word.trim_end_matches(['.', ':']).to_lowercase())
        .filter(|word| !word.is_empty())
        .collect();
    let mut days = Days::default();
    for at in 0..words.len() {
        let Some(day) = day_at(&words, at) else { continue };
        let before = words.get(at.saturating_sub(8)..at).unwrap_or_default().iter().rev();
        let bare = |word: &String| word.trim_end_matches("nya").to_owned();
        let tells = before.map(bare).find(|word| PAID.contains(&word.as_str()) || FILED.contains(&word.as_str()));
        match tells {
            Some(word) if PAID.contains(&word.as_str()) => days.paid = days.paid.or(Some(day)),
            Some(_) => days.filed = days.filed.or(Some(day)),
            None => {}
        }
    }
    days
}

/// A day that begins at a word: `2026-02-10`, or `10 February 2026`.
fn day_at(words: &[String], at: usize) -> Option<NaiveDate> {
    let first = words.get(at)?;
    if let Ok(day) = NaiveDate::parse_from_str(first, "%Y-%m-%d") {
        return Some(day);
    }
    let number = first.parse::<u32>().ok().filter(|day| (1..=31).contains(day))?;
    let name = words.get(at + 1)?;
    let month = MONTHS.iter().find(|(start, _)| name.starts_with(start)).map(|(_, month)| *month)?;
    let year = words.get(at + 2)?.parse().ok().filter(|year| (1990..=2100).contains(year))?;
    NaiveDate::from_ymd_opt(year, month, number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_before_a_day_says_what_it_is() {
        let day = |text: &str| Some(text.parse::<NaiveDate>().unwrap());
        for (question, filed, paid) in [
            ("filed on 12 April 2023. How much was due?", day("2023-04-12"), None),
            (
                "At the weekly tax rate in force on 8 August 2025, cocoa filed on 10 February 2026?",
                day("2026-02-10"),
                day("2025-08-08"),
            ),
            (
                "PEB diajukan 26 Juni 2025 dan bea keluarnya dibayar 12 Agustus 2025.",
                day("2025-06-26"),
                day("2025-08-12"),
            ),
            (
                "15 tonnes, filed on 20 March 2025, paid on 6 August 2025: how much?",
                day("2025-03-20"),
                day("2025-08-06"),
            ),
            ("PEB tanggal 2026-02-10", day("2026-02-10"), None),
            ("on 31 February 2026", None, None),
            ("20 tonnes this month", None, None),
        ] {
            assert_eq!(days(question), Days { filed, paid }, "{question}");
        }
    }
}

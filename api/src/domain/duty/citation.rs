//! Regulations as they are cited: `PMK 38/2024 jo. PMK 68/2025 annex B`.
//!
//! A citation is free text with numbers in it. Of a regulation of the finance minister (PMK) the number and the year
//! are enough: `PMK 39/PMK.010/2022` and `PMK 39/2022` are one. Of other kinds the whole number is kept, since offices
//! of one ministry count for themselves.

/// The kinds of regulation that are found in a citation.
const KINDS: [&str; 8] = ["PMK", "KMK", "Kepmendag", "Permendag", "PP", "UU", "Perpres", "Keppres"];

/// The numbers of all regulations in a citation, each once, in the order in which they are cited.
///
/// `jo. 71/2023` is of the kind that was named before it.
#[must_use]
pub fn numbers(citation: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut kind: Option<&'static str> = None;
    let mut expected = false;
    for word in citation.split([' ', ';', ',', '(', ')', '\n', '\t']).filter(|word| !word.is_empty()) {
        if let Some(named) = KINDS.iter().copied().find(|kind| kind.eq_ignore_ascii_case(word)) {
            (kind, expected) = (Some(named), true);
        } else if word == "jo." || word == "jo" {
            expected = kind.is_some();
        } else if let Some(kind) = kind.filter(|_| expected) {
            expected = false;
            if let Some(number) = normal(kind, word)
                && !found.contains(&number)
            {
                found.push(number);
            }
        }
    }
    found
}

/// The number of one regulation in its short form; `None` when the text is not one number of a known kind.
#[must_use]
pub fn number(text: &str) -> Option<String> {
    match numbers(text).as_slice() {
        [number] if text.split_whitespace().count() == 2 => Some(number.clone()),
        _ => None,
    }
}

/// `39/PMK.010/2022` of the kind PMK is `PMK 39/2022`.
fn normal(kind: &str, number: &str) -> Option<String> {
    let parts: Vec<&str> = number.split('/').collect();
    let [first, .., year] = parts.as_slice() else { return None };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let plausible = digits(first) && first.len() <= 6 && digits(year) && year.len() == 4;
    let written = number.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-'));
    if !plausible || !written || number.len() > 64 {
        return None;
    }
    Some(if kind == "PMK" { format!("PMK {first}/{year}") } else { format!("{kind} {number}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The citations of the shared files, and what they cite.
    #[test]
    fn citations_are_found_in_what_people_write() {
        for (text, expected) in [
            (
                "PMK 39/PMK.010/2022 (as amended) annex B; carried into PMK 38/2024 annex B from 2024-06-03",
                &["PMK 39/2022", "PMK 38/2024"][..],
            ),
            ("PMK 38/2024 jo. PMK 68/2025 annex B", &["PMK 38/2024", "PMK 68/2025"]),
            ("PMK 103/2022 jo. 154/2022", &["PMK 103/2022", "PMK 154/2022"]),
            ("PMK 154/PMK.05/2022 annex C", &["PMK 154/2022"]),
            ("Kepmendag 1484/2025", &["Kepmendag 1484/2025"]),
            ("KMK 10/MK/EF.2/2025", &["KMK 10/MK/EF.2/2025"]),
            ("PP 55/2008", &["PP 55/2008"]),
            ("PMK 38/2024 and again PMK 38/PMK.010/2024", &["PMK 38/2024"]),
            ("annex C column 4", &[]),
            ("PMK annex B 12/2024", &[]),
            ("", &[]),
        ] {
            assert_eq!(numbers(text), expected, "{text}");
        }
    }

    /// Who asks for a regulation may write its number in either form.
    #[test]
    fn one_number_is_one_regulation() {
        for (text, expected) in [
            ("PMK 39/PMK.010/2022", Some("PMK 39/2022")),
            ("pmk 39/2022", Some("PMK 39/2022")),
            ("KMK 56/KM.10/2020", Some("KMK 56/KM.10/2020")),
            ("PMK 39/2022 annex B", None),
            ("39/2022", None),
            ("PMK", None),
        ] {
            assert_eq!(number(text).as_deref(), expected, "{text}");
        }
    }
}

//! Texts that people give things: references, names, reasons.

use super::rejection::Rejection;

/// Characters of a word or two, such as a method or a unit.
pub const SHORT: usize = 64;

/// Characters of a name or a reference.
pub const NAME: usize = 200;

/// Characters of a sentence or a paragraph.
pub const LONG: usize = 2000;

/// Checks a text of at most `most` characters: it says something, and holds no control characters but line breaks
/// and tabs in a long one. PostgreSQL cannot keep a null character, and a log or a table cannot show the others.
///
/// # Errors
/// A rejection at `field`.
pub fn check(field: &str, text: &str, most: usize) -> Result<(), Rejection> {
    let wrong = if text.trim().is_empty() {
        "must not be empty".to_owned()
    } else if text.chars().count() > most {
        format!("has more than {most} characters")
    } else if text.chars().any(|c| c.is_control() && !(most == LONG && matches!(c, '\n' | '\r' | '\t'))) {
        "has control characters".to_owned()
    } else if most != LONG && text.trim() != text {
        "begins or ends with a space".to_owned()
    } else {
        return Ok(());
    };
    Err(Rejection::invalid([field], wrong))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each of these would be stored as something that nobody finds again.
    #[test]
    fn a_text_says_something_and_can_be_shown() {
        for (text, most) in [("INV/2026/1", NAME), ("é", SHORT), ("two\nlines", LONG)] {
            check("reason", text, most).unwrap();
        }
        let long = "x".repeat(SHORT + 1);
        for (text, most) in [("", NAME), (" \t", LONG), ("a\0b", LONG), ("a\nb", NAME), (" a", NAME), (&long, SHORT)] {
            assert_eq!(check("reason", text, most).unwrap_err().field, ["reason"], "{text:?}");
        }
    }
}

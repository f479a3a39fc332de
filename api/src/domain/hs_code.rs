//! Codes of the Harmonized System, and the sections above them.
//!
//! A code is a place in a tree: section, chapter (2 digits), heading (4), subheading (6), national
//! line (8). This module knows the shape of a code and nothing else; it must never claim that a
//! code exists or which section a chapter belongs to, because both are imported data.

use std::fmt;
use std::str::FromStr;

/// The longest text [`HsCode::parse`] looks at, in bytes.
pub const MAX_BYTES: usize = 16;

/// The sections of the Harmonized System, in order.
const SECTIONS: [&str; 21] = [
    "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII", "XIV", "XV", "XVI", "XVII",
    "XVIII", "XIX", "XX", "XXI",
];

/// A section, or a code of 2, 4, 6 or 8 digits.
///
/// The order is that of the printed tariff: the sections I to XXI, then the codes, each before
/// those below it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HsCode(Repr);

/// The derived order relies on the order of the variants, and on unused digits being zero bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Repr {
    /// The index in [`SECTIONS`].
    Section(u8),
    /// ASCII digits, filled up with zero bytes.
    Digits { bytes: [u8; 8], length: u8 },
}

/// Where in the tree a code stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum HsLevel {
    /// A section, such as IV.
    Section,
    /// Two digits, such as 18.
    Chapter,
    /// Four digits, such as 1801.
    Heading,
    /// Six digits, such as 1801.00: the same in every country.
    Subheading,
    /// Eight digits, such as 1801.00.10: a line of one country's tariff.
    National,
}

/// Why a text is not accepted as an [`HsCode`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HsCodeError {
    /// The text is empty.
    #[error("an HS code must not be empty")]
    Empty,
    /// The text is longer than [`MAX_BYTES`]; it was not looked at.
    #[error("an HS code must not be longer than {MAX_BYTES} characters")]
    TooLong,
    /// Neither digits with dots between them nor a Roman numeral.
    #[error("not an HS code: write digits such as 1801.00, or a section from I to XXI")]
    NotACode,
    /// The number of digits is not 2, 4, 6 or 8.
    #[error("an HS code has 2, 4, 6 or 8 digits, not {digits}")]
    WrongLength {
        /// The number of digits found.
        digits: usize,
    },
    /// A numeral that is not one of the sections I to XXI.
    #[error("the sections of the Harmonized System are I to XXI")]
    UnknownSection,
}

impl HsCode {
    /// Reads 2, 4, 6 or 8 digits, with or without single dots between digits, or a section from I
    /// to XXI in upper case. The dots are dropped.
    ///
    /// # Errors
    ///
    /// An [`HsCodeError`] that says what is wrong with the text.
    pub fn parse(text: &str) -> Result<HsCode, HsCodeError> {
        if text.is_empty() {
            return Err(HsCodeError::Empty);
        }
        if text.len() > MAX_BYTES {
            return Err(HsCodeError::TooLong);
        }
        if text.bytes().all(|byte| b"IVXLCDM".contains(&byte)) {
            return (0..)
                .zip(SECTIONS)
                .find(|(_, section)| *section == text)
                .map(|(index, _)| HsCode(Repr::Section(index)))
                .ok_or(HsCodeError::UnknownSection);
        }
        // An empty piece is a dot at an end or next to another one.
        let is_digits = |piece: &str| !piece.is_empty() && piece.bytes().all(|b| b.is_ascii_digit());
        if !text.split('.').all(is_digits) {
            return Err(HsCodeError::NotACode);
        }
        let digits = text.bytes().filter(|byte| *byte != b'.');
        let length = match digits.clone().count() {
            2 => 2,
            4 => 4,
            6 => 6,
            8 => 8,
            digits => return Err(HsCodeError::WrongLength { digits }),
        };
        let mut bytes = [0; 8];
        for (slot, digit) in bytes.iter_mut().zip(digits) {
            *slot = digit;
        }
        Ok(HsCode(Repr::Digits { bytes, length }))
    }

    /// The code as it is stored: the digits without dots, or the Roman numeral.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Section(index) => SECTIONS.get(usize::from(*index)).copied().unwrap_or_default(),
            Repr::Digits { bytes, length } => bytes
                .get(..usize::from(*length))
                // Only ASCII digits are ever stored.
                .and_then(|digits| str::from_utf8(digits).ok())
                .unwrap_or_default(),
        }
    }

    /// The code as a tariff prints it: `18`, `1801`, `1801.00`, `1801.00.10`, `IV`.
    #[must_use]
    pub fn formatted(&self) -> String {
        let text = self.as_str();
        match self.level() {
            HsLevel::Section | HsLevel::Chapter | HsLevel::Heading => text.to_owned(),
            HsLevel::Subheading => format!("{}.{}", &text[..4], &text[4..]),
            HsLevel::National => format!("{}.{}.{}", &text[..4], &text[4..6], &text[6..]),
        }
    }

    /// Where in the tree the code stands.
    #[must_use]
    pub const fn level(&self) -> HsLevel {
        match self.0 {
            Repr::Section(_) => HsLevel::Section,
            Repr::Digits { length, .. } => match length {
                ..=2 => HsLevel::Chapter,
                3..=4 => HsLevel::Heading,
                5..=6 => HsLevel::Subheading,
                7.. => HsLevel::National,
            },
        }
    }

    /// The code two digits shorter: 180100, 1801, 18.
    ///
    /// `None` for a chapter, whose parent is a section that only the data knows, and for a section.
    #[must_use]
    pub fn parent_digits(&self) -> Option<HsCode> {
        match self.0 {
            Repr::Digits { mut bytes, length: length @ 4.. } => {
                let length = length - 2;
                bytes.get_mut(usize::from(length)..)?.fill(0);
                Some(HsCode(Repr::Digits { bytes, length }))
            }
            Repr::Digits { .. } | Repr::Section(_) => None,
        }
    }

    /// Whether this is a section and has no digits.
    #[must_use]
    pub const fn is_section(&self) -> bool {
        matches!(self.0, Repr::Section(_))
    }
}

impl FromStr for HsCode {
    type Err = HsCodeError;

    fn from_str(text: &str) -> Result<HsCode, HsCodeError> {
        HsCode::parse(text)
    }
}

impl fmt::Display for HsCode {
    /// The code as it is stored, without dots; see [`HsCode::formatted`] for the printed form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for HsCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HsCode({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code(text: &str) -> HsCode {
        HsCode::parse(text).unwrap()
    }

    #[test]
    fn codes_are_read_stored_and_printed() {
        use HsLevel::*;
        for (text, stored, printed, level) in [
            ("18", "18", "18", Chapter),
            ("1801", "1801", "1801", Heading),
            ("18.01", "1801", "1801", Heading),
            ("1801.00", "180100", "1801.00", Subheading),
            ("180100", "180100", "1801.00", Subheading),
            ("18.01.00", "180100", "1801.00", Subheading),
            ("1801.00.10", "18010010", "1801.00.10", National),
            ("1.8.0.1.0.0.1.0", "18010010", "1801.00.10", National),
            ("01", "01", "01", Chapter),
            ("I", "I", "I", Section),
            ("IV", "IV", "IV", Section),
            ("XVIII", "XVIII", "XVIII", Section),
            ("XXI", "XXI", "XXI", Section),
        ] {
            let code = code(text);
            assert_eq!(code.as_str(), stored, "{text}");
            assert_eq!(code.to_string(), stored, "{text}");
            assert_eq!(code.formatted(), printed, "{text}");
            assert_eq!(code.level(), level, "{text}");
            assert_eq!(code.is_section(), level == Section, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_code_is_refused_with_its_reason() {
        use HsCodeError::*;
        for (text, error) in [
            ("", Empty),
            (".", NotACode),
            (".1801", NotACode),
            ("1801.", NotACode),
            ("18..01", NotACode),
            (" 1801", NotACode),
            ("18 01", NotACode),
            ("18-01", NotACode),
            ("1801x", NotACode),
            ("iv", NotACode),
            ("Iv", NotACode),
            ("I.V", NotACode),
            ("18IV", NotACode),
            ("\u{661}\u{668}", NotACode),
            ("1", WrongLength { digits: 1 }),
            ("180", WrongLength { digits: 3 }),
            ("1801.0", WrongLength { digits: 5 }),
            ("1801001", WrongLength { digits: 7 }),
            ("1801.00.10.00", WrongLength { digits: 10 }),
            ("XXII", UnknownSection),
            ("IIII", UnknownSection),
            ("XXI.", NotACode),
            ("18010010180100101", TooLong),
        ] {
            assert_eq!(HsCode::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn each_code_knows_its_parents() {
        let line = std::iter::successors(Some(code("18010010")), HsCode::parent_digits);
        let line: Vec<_> = line.map(|code| code.formatted()).collect();
        assert_eq!(line, ["1801.00.10", "1801.00", "1801", "18"]);
        assert_eq!(code("18010010").parent_digits(), Some(code("180100")));
        assert_eq!(code("IV").parent_digits(), None);
    }

    #[test]
    fn the_order_is_that_of_the_printed_tariff() {
        let sorted = ["I", "IV", "V", "IX", "X", "XXI", "01", "18", "1801", "180100", "18010010", "1802", "19"];
        let mut codes = sorted.map(code);
        codes.reverse();
        codes.sort();
        assert_eq!(codes.map(|code| code.to_string()), sorted);
    }

    proptest! {
        #[test]
        fn dots_make_no_difference(pairs in prop::collection::vec((0_u8..100, any::<bool>()), 1..=4)) {
            let join = |separator: &str| {
                pairs.iter().fold(String::new(), |text, (pair, dot)| {
                    let dot = if *dot && !text.is_empty() { separator } else { "" };
                    format!("{text}{dot}{pair:02}")
                })
            };
            let (plain, dotted) = (join(""), join("."));
            let code = code(&dotted);
            prop_assert_eq!(HsCode::parse(&plain), Ok(code));
            prop_assert_eq!(code.as_str(), plain);
            prop_assert_eq!(HsCode::parse(&code.formatted()), Ok(code));
        }

        #[test]
        fn parsing_never_panics_and_reads_back(text in "\\PC{0,20}|[IVX0-9.]{0,17}") {
            if let Ok(code) = HsCode::parse(&text) {
                prop_assert_eq!(HsCode::parse(code.as_str()), Ok(code));
                prop_assert_eq!(HsCode::parse(&code.formatted()), Ok(code));
            }
        }
    }
}

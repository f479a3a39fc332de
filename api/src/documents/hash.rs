//! The name of a document: the SHA-256 of its text.

use std::fmt;

use sha2::{Digest, Sha256};

/// The SHA-256 of a document's text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The hash of a text.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// Reads 64 hexadecimal digits of either case; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        let mut bytes = [0; 32];
        if digits.len() != 2 * bytes.len() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(bytes))
    }
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// 64 hexadecimal digits in lower case.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clients make the same hash with other programs; `printf '{ a }' | sha256sum` said this one.
    #[test]
    fn a_hash_is_the_known_one_in_either_case() {
        let text = "1c7e1e347f726166b5b1c55afd61f278cc9b45e00c108ec33d540a566379811b";
        assert_eq!(Hash::of("{ a }").to_string(), text);
        assert_eq!(Hash::parse(text), Some(Hash::of("{ a }")));
        assert_eq!(Hash::parse(&text.to_uppercase()), Hash::parse(text));
    }

    /// What is no hash is said to be none.
    #[test]
    fn other_texts_are_no_hash() {
        let good = "0".repeat(64);
        for bad in ["", "0", &good[1..], &format!("{good}0"), &format!("g{}", &good[1..]), &format!("é{}", &good[2..])]
        {
            assert_eq!(Hash::parse(bad), None, "{bad}");
        }
    }
}

//! What a text may be, before anything parses it.
//!
//! The parser recurses with each bracket, and a stack overflow cannot be caught: it ends the process. So a
//! document's size, tokens and nesting are measured in one pass over its bytes before anything parses it.
//!
//! Nothing may look like a string or a comment here and like brackets to the parser. So a string that does not
//! end is refused: the parser would take `"""a" [` for two strings and a bracket. And nothing may be one token here
//! and many there: the parser reads `0000` as four numbers, `truenull` as two values, and a byte order mark as a
//! space between two names.

use super::Limits;

/// Longest name or number, in bytes. Errors of the engine repeat names, some of them many times.
const MAX_WORD_BYTES: usize = 255;

/// Counts the tokens of a document, and refuses one that is too large to be parsed safely, in words for the caller.
pub(super) fn check(document: &str, limits: &Limits) -> Result<usize, String> {
    if document.len() > limits.bytes {
        return Err(format!("the document is longer than {} bytes", limits.bytes));
    }
    let bytes = document.as_bytes();
    let (mut at, mut tokens, mut nesting) = (0, 0, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        let mut length = 1;
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => {}
            b'#' => length = comment_length(&bytes[at..]),
            0xEF if bytes[at..].starts_with(b"\xEF\xBB\xBF") => length = 3,
            b'{' | b'[' | b'(' => {
                nesting += 1;
                tokens += 1;
            }
            // A bracket that closes nothing, or another kind, is where the parser stops.
            b'}' | b']' | b')' => {
                nesting = nesting.saturating_sub(1);
                tokens += 1;
            }
            b'"' => {
                length = string_length(&bytes[at..]).ok_or("a string does not end")?;
                tokens += 1;
            }
            _ if is_word(byte) => {
                length = bytes[at..].iter().take_while(|byte| is_word(**byte)).count();
                let is_fraction = at > 0 && bytes[at - 1] == b'.';
                tokens += if is_fraction { 1 } else { words(&bytes[at..at + length]) };
                if length > MAX_WORD_BYTES {
                    return Err(format!("a name or a number is longer than {MAX_WORD_BYTES} bytes"));
                }
            }
            // A sign, or what GraphQL does not know and the parser refuses.
            _ => tokens += 1,
        }
        if nesting > limits.nesting {
            return Err(format!("brackets are nested more than {} deep", limits.nesting));
        }
        if tokens > limits.tokens {
            return Err(format!("the document has more than {} tokens", limits.tokens));
        }
        at += length;
    }
    Ok(tokens)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// How many tokens the parser may find in a run of letters and digits: at a place for values it does not ask that
/// anything stands between two of them.
fn words(mut run: &[u8]) -> usize {
    let mut count = 0;
    while !run.is_empty() {
        let value = [&b"true"[..], b"false", b"null", b"0"].into_iter().find_map(|value| run.strip_prefix(value));
        count += 1;
        run = value.unwrap_or_default();
    }
    count
}

/// A comment goes on to the end of its line, or of the document.
fn comment_length(rest: &[u8]) -> usize {
    rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len())
}

/// How long the string at the start is; `None` when it does not end.
fn string_length(rest: &[u8]) -> Option<usize> {
    let mut at = 1;
    if rest.starts_with(b"\"\"\"") {
        at = 3;
        while !rest[at..].starts_with(b"\"\"\"") {
            at += if rest[at..].starts_with(b"\\\"\"\"") { 4 } else { 1 };
            if at >= rest.len() {
                return None;
            }
        }
        return Some(at + 3);
    }
    loop {
        match (*rest.get(at)?, rest.get(at + 1)) {
            (b'"', _) => return Some(at + 1),
            (b'\n' | b'\r', _) | (b'\\', None | Some(b'\n' | b'\r')) => return None,
            (b'\\', Some(_)) => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(document: &str) -> Result<(), String> {
        super::check(document, &Limits::default()).map(drop)
    }

    /// The window in which the parser would overflow the stack, and both of its sides.
    #[test]
    fn deep_nesting_is_refused_before_the_parser() {
        for depth in [41, 1_000, 2_000, 20_000] {
            for (open, close) in [("[", "]"), ("{a:", "}"), ("(", ")")] {
                let document = format!("{{a(b:{}1{})}}", open.repeat(depth), close.repeat(depth));
                assert!(check(&document).is_err(), "{depth} of {open}");
            }
        }
        let document = format!("{}a{}", "{a".repeat(40), "}".repeat(40));
        assert_eq!(check(&document), Ok(()));
    }

    /// Brackets in strings and comments are text.
    #[test]
    fn brackets_in_text_do_not_count() {
        let many = "[".repeat(100);
        for document in [
            format!("{{a(b:\"{many}\")}}"),
            format!("{{a(b:\"\\\"{many}\")}}"),
            format!("{{a(b:\"\"\"{many} \\\"\"\" {many}\"\"\")}}"),
            format!("# {many}\n{{a}}"),
            format!("{{a}} # {many}"),
        ] {
            assert_eq!(check(&document), Ok(()), "{document}");
        }
        assert!(check(&format!("{{a(b:\"x\" c:{many})}}")).is_err());
        assert!(check(&format!("{{a(b:\"\"\"\"\"\"{many})}}")).is_err(), "a block string of nothing");
        for end in ["\n", "\r", "\r\n"] {
            assert!(check(&format!("# comment{end}{many}")).is_err(), "a comment ends with its line");
        }
    }

    /// What the parser would read in another way than this does must not get to it.
    #[test]
    fn strings_that_do_not_end_are_refused() {
        for text in
            ["\"", "\"open\n\"", "\"open\r\"", "\"a\\", "\"a\\\n\"", "\"\"\"a\"", "\"\"\"\"\"", "\"\"\"\\\"\"\""]
        {
            assert_eq!(check(&format!("{{a(b:[{text}")), Err("a string does not end".to_owned()), "{text:?}");
        }
        // Two strings and brackets to the parser; a string without an end by the standard.
        let hidden = format!("{{a(b:[\"\"\"x\" {}1{}])}}", "[".repeat(2_000), "]".repeat(2_000));
        assert!(check(&hidden).is_err());
        for text in ["\"\"", "\"\\\\\"", "\"\\\"\"", "\"\"\"\"\"\"", "\"\"\"\n\"\r\n\"\"\"", "\"\"\"\\\\\\\"\"\"\"\"\""]
        {
            assert_eq!(check(text), Ok(()), "{text:?}");
        }
    }

    /// The parser takes values without anything between them, and a byte order mark for a space.
    #[test]
    fn values_that_touch_are_counted_apart() {
        for run in ["true", "null", "false", "0", "\u{feff}a", "a\u{feff}", "-1", "a,", "\"\" "] {
            let counted = |times| super::check(&run.repeat(times), &Limits { tokens: 50, ..Limits::default() });
            assert!(counted(25).is_ok(), "{run}");
            assert_eq!(counted(51), Err("the document has more than 50 tokens".to_owned()), "{run}");
        }
        let counted = |text: &str| words(text.as_bytes());
        assert_eq!(counted("name"), 1);
        assert_eq!(counted("truename"), 2);
        assert_eq!(counted("null007"), 4);
        assert_eq!(counted("1000"), 1);
        // Digits behind a point belong to their number.
        assert_eq!(check(&format!("1.{}", "0".repeat(255))), Ok(()));
    }

    /// Long documents are refused by their bytes, by their tokens and by their longest word.
    #[test]
    fn long_documents_are_refused() {
        assert_eq!(check(&" ".repeat(65_536)), Ok(()));
        assert!(check(&" ".repeat(65_536 + 1)).is_err());
        assert_eq!(check(&"a ".repeat(1_000)), Ok(()));
        assert!(check(&"a ".repeat(1_000 + 1)).is_err());
        assert_eq!(check(&"a".repeat(255)), Ok(()));
        assert!(check(&"a".repeat(255 + 1)).is_err());
    }
}

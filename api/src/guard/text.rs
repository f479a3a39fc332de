//! What a text may be, before anything parses it.
//!
//! The parser recurses with each bracket, and a stack overflow cannot be caught: it ends the process. So a
//! document's size, tokens and nesting are measured in one pass over its bytes before anything parses it.

use super::Limits;

/// Refuses a document that is too large to be parsed safely, in words for the caller.
pub(super) fn check(document: &str, limits: &Limits) -> Result<(), String> {
    if document.len() > limits.bytes {
        return Err(format!("the document is longer than {} bytes", limits.bytes));
    }
    let bytes = document.as_bytes();
    let (mut at, mut tokens, mut nesting) = (0, 0, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        let end = token_end(bytes, at);
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' | b'#' => {}
            b'{' | b'[' | b'(' => {
                nesting += 1;
                tokens += 1;
            }
            b'}' | b']' | b')' => {
                nesting = nesting.saturating_sub(1);
                tokens += 1;
            }
            _ => tokens += 1,
        }
        if nesting > limits.nesting {
            return Err(format!("brackets are nested more than {} deep", limits.nesting));
        }
        if tokens > limits.tokens {
            return Err(format!("the document has more than {} tokens", limits.tokens));
        }
        at = end;
    }
    Ok(())
}

/// Where the token that starts at `at` ends. A string or comment that does not end goes on to the end.
fn token_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let length = if rest.starts_with(b"\"\"\"") {
        let mut end = 3;
        while end < rest.len() && !rest[end..].starts_with(b"\"\"\"") {
            end += if rest[end..].starts_with(b"\\\"\"\"") { 4 } else { 1 };
        }
        end + 3
    } else if rest[0] == b'"' {
        let mut end = 1;
        while end < rest.len() && rest[end] != b'"' && rest[end] != b'\n' {
            end += if rest[end] == b'\\' { 2 } else { 1 };
        }
        end + 1
    } else if rest[0] == b'#' {
        rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len())
    } else {
        let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
        rest.iter().take_while(|byte| word(byte)).count().max(1)
    };
    (at + length).min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(document: &str) -> Result<(), String> {
        super::check(document, &Limits::default())
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
        ] {
            assert_eq!(check(&document), Ok(()), "{document}");
        }
        assert!(check(&format!("{{a(b:\"x\" c:{many})}}")).is_err());
        assert!(check(&format!("{{a(b:\"open\n {many})}}")).is_err(), "a string ends with its line");
    }

    /// Long documents are refused by their bytes and by their tokens.
    #[test]
    fn long_documents_are_refused() {
        assert!(check(&" ".repeat(65_536 + 1)).is_err());
        assert!(check(&"a ".repeat(1_000 + 1)).is_err());
        assert_eq!(check(&"a ".repeat(1_000)), Ok(()));
    }
}

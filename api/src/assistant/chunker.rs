//! Cuts the text of a regulation into chunks: one for each article, and windows of words in long ones.
//!
//! Nothing of one article is ever in the chunk of another, so that a quotation names the article it is from. A chunk's
//! text is a piece of the text as it was given, with its blanks, so that a quotation can be found in it.

/// Words of a chunk at the most.
pub const WINDOW: usize = 220;

/// Words that a window shares with the one before it.
pub const OVERLAP: usize = 40;

/// The words with which the heading of an article begins.
const HEADINGS: [&str; 6] = ["pasal", "article", "section", "bab", "chapter", "lampiran"];

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The heading of its article, such as `Pasal 5`; `None` before the first.
    pub article: Option<&'a str>,
    /// The words.
    pub text: &'a str,
}

/// The pieces of a text, in their order.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut starts: Vec<(usize, Option<&str>)> = vec![(0, None)];
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if let Some(heading) = heading(line) {
            starts.push((at, Some(heading)));
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).map(|(start, _)| *start).chain([text.len()]);
    let mut pieces = Vec::new();
    for ((start, article), end) in starts.iter().zip(ends) {
        let part = text.get(*start..end).unwrap_or_default().trim();
        pieces.extend(windows(part).into_iter().map(|text| Piece { article: *article, text }));
    }
    pieces
}

/// The heading of an article, when a line begins with one: its word and its number.
fn heading(line: &str) -> Option<&str> {
    let line = line.trim();
    let mut words = line.split_whitespace();
    let (word, number) = (words.next()?, words.next()?);
    if !HEADINGS.contains(&word.to_lowercase().as_str()) {
        return None;
    }
    let number = number.trim_end_matches(['.', ':', ')', ',', ';', '-', '–', '—']);
    // In the middle of a sentence `Pasal 5 ayat (1)` may begin a line, and is no heading.
    let is_cited = words.next().is_some_and(|next| {
        ["ayat", "huruf", "dan", "atau", "and", "or", "of", "paragraph", "dalam", "peraturan"]
            .contains(&next.to_lowercase().as_str())
    });
    if is_cited || !is_number(number) {
        return None;
    }
    let end = number.as_ptr() as usize - line.as_ptr() as usize + number.len();
    line.get(..end)
}

/// Whether this numbers an article: `5`, `5A`, `IV`, `A`.
fn is_number(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = text.get(digits..).unwrap_or_default();
    match digits {
        0 => {
            !text.is_empty()
                && text.len() <= 7
                && (text.bytes().all(|byte| b"IVXLCDM".contains(&byte))
                    || (text.len() == 1 && text.bytes().all(|byte| byte.is_ascii_uppercase())))
        }
        _ => rest.len() <= 2 && rest.bytes().all(|byte| byte.is_ascii_alphabetic()),
    }
}

/// The text itself, or windows over it that share some words.
fn windows(text: &str) -> Vec<&str> {
    let mut places: Vec<(usize, usize)> = Vec::new();
    for word in text.split_whitespace() {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        places.push((start, start + word.len()));
    }
    if places.len() <= WINDOW {
        return if text.is_empty() { Vec::new() } else { vec![text] };
    }
    let mut windows = Vec::new();
    let mut first = 0;
    loop {
        let some = places.get(first..places.len().min(first + WINDOW)).unwrap_or_default();
        let ([(start, _), ..], [.., (_, end)]) = (some, some) else { return windows };
        windows.extend(text.get(*start..*end));
        if first + WINDOW >= places.len() {
            return windows;
        }
        first += WINDOW - OVERLAP;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Headings in both languages; what is only cited begins nothing.
    #[test]
    fn a_text_is_cut_at_its_articles() {
        let text = "Peraturan tentang bea keluar\n\nBAB I\nKetentuan umum\nPasal 1\nBea keluar adalah pungutan,\nPasal 5 ayat (2) tetap berlaku.\nPasal 2A.\nTarif 7,5%.\nArticle 3: Scope\nAll goods.\nSection 4\nEnd.";
        let found: Vec<_> = pieces(text).into_iter().map(|piece| (piece.article, piece.text)).collect();
        assert_eq!(
            found,
            [
                (None, "Peraturan tentang bea keluar"),
                (Some("BAB I"), "BAB I\nKetentuan umum"),
                (Some("Pasal 1"), "Pasal 1\nBea keluar adalah pungutan,\nPasal 5 ayat (2) tetap berlaku."),
                (Some("Pasal 2A"), "Pasal 2A.\nTarif 7,5%."),
                (Some("Article 3"), "Article 3: Scope\nAll goods."),
                (Some("Section 4"), "Section 4\nEnd."),
            ]
        );
        assert_eq!(pieces(" \n "), []);
        assert_eq!(pieces("pasal ini tetap\nSection by section").len(), 1);
    }

    /// A long article is read in windows that share words, so that no sentence is cut in all of them.
    #[test]
    fn a_long_article_is_cut_into_windows_that_overlap() {
        let words: Vec<String> = (0..500).map(|n| format!("w{n}")).collect();
        let text = format!("Pasal 1\n{}\nPasal 2\nlast", words.join(" "));
        let found = pieces(&text);
        assert_eq!(found.len(), 4);
        let ends = |at: usize| {
            let words: Vec<_> = found[at].text.split_whitespace().collect();
            (words[0].to_owned(), words[words.len() - 1].to_owned(), words.len())
        };
        assert_eq!(ends(0), ("Pasal".to_owned(), "w217".to_owned(), WINDOW));
        assert_eq!(ends(1), ("w178".to_owned(), "w397".to_owned(), WINDOW));
        assert_eq!(ends(2).1, "w499");
        assert_eq!(found[2].article, Some("Pasal 1"));
        assert_eq!(found[3].text, "Pasal 2\nlast");
    }

    proptest! {
        /// No word is lost, none is made up, and no chunk holds another article.
        #[test]
        fn every_word_is_in_a_chunk_of_its_article(articles in prop::collection::vec(0_usize..700, 1..6)) {
            let mut text = String::new();
            for (at, count) in articles.iter().enumerate() {
                text.push_str(&format!("Pasal {}\n", at + 1));
                for word in 0..*count {
                    text.push_str(&format!("a{at}w{word}{}", if word % 9 == 0 { "\n" } else { " " }));
                }
                text.push('\n');
            }
            let pieces = pieces(&text);
            for (at, count) in articles.iter().enumerate() {
                let heading = format!("Pasal {}", at + 1);
                let own: Vec<_> = pieces.iter().filter(|piece| piece.article == Some(heading.as_str())).collect();
                for word in 0..*count {
                    let word = format!("a{at}w{word}");
                    prop_assert!(own.iter().any(|piece| piece.text.split_whitespace().any(|there| there == word)), "{}", word);
                }
                for piece in own {
                    prop_assert!(text.contains(piece.text));
                    let (mut words, prefix) = (piece.text.split_whitespace(), format!("a{at}w"));
                    prop_assert!(words.all(|word| !word.starts_with('a') || word.starts_with(&prefix)));
                    prop_assert!(piece.text.split_whitespace().count() <= WINDOW);
                }
            }
        }
    }
}

//! Tests of words.

use proptest::prelude::*;

use super::{Estimate, KnownWord, STOP_WORDS, Term, Vocabulary, search_words, words};

#[test]
fn a_text_is_cut_into_plain_words() {
    for (text, expected) in [
        ("", ""),
        (" -- ; ", ""),
        ("Cocoa beans; whole or broken", "cocoa bean whole broken"),
        ("Café, CRÈME brûlée", "cafe creme brulee"),
        ("biji-bijian", "biji bijian"),
        ("kupu-kupu dan rama-rama", "kupu rama"),
        ("berries cherries boxes tomatoes slices", "berry cherry box tomato slice"),
        ("glass gas asparagus chassis", "glass gas asparagus chassis"),
        ("harganya", "harga"),
        ("2 kg, 100%", "2 kg 100"),
        ("ﬁsh ½", "fish 1 2"),
        ("可可豆", "可可豆"),
    ] {
        assert_eq!(words(text).join(" "), expected, "{text}");
    }
    assert!(STOP_WORDS.is_sorted());
}

#[test]
fn stop_words_count_where_there_is_nothing_else() {
    assert_eq!(search_words("oil of the palm"), ["oil", "palm"]);
    assert_eq!(search_words("or"), ["or"]);
    assert_eq!(search_words("dan atau"), ["dan", "atau"]);
    assert!(search_words("'\"").is_empty());
}

/// A vocabulary of these words, each in one name.
fn vocabulary(words: impl IntoIterator<Item = impl Into<String>>) -> Vocabulary {
    let known = |word| KnownWord { word, in_titles: 1, in_names: 1 };
    Vocabulary::new(words.into_iter().map(Into::into).map(known).collect(), 1)
}

fn meant(word: &str) -> Term {
    let known = ["bean", "cashew", "chocolate", "cocoa", "coconut", "coffee", "fee", "oil", "palm", "rubber", "tea"];
    vocabulary(known).term(word.to_owned())
}

#[test]
fn misspelt_words_find_the_nearest() {
    for (word, expected) in [
        ("coco", Term::Known("coco".into())),
        ("coffee", Term::Known("coffee".into())),
        ("cofee", Term::Corrected(vec!["coffee".into()])),
        ("cofefe", Term::Corrected(vec!["coffee".into()])),
        ("ocffee", Term::Corrected(vec!["coffee".into()])),
        ("choclat", Term::Corrected(vec!["chocolate".into()])),
        ("chokolatte", Term::Corrected(vec!["chocolate".into()])),
        ("cocox", Term::Corrected(vec!["cocoa".into()])),
        ("cocoxu", Term::Corrected(vec!["coconut".into()])),
        ("rubbr", Term::Corrected(vec!["rubber".into()])),
        ("cpalm", Term::Corrected(vec!["palm".into()])),
        // Four letters are too few to guess, and three slips too many.
        ("teal", Term::Corrected(vec![])),
        ("xyzzy", Term::Corrected(vec![])),
    ] {
        assert_eq!(meant(word), expected, "{word}");
    }
}

/// Words of a search are taken for independent; of words that begin alike any will do.
#[test]
fn what_fits_is_estimated() {
    let known = |word: &str, in_titles, in_names| KnownWord { word: word.to_owned(), in_titles, in_names };
    let words = [known("oil", 100, 200), known("other", 500, 600), known("otter", 1, 2), known("palm", 20, 40)];
    let vocabulary = Vocabulary::new(words.to_vec(), 1_000);
    let estimate = |terms: &[Term]| {
        let Estimate { title, words, title_prefix, prefix, names } = vocabulary.estimate(terms);
        assert_eq!(names, 1_000);
        [title, words, title_prefix, prefix]
    };
    let term = |word: &str| Term::Known(word.to_owned());
    assert_eq!(estimate(&[]), [1_000; 4]);
    assert_eq!(estimate(&[term("other")]), [500, 600, 500, 600]);
    assert_eq!(estimate(&[term("ot")]), [0, 0, 501, 602]);
    assert_eq!(estimate(&[term("o")]), [0, 0, 601, 802]);
    assert_eq!(estimate(&[term("palm"), term("oil")]), [2, 8, 2, 8]);
    assert_eq!(estimate(&[term("palm"), term("zebra")]), [0; 4]);
    assert_eq!(estimate(&[Term::Corrected(vec!["otter".into(), "palm".into()])]), [21, 42, 21, 42]);
    assert_eq!(Vocabulary::default().estimate(&[term("palm")]), Estimate::default());
}

/// Every way to make one slip.
fn with_a_slip(word: &str, at: usize, letter: char, kind: u8) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    let at = at % letters.len();
    match kind {
        0 => letters.insert(at, letter),
        1 => drop(letters.remove(at)),
        2 => letters[at] = letter,
        _ => letters.swap(at, (at + 1).min(word.len() - 1)),
    }
    letters.into_iter().collect()
}

proptest! {
    /// One slip in a word of six letters or more, of which five are left, and the word is among those that may have been meant.
    #[test]
    fn one_slip_is_forgiven(
        words in prop::collection::vec("[a-e]{6,9}", 1..30),
        which: prop::sample::Index,
        at in 0usize..9,
        letter in prop::char::range('f', 'h'),
        kind in 0u8..4,
    ) {
        let word = which.get(&words).clone();
        let typed = with_a_slip(&word, at, letter, kind);
        let alone = vocabulary([word.clone()]);
        if !word.starts_with(&typed) {
            prop_assert_eq!(alone.term(typed.clone()), Term::Corrected(vec![word]));
        }
        let vocabulary = vocabulary(words);
        match vocabulary.term(typed.clone()) {
            Term::Known(known) => prop_assert!(vocabulary.words().any(|word| word.starts_with(&known))),
            // A word that is nearer still, or twenty by the alphabet that are as near, go first.
            Term::Corrected(near) => prop_assert!(!near.is_empty() && near.iter().all(|near| {
                vocabulary.words().any(|word| word == near) && (near.len().abs_diff(typed.len()) <= 1 || near.len() > typed.len())
            }), "{typed} finds {near:?}"),
        }
    }

    /// What a text was cut into is cut into the same again, or an index would have to be searched with other words.
    #[test]
    fn words_of_words_are_the_words(text in "\\PC{0,40}") {
        let once = words(&text);
        for word in &once {
            let again = words(word);
            prop_assert!(again.len() <= 1, "{word} -> {again:?}");
        }
    }
}

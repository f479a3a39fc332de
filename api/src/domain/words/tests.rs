//! Tests of words.

use proptest::prelude::*;

use super::{STOP_WORDS, Term, Vocabulary, search_words, words};

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

fn meant(word: &str) -> Term {
    let known = ["bean", "cashew", "chocolate", "cocoa", "coconut", "coffee", "fee", "oil", "palm", "rubber", "tea"];
    Vocabulary::new(known.map(str::to_owned).to_vec()).term(word.to_owned())
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
        let alone = Vocabulary::new(vec![word.clone()]);
        if !word.starts_with(&typed) {
            prop_assert_eq!(alone.term(typed.clone()), Term::Corrected(vec![word]));
        }
        let vocabulary = Vocabulary::new(words);
        match vocabulary.term(typed.clone()) {
            Term::Known(known) => prop_assert!(vocabulary.words().iter().any(|word| word.starts_with(&known))),
            // A word that is nearer still, or twenty by the alphabet that are as near, go first.
            Term::Corrected(near) => prop_assert!(!near.is_empty() && near.iter().all(|near| {
                vocabulary.words().contains(near) && (near.len().abs_diff(typed.len()) <= 1 || near.len() > typed.len())
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

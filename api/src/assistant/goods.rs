//! Which goods a question names, and by which code, by plain comparison of words.

use std::collections::BTreeSet;

use super::text;
use crate::loaders::assistant::Product;

/// Words that mean the same, in the languages that people ask in. The first is what they are compared as.
const SAME: [&[&str]; 10] = [
    &["cocoa", "kakao", "cacao", "cokelat", "coklat"],
    &["bean", "biji"],
    &["palm", "sawit"],
    &["oil", "minyak"],
    &["crude", "mentah"],
    &["gold", "emas", "ema"],
    &["resin", "getah"],
    &["pine", "pinu", "pinus"],
    &["bar", "batangan", "ingot"],
    &["minted", "cetak"],
];

/// Words that name goods of a rule on their own, as part of its name or not.
const NAMES: [(&str, &[&str]); 3] = [
    ("CPO", &["crude palm oil", "minyak sawit mentah", "minyak kelapa sawit mentah", "cpo"]),
    ("Cocoa beans", &["cocoa beans", "biji kakao"]),
    ("Pine resin (getah pinus)", &["pine resin", "getah pinus"]),
];

/// Words of names that tell no goods from others.
const COMMON: [&str; 16] = [
    "not",
    "etc",
    "unwrought",
    "pack",
    "branded",
    "kg",
    "25",
    "tidak",
    "lainnya",
    "fraction",
    "fraksinya",
    "other",
    "its",
    "such",
    "oil",
    "kelapa",
];

/// What a question names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// The goods of one rule.
    One(String),
    /// Perhaps one of these.
    Several(Vec<String>),
    /// None that is known.
    None,
}

/// The words of a text, each as it is compared here.
fn words(text: &str) -> Vec<String> {
    let one = |word: String| {
        let same = SAME.iter().find(|words| words.contains(&word.as_str()));
        same.and_then(|words| words.first()).map_or(word, |first| (*first).to_owned())
    };
    text::words(text).into_iter().map(one).collect()
}

/// The goods that a question names, out of those that rules name.
pub fn named(question: &str, products: &[Product]) -> Named {
    let asked: BTreeSet<String> = words(question).into_iter().collect();
    let mut best: Vec<&str> = Vec::new();
    let mut most = 0;
    for product in products {
        for name in names(product) {
            let wanted: BTreeSet<String> = words(&name).into_iter().collect();
            if wanted.is_empty() || !wanted.is_subset(&asked) || wanted.len() < most {
                continue;
            }
            if wanted.len() > most {
                most = wanted.len();
                best.clear();
            }
            if !best.contains(&product.name.as_str()) {
                best.push(&product.name);
            }
        }
    }
    match best.as_slice() {
        [one] => Named::One((*one).to_owned()),
        [] => match part(&asked, products) {
            several if several.is_empty() => Named::None,
            several => Named::Several(several),
        },
        several => Named::Several(several.iter().map(|name| (*name).to_owned()).collect()),
    }
}

/// The names by which people call the goods of a rule.
fn names(product: &Product) -> Vec<String> {
    let own = product.name.as_str();
    let mut names = vec![own.split('(').next().unwrap_or(own).replace("etc.", "")];
    if let Some(inside) = own.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|(inside, _)| inside)
        && !inside.starts_with("not ")
        && !inside.contains(char::is_numeric)
    {
        names.push(inside.to_owned());
    }
    let known = NAMES.iter().filter(|(name, _)| *name == own).flat_map(|(_, names)| *names);
    names.extend(known.map(|name| (*name).to_owned()));
    names
}

/// The goods of which a question has a word that tells something.
fn part(asked: &BTreeSet<String>, products: &[Product]) -> Vec<String> {
    let tells = |word: &String| !COMMON.contains(&word.as_str()) && !word.bytes().any(|byte| byte.is_ascii_digit());
    let has = |product: &&Product| {
        let codes = product.codes.iter().flat_map(|code| &code.names);
        let all = names(product).into_iter().chain(codes.cloned());
        let mut all = all.flat_map(|name| words(&name)).filter(tells);
        all.any(|word| asked.contains(&word) && ["cocoa", "palm", "gold", "resin", "olein"].contains(&word.as_str()))
    };
    products.iter().filter(has).map(|product| product.name.clone()).collect()
}

/// A commodity code in a question: digits with dots behind `HS`.
pub fn code(question: &str) -> Option<String> {
    let mut words = question.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let bare = word.trim_matches(|letter: char| !letter.is_alphanumeric()).to_lowercase();
        let next = if matches!(bare.as_str(), "hs" | "kode" | "code") { words.peek().copied() } else { None };
        let Some(next) = next else { continue };
        let digits: String = next.chars().filter(char::is_ascii_digit).collect();
        let written = next.trim_end_matches(|letter: char| !letter.is_ascii_digit());
        let plain = written.trim_start_matches('(').chars().all(|letter| letter.is_ascii_digit() || letter == '.');
        if plain && matches!(digits.len(), 4 | 6 | 8) {
            return Some(digits);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loaders::assistant::ProductCode;

    fn products() -> Vec<Product> {
        let product = |name: &str, codes: &[(&str, &str)]| Product {
            name: name.to_owned(),
            codes: codes
                .iter()
                .map(|(code, name)| ProductCode { code: (*code).to_owned(), names: vec![(*name).to_owned()] })
                .collect(),
        };
        vec![
            product("CPO", &[("15111000", "Crude palm oil (CPO)")]),
            product(
                "Cocoa beans",
                &[("18010010", "Cocoa beans, fermented"), ("18010090", "Cocoa beans, not fermented")],
            ),
            product("Gold dore", &[]),
            product("Gold minted bars", &[]),
            product("Gold ingots/cast bars (not dore)", &[]),
            product("Pine resin (getah pinus)", &[("13019090", "Other natural gums")]),
            product("RBD palm olein (branded pack <=25kg)", &[]),
        ]
    }

    #[test]
    fn goods_are_found_by_what_people_call_them() {
        let several = |names: &[&str]| Named::Several(names.iter().map(|name| (*name).to_owned()).collect());
        for (question, expected) in [
            ("20 tonnes of cocoa beans", Named::One("Cocoa beans".to_owned())),
            ("20 ton biji kakao bulan ini", Named::One("Cocoa beans".to_owned())),
            ("100 t of crude palm oil", Named::One("CPO".to_owned())),
            ("ekspor minyak kelapa sawit mentah", Named::One("CPO".to_owned())),
            ("bea keluar CPO", Named::One("CPO".to_owned())),
            ("getah pinus", Named::One("Pine resin (getah pinus)".to_owned())),
            ("RBD palm olein in branded packs", Named::One("RBD palm olein (branded pack <=25kg)".to_owned())),
            ("gold dore", Named::One("Gold dore".to_owned())),
            ("10 tonnes of cocoa", several(&["Cocoa beans"])),
            ("20 ton minyak sawit", several(&["CPO", "RBD palm olein (branded pack <=25kg)"])),
            ("3 kg of gold", several(&["Gold dore", "Gold minted bars", "Gold ingots/cast bars (not dore)"])),
            ("2 kg emas", several(&["Gold dore", "Gold minted bars", "Gold ingots/cast bars (not dore)"])),
            ("roasted coffee", Named::None),
        ] {
            assert_eq!(named(question, &products()), expected, "{question}");
        }
    }

    #[test]
    fn codes_stand_behind_their_name() {
        for (question, expected) in [
            ("cocoa (HS 1801.00.10) this month", Some("18010010")),
            ("under HS 1801?", Some("1801")),
            ("kode HS 1301.90.90.", Some("13019090")),
            ("HS codes of 2022", None),
            ("PMK 1801", None),
        ] {
            assert_eq!(code(question).as_deref(), expected, "{question}");
        }
    }
}

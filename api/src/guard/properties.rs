//! What holds of any document, compared with a second opinion: the parser's, or a walk that expands every fragment.

use async_graphql::Variables;
use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql_value::{ConstValue, Value};
use proptest::prelude::*;

use super::tests::{admit_with, guard_with};
use super::{Limits, text};
use crate::error::code;

/// Limits that refuse nothing but what is not measured.
const NONE: Limits = Limits {
    bytes: usize::MAX,
    tokens: usize::MAX,
    nesting: 100,
    operations: usize::MAX,
    depth: usize::MAX,
    fields: usize::MAX / 8,
    aliases: usize::MAX,
    directives: usize::MAX,
    cost: u64::MAX,
};

/// Pieces from which texts are made that are almost documents, with all that can hide a bracket.
const PIECES: [&str; 40] = [
    "{", "}", "[", "]", "(", ")", "{a", "(a:", "\"", "\"\"", "\"\"\"", "\\", "\\\"", "\\\"\"\"", "\\u0041", "#", "\n",
    "\r", "\u{feff}", "é", " ", ",", "a", "true", "null", "false", "0", "1", "-", ".", "e", "...", "on ", "A", "$a",
    ":", "@a", "query", "fragment", "!",
];

fn texts() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..60).prop_map(|pieces| pieces.concat())
}

/// The inside of an argument that the parser may take, between what makes a document of it.
fn values() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..16)
        .prop_map(|pieces| format!("{{a(a:[{}])}}", pieces.concat()))
}

proptest! {
    /// No text can make it panic, whatever is in it.
    #[test]
    fn no_text_panics(any in any::<String>(), pieces in texts()) {
        let guard = guard_with(Limits::default());
        for text in [any, pieces] {
            if let Ok(admitted) = guard.admit(&text, None, &Variables::default()) {
                prop_assert!((1..=20_000).contains(&admitted.cost));
            }
        }
    }

    /// Whatever the parser takes has no more tokens and no deeper brackets than were counted before.
    #[test]
    fn nothing_hides_from_the_count_of_tokens(text in prop_oneof![texts(), values()]) {
        if let (Ok(_), Ok(document)) = (text::check(&text, &NONE), async_graphql::parser::parse_query(&text)) {
            let parsed = Parsed::new(&document);
            let fewer = Limits { tokens: parsed.tokens - 1, ..NONE };
            prop_assert!(text::check(&text, &fewer).is_err(), "{} tokens in {text}", parsed.tokens);
            let flatter = Limits { nesting: parsed.nesting - 1, ..NONE };
            prop_assert!(text::check(&text, &flatter).is_err(), "{} levels in {text}", parsed.nesting);
        }
    }

    /// What is remembered of each fragment adds up to what is there once each is put in its place.
    #[test]
    fn fragments_are_counted_as_often_as_they_are_spread(bytes in prop::collection::vec(any::<u8>(), 10..200)) {
        let made = Made::new(&bytes);
        let naive = made.naive();
        prop_assume!(naive.fields < 20_000);
        let text = made.text(true);
        let exact = Limits {
            depth: naive.depth,
            fields: naive.fields,
            aliases: naive.aliases,
            directives: naive.directives,
            nesting: naive.levels.max(20),
            ..NONE
        };
        prop_assert_eq!(admit_with(exact, &text).map(|_| ()), Ok(()));
        let less = [
            Limits { depth: exact.depth - 1, ..exact },
            Limits { fields: exact.fields - 1, ..exact },
            Limits { aliases: exact.aliases.wrapping_sub(1), ..exact },
            Limits { directives: exact.directives.wrapping_sub(1), ..exact },
        ];
        for limits in less.into_iter().filter(|limits| limits.aliases != usize::MAX && limits.directives != usize::MAX) {
            let refused = admit_with(limits, &text).map(|_| ()).map_err(|refusal| refusal.code);
            prop_assert_eq!(refused, Err(code::TOO_COMPLEX));
        }
    }

    /// A fragment costs what it would cost written out; more fields, and more rows, never cost less.
    #[test]
    fn costs_add_up_and_only_grow(bytes in prop::collection::vec(any::<u8>(), 10..200), rows in 1..99_u32) {
        let made = Made::new(&bytes);
        prop_assume!(made.naive().fields < 2_000);
        let cost = |text: &str| admit_with(NONE, text).map(|admitted| (admitted.cost, admitted.public));
        let (text, inlined) = (made.text(true), made.text(false));
        let (spread, written) = (cost(&text), cost(&inlined));
        prop_assert!(spread.is_ok());
        prop_assert_eq!(spread, written);
        let with_rows = |rows: u32| cost(&text.replace("first: 3", &format!("first: {rows}"))).unwrap().0;
        prop_assert!(with_rows(rows) <= with_rows(rows + 1));
        let larger = text.replacen('{', "{ one_more: __typename", 1);
        prop_assert_eq!(cost(&larger).unwrap().0, cost(&text).unwrap().0 + 1);
    }
}

/// What the parser found in a document, at least.
struct Parsed {
    tokens: usize,
    nesting: usize,
}

impl Parsed {
    fn new(document: &ExecutableDocument) -> Self {
        let mut parsed = Self { tokens: 0, nesting: 1 };
        for (name, operation) in document.operations.iter() {
            parsed.tokens += usize::from(name.is_some());
            for definition in &operation.node.variable_definitions {
                parsed.tokens += 3;
                if let Some(default) = &definition.node.default_value {
                    parsed.constant(&default.node, 1);
                }
            }
            parsed.set(&operation.node.selection_set.node, 1);
        }
        for fragment in document.fragments.values() {
            parsed.tokens += 3;
            parsed.set(&fragment.node.selection_set.node, 1);
        }
        parsed
    }

    fn nest(&mut self, nesting: usize) {
        self.tokens += 2;
        self.nesting = self.nesting.max(nesting);
    }

    fn set(&mut self, set: &SelectionSet, nesting: usize) {
        if set.items.is_empty() {
            return;
        }
        self.nest(nesting);
        for selection in &set.items {
            for directive in selection.node.directives() {
                self.tokens += 2;
                directive.node.arguments.iter().for_each(|(_, value)| self.value(&value.node, nesting + 1));
            }
            match &selection.node {
                Selection::Field(field) => {
                    self.tokens += 1 + 2 * usize::from(field.node.alias.is_some());
                    for (_, value) in &field.node.arguments {
                        self.tokens += 2;
                        self.value(&value.node, nesting + 1);
                    }
                    self.set(&field.node.selection_set.node, nesting + 1);
                }
                Selection::FragmentSpread(_) => self.tokens += 2,
                Selection::InlineFragment(inline) => {
                    self.tokens += 1;
                    self.set(&inline.node.selection_set.node, nesting + 1);
                }
            }
        }
    }

    fn value(&mut self, value: &Value, nesting: usize) {
        match value {
            Value::List(items) => {
                self.nest(nesting + 1);
                items.iter().for_each(|item| self.value(item, nesting + 1));
            }
            Value::Object(fields) => {
                self.nest(nesting + 1);
                fields.values().for_each(|item| self.value(item, nesting + 1));
            }
            _ => self.tokens += 1,
        }
    }

    fn constant(&mut self, value: &ConstValue, nesting: usize) {
        self.value(&value.clone().into_value(), nesting);
    }
}

/// A document that fits the schema, made from bytes.
struct Made {
    root: Vec<Part>,
    /// Each leads only to those behind it.
    fragments: Vec<(&'static str, Vec<Part>)>,
}

enum Part {
    Field { text: String, is_aliased: bool, is_skipped: bool, below: Vec<Part> },
    Inline(&'static str, Vec<Part>),
    Spread(usize),
}

/// What a document has with its fragments put in.
#[derive(Default)]
struct Naive {
    fields: usize,
    aliases: usize,
    directives: usize,
    depth: usize,
    levels: usize,
}

/// The fields of a type: their text, and the type below them.
fn fields(on: &str) -> &'static [(&'static str, Option<&'static str>)] {
    match on {
        "Query" => &[
            ("payments(first: 3)", Some("PaymentConnection")),
            ("payments", Some("PaymentConnection")),
            ("nodes(ids: [\"a\", \"b\"])", Some("Node")),
            ("currencies", Some("Currency")),
            ("currencyRate(base: \"EUR\", quote: \"IDR\", date: \"2026-01-02\")", Some("RateResult")),
        ],
        "PaymentConnection" => &[("nodes", Some("Payment")), ("edges", Some("PaymentEdge")), ("totalCount", None)],
        "PaymentEdge" => &[("node", Some("Payment")), ("cursor", None)],
        "Payment" => {
            &[("installments(first: 3)", Some("InstallmentConnection")), ("lines", Some("PaymentLine")), ("id", None)]
        }
        "InstallmentConnection" => &[("nodes", Some("Installment")), ("totalCount", None)],
        "Installment" => &[("payment", Some("Payment")), ("id", None)],
        "Currency" => &[("code", None), ("name(locale: \"en\")", None)],
        _ => &[("__typename", None)],
    }
}

const ON: [&str; 5] = ["Query", "PaymentConnection", "Payment", "Installment", "Currency"];

impl Made {
    fn new(bytes: &[u8]) -> Self {
        let mut bytes = bytes.iter().copied();
        let fragments: Vec<_> = ON.iter().enumerate().map(|(n, on)| (*on, parts(on, n + 1, 3, &mut bytes))).collect();
        Self { root: parts("Query", 0, 5, &mut bytes), fragments }
    }

    fn text(&self, spread: bool) -> String {
        let mut text = format!("query {{ {} }}", self.parts(&self.root, spread));
        for (n, (on, body)) in self.fragments.iter().enumerate().filter(|_| spread) {
            text += &format!(" fragment f{n} on {on} {{ {} }}", self.parts(body, spread));
        }
        text
    }

    fn parts(&self, parts: &[Part], spread: bool) -> String {
        let texts = parts.iter().map(|part| match part {
            Part::Field { text, is_aliased, is_skipped, below } => {
                let alias = if *is_aliased { "other: " } else { "" };
                let directive = if *is_skipped { " @skip(if: false)" } else { "" };
                let below = match below.as_slice() {
                    [] => String::new(),
                    below => format!(" {{ {} }}", self.parts(below, spread)),
                };
                format!("{alias}{text}{directive}{below}")
            }
            Part::Inline(on, below) => format!("... on {on} {{ {} }}", self.parts(below, spread)),
            Part::Spread(n) if spread => format!("...f{n}"),
            Part::Spread(n) => {
                let (on, body) = &self.fragments[*n];
                format!("... on {on} {{ {} }}", self.parts(body, spread))
            }
        });
        texts.collect::<Vec<_>>().join(" ")
    }

    fn naive(&self) -> Naive {
        let mut largest = Naive::default();
        for body in self.fragments.iter().map(|(_, body)| body).chain([&self.root]) {
            let mut naive = Naive::default();
            self.count(body, 1, 1, &mut naive);
            largest.fields = largest.fields.max(naive.fields);
            largest.aliases = largest.aliases.max(naive.aliases);
            largest.directives = largest.directives.max(naive.directives);
            largest.depth = largest.depth.max(naive.depth);
            largest.levels = largest.levels.max(naive.levels);
        }
        largest
    }

    fn count(&self, parts: &[Part], depth: usize, levels: usize, naive: &mut Naive) {
        naive.levels = naive.levels.max(levels);
        for part in parts {
            naive.fields += 1;
            if naive.fields > 50_000 {
                return;
            }
            match part {
                Part::Field { is_aliased, is_skipped, below, .. } => {
                    naive.aliases += usize::from(*is_aliased);
                    naive.directives += usize::from(*is_skipped);
                    naive.depth = naive.depth.max(depth);
                    if !below.is_empty() {
                        self.count(below, depth + 1, levels + 1, naive);
                    }
                }
                Part::Inline(_, below) => self.count(below, depth, levels + 1, naive),
                Part::Spread(n) => self.count(&self.fragments[*n].1, depth, levels + 1, naive),
            }
        }
    }
}

/// Selections on a type, with fragments from `first` on. When the bytes are at their end, so are the selections.
fn parts(on: &'static str, first: usize, budget: usize, bytes: &mut impl Iterator<Item = u8>) -> Vec<Part> {
    let mut next = || usize::from(bytes.next().unwrap_or(0));
    let choices: Vec<_> = (0..1 + next() % 3).map(|_| (next(), next())).collect();
    let part = |(kind, which): (usize, usize)| match kind % 8 {
        0 if first + which % 5 < ON.len() => Part::Spread(first + which % 5),
        1 if budget > 0 => Part::Inline(ON[which % 5], parts(ON[which % 5], first, budget - 1, bytes)),
        _ => {
            let fields = fields(on);
            let (text, below) = fields[which % fields.len()];
            let below = match below {
                Some(_) if budget == 0 => {
                    vec![Part::Field { text: "__typename".into(), is_aliased: false, is_skipped: false, below: vec![] }]
                }
                Some(below) => parts(below, first, budget - 1, bytes),
                None => vec![],
            };
            Part::Field { text: text.to_owned(), is_aliased: which > 200, is_skipped: kind > 200, below }
        }
    };
    choices.into_iter().map(part).collect()
}

//! Any text, through the guard: it must not panic, not take long, and admit nothing beyond the limits.
//!
//! The first byte of the input chooses the limits, the operation and the variables; the rest is the document.

#![no_main]
#![allow(dead_code, reason = "of the guard only `admit` is called")]

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use async_graphql::parser::types::{FragmentDefinition, Selection, SelectionSet};
use async_graphql::{Name, Positioned, Variables};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::json;

use guard::{Guard, Limits};

// The guard alone, so that the rest of the server need not be built.
#[path = "../../api/src/guard/mod.rs"]
mod guard;

// What it keeps parsed documents in.
#[path = "../../api/src/bounded.rs"]
mod bounded;

/// What the guard takes from the server.
mod error {
    pub mod code {
        pub const PARSE_FAILED: &str = "GRAPHQL_PARSE_FAILED";
        pub const VALIDATION_FAILED: &str = "GRAPHQL_VALIDATION_FAILED";
        pub const TOO_COMPLEX: &str = "OPERATION_TOO_COMPLEX";
        pub const INTROSPECTION_DISABLED: &str = "INTROSPECTION_DISABLED";
    }
}

/// The parsers of scalars are not the guard's.
mod graphql {
    pub mod scalars {
        #[derive(Debug)]
        pub struct Refused {
            pub code: &'static str,
            pub message: String,
        }

        pub type Check = fn(&async_graphql::Value) -> Result<(), Refused>;

        pub fn check_of(_: &str) -> Option<Check> {
            None
        }
    }
}

const SDL: &str = include_str!("../../schema.graphql");

/// Far more than a document of the largest size takes, on a machine that does other things beside.
const LONGEST: Duration = Duration::from_secs(5);

fn small() -> Limits {
    Limits {
        tokens: 300,
        nesting: 10,
        operations: 2,
        depth: 4,
        fields: 20,
        aliases: 2,
        directives: 2,
        cost: 500,
        ..Limits::default()
    }
}

static GUARDS: LazyLock<[Guard; 2]> =
    LazyLock::new(|| [Limits::default(), small()].map(|limits| Guard::new(limits, SDL, 100, true).expect("a schema")));

static VARIABLES: LazyLock<[Variables; 2]> = LazyLock::new(|| {
    let values = json!({"a": 3, "b": [1, 2, {"c": "x"}], "c": null, "d": "2026-01-01", "e": {"and": [{}, {}]}});
    [Variables::default(), Variables::from_json(values)]
});

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some((&choice, text)) = data.split_first() else { return Corpus::Reject };
    let Ok(text) = std::str::from_utf8(text) else { return Corpus::Reject };
    let choose = |bit: u8| usize::from(choice >> bit & 1);
    let limits = [Limits::default(), small()][choose(0)];
    let name = (choose(2) == 1).then_some("a");
    let (guard, variables) = (&GUARDS[choose(0)], &VARIABLES[choose(1)]);
    let started = Instant::now();
    let result = guard.admit(text, name, variables);
    assert!(started.elapsed() < LONGEST, "{:?}", started.elapsed());
    let Ok(admitted) = result else { return Corpus::Keep };
    assert!(text.len() <= limits.bytes);
    assert!((1..=limits.cost).contains(&admitted.cost), "cost {}", admitted.cost);
    assert!(admitted.document.operations.iter().len() <= limits.operations);
    for (_, operation) in admitted.document.operations.iter() {
        let mut count = Count { fragments: &admitted.document.fragments, fields: 0, aliases: 0, depth: 0 };
        // Whatever is too large stops here, so that a guard that failed costs no memory.
        count.set(&operation.node.selection_set.node, 1, 1, &limits);
        assert!(count.aliases <= limits.aliases && count.depth <= limits.depth);
    }
    Corpus::Keep
});

/// Counts as the engine would walk: each fragment as often as it is spread.
struct Count<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    fields: usize,
    aliases: usize,
    depth: usize,
}

impl Count<'_> {
    fn set(&mut self, set: &SelectionSet, depth: usize, levels: usize, limits: &Limits) {
        assert!(levels <= limits.nesting);
        for selection in &set.items {
            self.fields += 1;
            assert!(self.fields <= limits.fields);
            match &selection.node {
                Selection::Field(field) => {
                    self.aliases += usize::from(field.node.alias.is_some());
                    self.depth = self.depth.max(depth);
                    if !field.node.selection_set.node.items.is_empty() {
                        self.set(&field.node.selection_set.node, depth + 1, levels + 1, limits);
                    }
                }
                Selection::InlineFragment(inline) => {
                    self.set(&inline.node.selection_set.node, depth, levels + 1, limits);
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.fragments.get(&spread.node.fragment_name.node) {
                        self.set(&fragment.node.selection_set.node, depth, levels + 1, limits);
                    }
                }
            }
        }
    }
}

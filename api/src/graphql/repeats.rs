//! Whether a document selects a field twice in one place.
//!
//! It may, directly or through fragments: the answer holds one field with all that was selected of it. The engine puts
//! such fields together once they are resolved, which it cannot do with JSON that is written already.

use std::collections::HashMap;

use async_graphql::Name;
use async_graphql::Positioned;
use async_graphql::parser::types::{ExecutableDocument, FragmentDefinition, Selection, SelectionSet};

/// What of a document is selected more than once in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Repeats {
    /// Nothing.
    Nothing,
    /// Only fields without fields: whatever is written first is all there is.
    Leaves,
    /// Fields with fields, which have to be put together.
    Objects,
}

impl Repeats {
    /// What a document repeats. Fragments on different types are taken for fragments on one. The work is bounded by what
    /// the guard lets pass.
    pub fn of(document: &ExecutableDocument) -> Self {
        let mut found = Self::Nothing;
        let fragments = &document.fragments;
        let operations = document.operations.iter().map(|(_, operation)| &operation.node.selection_set.node);
        let definitions = fragments.values().map(|fragment| &fragment.node.selection_set.node);
        for set in operations.chain(definitions) {
            Self::look(set, fragments, &mut found);
        }
        found
    }

    fn look(set: &SelectionSet, fragments: &HashMap<Name, Positioned<FragmentDefinition>>, found: &mut Self) {
        if *found == Self::Objects {
            return;
        }
        let mut seen = Vec::with_capacity(set.items.len());
        gather(set, fragments, 0, &mut |key, is_object| match seen.iter().find(|(before, _)| *before == key) {
            Some((_, was_object)) if is_object || *was_object => *found = Self::Objects,
            Some(_) => *found = (*found).max(Self::Leaves),
            None => seen.push((key, is_object)),
        });
        for item in &set.items {
            Self::below(&item.node, fragments, found);
        }
    }

    fn below(item: &Selection, fragments: &HashMap<Name, Positioned<FragmentDefinition>>, found: &mut Self) {
        match item {
            Selection::Field(field) => Self::look(&field.node.selection_set.node, fragments, found),
            // Its own fields were gathered with those around it; what is below them was not looked at.
            Selection::InlineFragment(inline) => {
                for item in &inline.node.selection_set.node.items {
                    Self::below(&item.node, fragments, found);
                }
            }
            // Each definition is looked at once.
            Selection::FragmentSpread(_) => {}
        }
    }
}

/// Deeper than any document that passes the guard.
const DEEPEST: usize = 200;

/// Tells of all fields of one place, those of fragments too, with what they are called in the answer.
fn gather<'a>(
    set: &'a SelectionSet,
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    depth: usize,
    tell: &mut impl FnMut(&'a str, bool),
) {
    if depth > DEEPEST {
        return;
    }
    for item in &set.items {
        match &item.node {
            Selection::Field(field) => {
                tell(field.node.response_key().node.as_str(), !field.node.selection_set.node.items.is_empty());
            }
            Selection::InlineFragment(inline) => {
                gather(&inline.node.selection_set.node, fragments, depth + 1, tell);
            }
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = fragments.get(&spread.node.fragment_name.node) {
                    gather(&fragment.node.selection_set.node, fragments, depth + 1, tell);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    #[test]
    fn repeated_fields_are_found_through_fragments() {
        let fragments = "fragment A on T { id b { c } } fragment B on T { ...A d } fragment C on T { d }";
        for (operation, expected) in [
            ("{ a b { c } d: a }", Repeats::Nothing),
            ("{ a a }", Repeats::Leaves),
            ("{ b { c } b { c } }", Repeats::Objects),
            ("{ x: b { c } y: b { c } }", Repeats::Nothing),
            ("{ id ...A }", Repeats::Leaves),
            ("{ ...C ...B }", Repeats::Leaves),
            ("{ b { c } ...B }", Repeats::Objects),
            ("{ f { ... on T { id b { c } } ... on U { e } } }", Repeats::Nothing),
            ("{ f { ... on T { b { c } } ... on U { b { d } } } }", Repeats::Objects),
            ("{ f { ... { g { h h } } } }", Repeats::Leaves),
            ("{ f { ... { g { h { i } ... { h { i } } } } } }", Repeats::Objects),
            ("{ ...A ...A }", Repeats::Objects),
        ] {
            let document = parse_query(format!("{operation} {fragments}")).unwrap();
            assert_eq!(Repeats::of(&document), expected, "{operation}");
        }
        let inside = parse_query("{ ...A } fragment A on T { f { b { c } ... on T { b { d } } } }").unwrap();
        assert_eq!(Repeats::of(&inside), Repeats::Objects);
    }
}

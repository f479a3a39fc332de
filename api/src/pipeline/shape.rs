//! What variables look like, without what they say: names, types and the lengths of lists.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{Name, Value, Variables};

/// Bytes of a shape at the most.
const MAX_SHAPE: usize = 1_000;

/// Letters of a name at the most.
const MAX_NAME: usize = 64;

/// The shape of the variables that the document has, such as `{first: number, ids: [string; 20]}`; `None` where there
/// are none. Of a list it has the first item. It costs no more than it is long, whatever the variables hold.
pub(super) fn shape(variables: &Variables, document: &ExecutableDocument) -> Option<String> {
    // A client may send variables of any name beside those, and any number of them.
    let definitions = document.operations.iter().flat_map(|(_, operation)| &operation.node.variable_definitions);
    let declared: BTreeSet<&Name> = definitions.map(|definition| &definition.node.name.node).collect();
    let known = declared.into_iter().filter_map(|name| Some((name.as_str(), variables.get(name)?)));
    let mut text = String::new();
    write_object(known, &mut text);
    if text.len() > MAX_SHAPE {
        text.truncate(text.floor_char_boundary(MAX_SHAPE));
        text.push('…');
    }
    (text != "{}").then_some(text)
}

fn write_object<'a>(members: impl Iterator<Item = (&'a str, &'a Value)>, text: &mut String) {
    text.push('{');
    let mut between = "";
    for (name, member) in members {
        if text.len() > MAX_SHAPE {
            return;
        }
        text.push_str(between);
        text.push_str(name_of(name));
        text.push_str(": ");
        write_value(member, text);
        between = ", ";
    }
    text.push('}');
}

fn write_value(value: &Value, text: &mut String) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Number(_) => text.push_str("number"),
        Value::String(_) => text.push_str("string"),
        Value::Boolean(_) => text.push_str("boolean"),
        Value::Binary(_) => text.push_str("binary"),
        Value::Enum(_) => text.push_str("enum"),
        Value::List(items) => match items.first() {
            None => text.push_str("[]"),
            Some(first) => {
                text.push('[');
                write_value(first, text);
                // Writing to a text does not fail.
                let _ = write!(text, "; {}]", items.len());
            }
        },
        Value::Object(members) => write_object(members.iter().map(|(name, member)| (name.as_str(), member)), text),
    }
}

/// A name of GraphQL. Members are not compared with the schema yet, and what is no name may be anything.
fn name_of(name: &str) -> &str {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_name = name.len() <= MAX_NAME && name.bytes().all(letter);
    if is_name && name.starts_with(|first: char| !first.is_ascii_digit()) { name } else { "?" }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shape_of(declared: &str, variables: serde_json::Value) -> Option<String> {
        let document = async_graphql::parser::parse_query(format!("query Q({declared}) {{ a }}")).unwrap();
        shape(&Variables::from_json(variables), &document)
    }

    /// An operator sees how much was asked for, and nothing of what it was.
    #[test]
    fn a_shape_has_names_types_and_lengths() {
        let variables = json!({
            "first": 20,
            "where": {"open": true, "payer": null, "status": {"eq": "PAID"}},
            "ids": ["secret-1", "secret-2"],
            "lines": [{"amount": "1.00"}],
            "none": [],
        });
        let shape = shape_of("$first: Int, $where: W, $ids: [ID!], $lines: [L], $none: [ID!]", variables);
        let expected = "{first: number, ids: [string; 2], lines: [{amount: string}; 1], none: [], \
            where: {open: boolean, payer: null, status: {eq: string}}}";
        assert_eq!(shape.as_deref(), Some(expected));
        assert_eq!(shape_of("$a: Int", json!({})), None);
    }

    /// What stands in the place of a name may be anything, so that it is not repeated.
    #[test]
    fn only_names_are_repeated() {
        let variables =
            json!({"a": {"budi@example.org": 1, "": 2, "081234567890": 3}, "other": "x", "budi@example.org": 3});
        assert_eq!(shape_of("$a: A", variables).as_deref(), Some("{a: {?: number, ?: number, ?: number}}"));
    }

    /// A shape fits into a line of the log, and is made in no time.
    #[test]
    fn a_shape_is_bounded() {
        let many: serde_json::Map<_, _> = (0..10_000).map(|at| (format!("member{at}"), json!(at))).collect();
        let shape = shape_of("$a: A", json!({"a": many})).unwrap();
        assert!(shape.len() <= MAX_SHAPE + '…'.len_utf8() && shape.ends_with('…'), "{shape}");
        let mut deep = json!(1);
        for _ in 0..100 {
            deep = json!([{ "member": deep }]);
        }
        let shape = shape_of("$a: A", json!({"a": deep})).unwrap();
        assert!(shape.len() <= MAX_SHAPE + '…'.len_utf8(), "{shape}");
    }
}

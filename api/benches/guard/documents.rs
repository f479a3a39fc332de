//! Documents that are as bad as the guard lets them be: each makes one part of the parser or of the engine's
//! validation do the most work that its limits leave. None of them runs; each has something that does not fit.

use std::fmt::Write;

use serde_json::{Value, json};

/// A document, and the variables that go with it.
pub(crate) struct Worst {
    /// What it is bad at.
    pub(crate) name: &'static str,
    /// Its text.
    pub(crate) text: String,
    /// Its variables.
    pub(crate) variables: Value,
}

/// All of them, for the default limits.
pub(crate) fn worst() -> Vec<Worst> {
    let document = |name, text| Worst { name, text, variables: json!({}) };
    vec![
        document("fields that do not exist", format!("{{ {} }}", "colour ".repeat(990))),
        document("long fields that do not exist", format!("{{ {} }}", long_names(255))),
        document("a field beside itself with other arguments", arguments()),
        document("fragments in a chain, compared at each level", chain(17, 430)),
        document("a fragment with conflicts in many places", places(70, 25)),
        document("doubled spreads", format!("{{ ...f0 }} {}", doubled(8))),
        document("ten operations over the same fragments", ten_operations()),
        document("variables that are not defined", undefined_variables()),
        document("variables in many places", used_variables()),
        document("a block string of 64 KB", format!("{{ colour(a: \"\"\"{}\"\"\") }}", "\\\"\"\" ".repeat(13_000))),
        document("a string of 64 KB", format!("{{ colour(a: \"{}\") }}", "\\u0041".repeat(10_900))),
        document("a comment of 64 KB", format!("{{ colour #{}\n}}", "#".repeat(65_000))),
        document("space in many places", format!("{{ {} }}", format!("colour{}", " ,\t\n".repeat(160)).repeat(100))),
        document("nested conditions", nested_conditions()),
        document("a list of a thousand", format!("{{ nodes(ids: [{}]) {{ colour }} }}", "0 ".repeat(980))),
        Worst {
            name: "a long variable in two places",
            text: "query ($v: [ID!]!) { nodes(ids: [$v, $v]) { colour } }".to_owned(),
            variables: json!({"v": vec!["x"; 49_000]}),
        },
        Worst {
            name: "a long variable that is no filter",
            text: "query ($v: PaymentWhere) { payments(where: $v) { colour } }".to_owned(),
            variables: json!({"v": {"and": vec![json!({"colour": 1}); 20_000]}}),
        },
        Worst {
            name: "a long variable of days",
            text: "query ($v: PaymentWhere) { payments(where: $v) { colour } }".to_owned(),
            variables: json!({"v": {"and": vec![json!({"overdueAsOf": "2026-10-31"}); 20_000]}}),
        },
    ]
}

/// Names of this length, as many as fit.
fn long_names(length: usize) -> String {
    (0..65_000 / (length + 1)).fold(String::new(), |mut text, n| {
        write!(text, "x{n:0>width$} ", width = length - 1).unwrap_or_default();
        text
    })
}

fn arguments() -> String {
    let all = "payments(first: 1, after: \"2\", last: 3, before: \"4\", where: {colour: 5}, orderBy: {colour: 6})";
    format!("{{ {all} {} }}", "payments ".repeat(960))
}

/// `count` fragments, each with the next and the last with `fields` fields that exclude each other.
fn chain(count: usize, fields: usize) -> String {
    let mut text = "{ ...f0 }".to_owned();
    for n in 1..count {
        write!(text, " fragment f{} on Query {{ ...f{n} }}", n - 1).unwrap_or_default();
    }
    let conflict = "node(id: 1) ".to_owned() + &"node ".repeat(fields - 1);
    write!(text, " fragment f{} on Query {{ {conflict} }}", count - 1).unwrap_or_default();
    text
}

/// One fragment in `count` places.
fn places(count: usize, fields: usize) -> String {
    let conflict = "colour(a: 1) ".to_owned() + &"colour ".repeat(fields - 1);
    format!("{{ {} }} fragment f on Viewer {{ {conflict} }}", "viewer { ...f } ".repeat(count))
}

/// A fragment with the next one twice, so many times over.
fn doubled(levels: usize) -> String {
    let fragments = (0..levels).fold(String::new(), |mut text, n| {
        write!(text, "fragment f{n} on Query {{ ...f{0} ...f{0} }} ", n + 1).unwrap_or_default();
        text
    });
    format!("{fragments} fragment f{levels} on Query {{ colour node node node node }}")
}

fn ten_operations() -> String {
    let operations = (0..10).fold(String::new(), |mut text, n| {
        write!(text, "query o{n} {{ ...f0 }} ").unwrap_or_default();
        text
    });
    operations + &doubled(6)
}

fn undefined_variables() -> String {
    let operations = (0..10).fold(String::new(), |mut text, n| {
        write!(text, "query o{n} {{ ...f }} ").unwrap_or_default();
        text
    });
    let uses = (0..110).fold(String::new(), |mut text, n| {
        write!(text, "node(id: $v{n}) ").unwrap_or_default();
        text
    });
    format!("{operations} fragment f on Query {{ {uses} }}")
}

fn used_variables() -> String {
    let definitions = (0..110).fold(String::new(), |mut text, n| {
        write!(text, "$v{n}: Int ").unwrap_or_default();
        text
    });
    let uses = (0..110).fold(String::new(), |mut text, n| {
        write!(text, "$v{n} ").unwrap_or_default();
        text
    });
    format!("query ({definitions}) {{ nodes(ids: [{uses} {uses}]) {{ colour }} }}")
}

fn nested_conditions() -> String {
    let (open, close) = ("{and: [".repeat(18), "]}".repeat(18));
    format!("{{ payments(where: {open}{{colour: 1}}{close}) {{ colour }} }}")
}

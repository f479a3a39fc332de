//! Each limit at its edge, and what the guard says of documents that people send.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use async_graphql::Variables;
use serde_json::json;

use super::{Admitted, Guard, Limits, Refusal};
use crate::error::code;

const INTROSPECTION: &str = include_str!("introspection.graphql");

#[path = "../../benches/guard/documents.rs"]
mod documents;

/// Reading the schema takes longer than all else in here.
static GUARD: LazyLock<Guard> =
    LazyLock::new(|| Guard::new(Limits::default(), &crate::graphql::sdl(false), 100, true).unwrap());

pub(super) fn guard_with(limits: Limits) -> Guard {
    Guard { limits, ..GUARD.clone() }
}

pub(super) fn admit_with(limits: Limits, text: &str) -> Result<Admitted, Refusal> {
    guard_with(limits).admit(text, None, &Variables::default())
}

fn admit(text: &str) -> Result<Admitted, Refusal> {
    admit_with(Limits::default(), text)
}

/// The code of the refusal, and its words.
fn refusal(text: &str) -> (&'static str, String) {
    let refusal = admit(text).unwrap_err();
    (refusal.code, refusal.message)
}

#[track_caller]
fn assert_too_complex(limits: Limits, text: &str, words: &str) {
    let refusal = admit_with(limits, text).unwrap_err();
    assert_eq!((refusal.code, refusal.message.as_str()), (code::TOO_COMPLEX, words));
}

/// A fragment that has the next one twice, `levels` times over.
fn doubled(levels: usize, leaf: &str) -> String {
    let fragments = (0..levels).map(|n| format!("fragment f{n} on Query {{ ...f{0} ...f{0} }} ", n + 1));
    format!("{{ ...f0 }} {} fragment f{levels} on Query {{ {leaf} }}", fragments.collect::<String>())
}

/// Levels of fields are counted through fragments, and fragments are no level.
#[test]
fn depth_has_a_limit() {
    let limits = Limits { depth: 3, ..Limits::default() };
    for fits in ["{ a { b { c } } }", "{ a { ...f } } fragment f on A { b { ... { c } } }", "{ ... { ... { a } } }"] {
        assert!(admit_with(limits, fits).is_ok(), "{fits}");
    }
    let words = "there are 4 levels of fields; at most 3 may be asked for";
    assert_too_complex(limits, "{ a { b { c { d } } } }", words);
    assert_too_complex(limits, "{ a { ...f } } fragment f on A { b { ... { c { d } } } }", words);
    assert_too_complex(limits, "{ a } fragment f on A { a { b { c { d } } } }", words);
}

/// Fields and fragments count each time they are spread, in the operations that do not run too.
#[test]
fn fields_have_a_limit() {
    let limits = Limits { fields: 6, ..Limits::default() };
    for fits in ["{ a b c d e f }", "{ ...f ...f } fragment f on A { a b }", "{ a { b { c { d { e { f } } } } } }"] {
        assert!(admit_with(limits, fits).is_ok(), "{fits}");
    }
    let words = "there are 7 fields and fragments, each counted as often as it is spread; at most 6 may be asked for";
    assert_too_complex(limits, "{ a b c d e f g }", words);
    assert_too_complex(limits, "{ ...f ...f g } fragment f on A { a b }", words);
    assert_too_complex(limits, "{ a } fragment f on A { a b c d e f g }", words);
    let named = guard_with(limits).admit("query a { a } query b { a b c d e f g }", Some("a"), &Variables::default());
    assert_eq!(named.unwrap_err().message, words);
    // A spread that leads nowhere is still walked to.
    assert_eq!(admit(&doubled(22, "...nothing")).unwrap_err().code, code::TOO_COMPLEX);
}

/// Aliases are what makes one field many.
#[test]
fn aliases_have_a_limit() {
    let limits = Limits { aliases: 4, ..Limits::default() };
    assert!(admit_with(limits, "{ ...f ...f } fragment f on A { a: b c: d }").is_ok());
    let words = "there are 5 aliases; at most 4 may be asked for";
    assert_too_complex(limits, "{ e: f ...f ...f } fragment f on A { a: b c: d }", words);
}

/// Directives count wherever they stand.
#[test]
fn directives_have_a_limit() {
    let limits = Limits { directives: 6, ..Limits::default() };
    let text = "query ($v: Int @a) @b { ...f @c ... @d { a @e } } fragment f on A @f { a }";
    assert!(admit_with(limits, text).is_ok());
    let words = "there are 7 directives; at most 6 may be asked for";
    assert_too_complex(limits, &text.replace("@e", "@e @g"), words);
}

#[test]
fn operations_have_a_limit() {
    let operations = |count| (0..count).map(|n| format!("query o{n} {{ a }} ")).collect::<String>();
    let admit = |text: &str| guard_with(Limits::default()).admit(text, Some("o0"), &Variables::default());
    assert!(admit(&operations(10)).is_ok());
    assert_eq!(admit(&operations(11)).unwrap_err().message, "there are 11 operations; at most 10 may be asked for");
}

/// The engine recurses through fragments as it does through braces.
#[test]
fn levels_through_fragments_have_a_limit() {
    let limits = Limits { nesting: 4, ..Limits::default() };
    let chain = "{ ...a } fragment a on A { ...b } fragment b on A { ...c } fragment c on A { d }";
    assert!(admit_with(limits, chain).is_ok());
    let words = "there are 5 levels of braces, fragments put in; at most 4 may be asked for";
    for longer in ["{ ... { ...a } }", "{ d { ...a } }", "{ d } fragment z on A { ... { ...a } }"] {
        assert_too_complex(limits, &chain.replace("{ ...a }", longer), words);
    }
}

/// Each cost has a limit, and names it.
#[test]
fn cost_has_a_limit() {
    let text = "{ payments(first: 10) { nodes { id } } }";
    assert_eq!(admit(text).unwrap().cost, 12);
    assert!(admit_with(Limits { cost: 12, ..Limits::default() }, text).is_ok());
    let words = "there are 12 points of cost; at most 11 may be asked for";
    assert_too_complex(Limits { cost: 11, ..Limits::default() }, text, words);
}

/// What grows twofold with each line is measured as fast as it is read.
#[test]
fn doubled_spreads_are_counted_and_not_walked() {
    for levels in [22, 60] {
        let text = doubled(levels, "viewer { account }");
        let guard = guard_with(Limits { nesting: 200, tokens: 10_000, ..Limits::default() });
        let started = Instant::now();
        let refusal = guard.admit(&text, None, &Variables::default()).unwrap_err();
        let took = started.elapsed();
        assert_eq!(refusal.code, code::TOO_COMPLEX, "{levels}: {}", refusal.message);
        assert!(took < Duration::from_secs(1), "{levels}: {took:?}");
    }
}

/// A fragment that leads back to itself has no size.
#[test]
fn cycles_are_refused() {
    for text in [
        "{ ...a } fragment a on Query { ...a }",
        "{ ...a } fragment a on Query { viewer { ...a } }",
        "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }",
        "{ ...a } fragment a on Query { ...b } fragment b on Query { ...c } fragment c on Query { ... { ...a } }",
        "{ viewer { account } } fragment a on Query { ...a ...a }",
    ] {
        let (code, message) = refusal(text);
        assert_eq!(code, code::VALIDATION_FAILED, "{text}");
        assert!(message.contains("leads back to itself"), "{message}");
    }
}

/// What explorers of the schema send passes the defaults, and costs little.
#[test]
fn the_standard_introspection_query_passes() {
    let admitted = admit(INTROSPECTION).unwrap();
    assert!(admitted.cost < 400, "{}", admitted.cost);
    assert!(admitted.public);
}

/// Lists in lists of the schema's types grow as data does, and have nobody to page them.
#[test]
fn introspection_in_introspection_has_a_limit() {
    assert!(admit("{ __schema { types { fields { type { fields { name } } } } } }").is_ok());
    let deep = format!("{{ __schema {{ types {{ {} name {} }} }} }}", "fields { type { ".repeat(6), "} } ".repeat(6));
    let wide = "{ __schema { types { ...a } } } fragment a on __Type { ".to_owned()
        + &(0..30).map(|n| format!("a{n}: fields {{ type {{ ...b }} }} ")).collect::<String>()
        + "} fragment b on __Type { fields { name type { kind fields { name type { name } } } } }";
    for text in [deep, wide] {
        let (code, message) = refusal(&text);
        assert_eq!(code, code::TOO_COMPLEX);
        assert!(message.contains("fields of introspection"), "{message}");
    }
}

/// Where introspection is off, no way leads to the schema, and what is no introspection goes on.
#[test]
fn introspection_can_be_off() {
    let guard = Guard { introspection: false, ..GUARD.clone() };
    let admit = |text: &str| guard.admit(text, Some("a"), &Variables::default());
    for text in [
        INTROSPECTION.replace("IntrospectionQuery", "a"),
        "query a { x: __schema { types { name } } }".to_owned(),
        "query a { ... { ...f } } fragment f on Query { ... on Query { __schema { types { name } } } }".to_owned(),
        "query a { viewer { account } } query b { __schema { types { name } } }".to_owned(),
        "query a { viewer { account } } fragment f on Query { __schema { types { name } } }".to_owned(),
    ] {
        let refusal = admit(&text).unwrap_err();
        assert_eq!(refusal.code, code::INTROSPECTION_DISABLED, "{text}");
        assert!(refusal.message.contains("introspection is off"), "{}", refusal.message);
        assert!(refusal.position.is_some());
    }
    assert!(admit("query a { __typename viewer { __typename account } }").is_ok());
}

/// What would make the engine fail, or do far more than the document is long.
#[test]
fn what_the_engine_cannot_bear_is_refused() {
    let (code, message) = refusal("query ($v: [Colour] = [1]) { viewer { account } }");
    assert_eq!((code, message.as_str()), (code::VALIDATION_FAILED, "the variable $v is of a type that is not known"));
    for known in ["Int", "[ID!]", "[[PaymentWhere]]", "Date", "__TypeKind"] {
        assert!(admit(&format!("query ($v: {known} = null) {{ a }}")).is_ok(), "{known}");
    }
    let (code, message) = refusal("{ a(a: 1 b: 2 c: 3 d: 4 e: 5 f: 6 g: 7) }");
    assert_eq!((code, message.as_str()), (code::VALIDATION_FAILED, "7 arguments are more than any field has"));
    assert!(admit("{ a(a: 1 b: 2 c: 3 d: 4 e: 5 f: 6) }").is_ok());
}

/// A variable of many values in many places is copied to each of them.
#[test]
fn long_variables_in_many_places_are_refused() {
    let variables = Variables::from_json(json!({"v": vec!["x"; 40_000]}));
    let admit = |text: &str| guard_with(Limits::default()).admit(text, None, &variables);
    let in_places = |count: usize| format!("query ($v: [ID!]) {{ nodes(ids: [{}]) {{ id }} }}", "$v ".repeat(count));
    assert!(admit(&in_places(2)).is_ok());
    assert_eq!(
        admit(&in_places(3)).unwrap_err().message,
        "there are 120004 values in arguments; at most 100000 may be asked for"
    );
    // Once in the text, and once for each row.
    let rows = "query ($v: [ID!]) { payments(first: 30) { nodes { installments(first: 1, where: {status: $v}) { totalCount } } } }";
    assert_eq!(admit(rows).unwrap_err().code, code::TOO_COMPLEX);
    assert!(admit(&rows.replace("first: 30", "first: 20")).is_ok());
}

/// The documents of the fuzzer's corpus, each with each choice that the fuzzer makes.
#[test]
fn the_corpus_of_the_fuzzer_passes() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/guard");
    let guards = [Limits::default(), Limits { fields: 20, depth: 4, tokens: 300, ..Limits::default() }].map(guard_with);
    let variables = [Variables::default(), Variables::from_json(json!({"a": 3, "b": [1, 2], "c": null}))];
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let Some(text) = bytes.get(1..).and_then(|text| std::str::from_utf8(text).ok()) else { continue };
        count += 1;
        for guard in &guards {
            for variables in &variables {
                for name in [None, Some("a")] {
                    if let Ok(admitted) = guard.admit(text, name, variables) {
                        assert!((1..=20_000).contains(&admitted.cost), "{text}");
                    }
                }
            }
        }
    }
    assert!(count > 50, "only {count} documents");
}

/// Whatever passes is validated in a short time. Without optimisation that is some ten times what it is in a release.
#[tokio::test]
async fn the_worst_documents_are_validated_in_a_short_time() {
    let schema = crate::graphql::schema(false);
    for worst in documents::worst() {
        let variables = Variables::from_json(worst.variables);
        let name = worst.text.starts_with("query o0").then_some("o0");
        let admitted = guard_with(Limits::default()).admit(&worst.text, name, &variables);
        let admitted = admitted.unwrap_or_else(|refusal| panic!("{}: {}", worst.name, refusal.message));
        let mut request = async_graphql::Request::new(worst.text).variables(variables);
        request.operation_name = name.map(str::to_owned);
        request.set_parsed_query(admitted.document);
        let started = Instant::now();
        let response = schema.execute(request).await;
        let took = started.elapsed();
        assert!(!response.errors.is_empty(), "{} is a good document", worst.name);
        println!("{}: {took:?}, {} errors", worst.name, response.errors.len());
        assert!(took < Duration::from_secs(1), "{}: {took:?}", worst.name);
    }
}

/// The rules by which an operation costs what it costs.
#[test]
fn an_operation_costs_what_it_can_answer() {
    let variables = json!({"n": 3, "ids": ["a", "b", "c", "d"], "none": null});
    let variables = Variables::from_json(variables);
    let cost = |text: &str| {
        let text = format!("query ($n: Int, $ids: [ID!], $none: Int, $five: Int = 5) {text}");
        guard_with(Limits { cost: u64::MAX, ..Limits::default() }).admit(&text, None, &variables).unwrap().cost
    };
    for (text, expected) in [
        ("{ viewer { account role } }", 3),
        // A page, by what says how long it is; what stands beside its rows costs once.
        ("{ payments(first: 7) { totalCount nodes { id } } }", 1 + 1 + 1 + 7),
        ("{ payments(last: 7) { edges { cursor node { id } } } }", 1 + 1 + 7 * 3),
        ("{ payments(first: $n) { nodes { id } } }", 2 + 3),
        ("{ payments(first: $five) { nodes { id } } }", 2 + 5),
        ("{ payments(first: $none) { nodes { id } } }", 2 + 20),
        ("{ payments(first: null, last: 4) { nodes { id } } }", 2 + 4),
        ("{ payments { nodes { id } } }", 2 + 20),
        ("{ payments(first: 5000) { nodes { id } } }", 2 + 100),
        ("{ payments(first: -1) { nodes { id } } }", 2 + 1),
        ("{ payments(first: 2) { nodes { installments { nodes { id } } } } }", 2 + 2 * (2 + 12)),
        ("{ payments(first: 2) { pageInfo { endCursor } aggregates { byStatus { count } } } }", 1 + 2 + 2 + 10),
        // Lists, by what they are asked for.
        ("{ nodes(ids: [\"a\", \"b\"]) { id __typename } }", 1 + 2 * 2),
        ("{ nodes(ids: $ids) { id } }", 1 + 4),
        ("{ nodes(ids: \"a\") { id } }", 1 + 1),
        ("{ nodes(ids: []) { id } }", 1 + 1),
        ("{ currencies { code } }", 1 + 10),
        // Branches add up.
        ("{ node(id: \"a\") { ... on Payment { id } ... on Installment { id sequence } } }", 1 + 1 + 2),
        // Introspection has lists that cost once.
        ("{ __schema { types { fields { name } } } }", 4),
        // Conditions change nothing.
        ("{ viewer @skip(if: true) { account @include(if: false) } }", 2),
        // What does not exist costs too.
        ("{ colour(first: 9) { red } }", 2),
        ("{ ...nothing }", 1),
    ] {
        assert_eq!(cost(text), expected, "{text}");
    }
    let ids = Variables::from_json(json!({"ids": vec!["x"; 99]}));
    let text = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    assert_eq!(guard_with(Limits::default()).admit(text, None, &ids).unwrap().cost, 1 + 2 + 99);
}

/// Only what is the same for everybody may be kept for everybody; in doubt it may not.
#[test]
fn public_is_what_is_the_same_for_everybody() {
    let variables = Variables::from_json(json!({"day": "2026-10-30", "none": null}));
    let public = |text: &str| {
        let text = format!("query ($day: Date, $none: Date, $set: Date = \"2026-10-30\", $unset: Date) {text}");
        guard_with(Limits::default()).admit(&text, None, &variables).unwrap().public
    };
    let rate = "base: \"EUR\", quote: \"IDR\"";
    for text in [
        "{ __typename }",
        "{ currencies { code name } }",
        "{ commodity(code: \"18\") { description ancestors { code } children { nodes { code } pageInfo { endCursor } } } }",
        "{ ...f } fragment f on Query { ... { commodities { totalCount edges { node { code } } } } }",
        "{ convert(amount: {amount: \"1\", currency: \"EUR\"}, to: \"IDR\", date: $day) { to { formatted } } }",
        &format!(
            "{{ currencyRate({rate}, date: \"2026-10-30\") {{ ... on CurrencyRate {{ rate source {{ name }} }} }} }}"
        ),
        &format!("{{ currencyRate({rate}, date: $set) {{ ... on RateUnavailable {{ nearest {{ rate }} }} }} }}"),
        "{ commodities(dutiableOn: $day) { totalCount } commodity(code: \"18\") { prices { price } } }",
        "{ exportDutyQuote(input: {hsCode: \"18\", quantity: \"1\", unit: \"t\", filingDate: \"2026-10-30\"}) { __typename } }",
        "{ __schema { types { name } } __type(name: \"Query\") { name } }",
    ] {
        assert!(public(text), "{text}");
    }
    for text in [
        "{ viewer { account } }",
        "{ currencies { code } viewer { account } }",
        "{ currencies { code } ...f } fragment f on Query { ... on Query { payments { totalCount } } }",
        "{ node(id: \"x\") { id } }",
        "{ colour }",
        "{ ...nothing }",
        "{ currencies { colour } }",
        "{ convert(amount: {amount: \"1\", currency: \"EUR\"}, to: \"IDR\") { to { formatted } } }",
        // The day of the inner conversion is the account's.
        "{ convert(amount: {amount: \"1\", currency: \"EUR\"}, to: \"IDR\", date: $day) { to { converted(into: \"USD\") { to { formatted } } } } }",
        &format!("{{ currencyRate({rate}) {{ __typename }} }}"),
        &format!("{{ currencyRate({rate}, date: null) {{ __typename }} }}"),
        &format!("{{ currencyRate({rate}, date: $none) {{ __typename }} }}"),
        &format!("{{ currencyRate({rate}, date: $unset) {{ __typename }} }}"),
        "{ currencyRates(base: \"EUR\", quotes: [\"IDR\"]) { __typename } }",
        "{ referencePrices { kind } }",
        "{ commodity(code: \"18\") { measures { id } } }",
    ] {
        assert!(!public(text), "{text}");
    }
    let subscription = "subscription { rateUpdated(quotes: [\"IDR\"]) { rate } }";
    assert!(!admit(subscription).unwrap().public);
}

/// A document that was sent before is not parsed again, and is judged by the variables that it is sent with now.
#[test]
fn a_document_is_parsed_once_and_priced_each_time() {
    let guard = Guard::new(Limits::default(), &crate::graphql::sdl(false), 100, true).unwrap();
    let text = "query ($n: Int) { payments(first: $n) { nodes { id } } }";
    let cost = |n: u32| guard.admit(text, None, &Variables::from_json(serde_json::json!({ "n": n }))).unwrap().cost;
    assert_eq!((cost(1), cost(50), cost(1)), (3, 52, 3));
    assert_eq!(guard.parsed.used().0, 1);
    assert!(guard.admit("{ payments(", None, &Variables::default()).is_err());
    assert_eq!(guard.parsed.used().0, 1, "what is no document is not kept");
    // Endless documents only push each other out.
    for number in 0..3_000 {
        let fields = format!("f{number} ").repeat(300);
        let _ = guard.admit(&format!("{{ {fields} }}"), None, &Variables::default());
    }
    let (count, bytes) = guard.parsed.used();
    assert!(count < 200 && bytes <= super::PARSED_BYTES, "{count} documents in {bytes} bytes");
}

//! Whether values are what the schema takes in their places.
//!
//! The engine asks less of a value before it runs an operation than when it reads it: it lets an `Int` through that
//! has more than 32 bits, a number in the place of an object, and anything in the place of a scalar that is defined
//! here; and it looks at no argument that holds a variable without a value. So a document that does not fit the schema
//! would run until such a field is resolved, or to its end where none is. All literals of a document are looked at,
//! also in operations that do not run, and the variables of the one that does.
//!
//! What the engine always refuses by itself, such as a name that the schema does not have, is left to it.

use std::collections::HashMap;

use async_graphql::parser::types::{BaseType, ExecutableDocument, OperationDefinition, Selection, SelectionSet, Type};
use async_graphql::{Name, Pos, Positioned, Variables};
use async_graphql_value::{ConstValue, Value};

use super::Refusal;
use super::model::{Model, Object};
use crate::error::code;
use crate::graphql::scalars::{self, Refused};

/// What is known of an input type by its name alone.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// An integer of 32 bits.
    Int,
    /// Any number.
    Float,
    /// A text.
    String,
    /// True or false.
    Boolean,
    /// A text, or an integer that becomes one.
    Id,
    /// A scalar that is defined here.
    Scalar(scalars::Check),
    /// An input object, by the types of its fields.
    Object(HashMap<Name, Type>),
}

impl Kind {
    /// The scalars that the schema's text does not define.
    pub(super) const BUILT_IN: [(&'static str, Self); 5] = [
        ("Int", Self::Int),
        ("Float", Self::Float),
        ("String", Self::String),
        ("Boolean", Self::Boolean),
        ("ID", Self::Id),
    ];

    /// Refuses a value, which is not null, that is not of this type.
    fn check(&self, value: &ConstValue) -> Result<(), Refused> {
        let (fits, expected) = match self {
            Self::Int => (is_int(value), "an integer from -2147483648 to 2147483647"),
            Self::Float => (matches!(value, ConstValue::Number(_)), "a number"),
            Self::String => (matches!(value, ConstValue::String(_)), "a string"),
            Self::Boolean => (matches!(value, ConstValue::Boolean(_)), "true or false"),
            Self::Id => (matches!(value, ConstValue::String(_)) || is_integer(value), "a string or an integer"),
            Self::Object(_) => (matches!(value, ConstValue::Object(_)), "an object"),
            Self::Scalar(check) => return check(value),
        };
        let refused = || Refused { code: code::VALIDATION_FAILED, message: format!("expected {expected}") };
        fits.then_some(()).ok_or_else(refused)
    }
}

fn is_integer(value: &ConstValue) -> bool {
    matches!(value, ConstValue::Number(number) if number.is_i64() || number.is_u64())
}

fn is_int(value: &ConstValue) -> bool {
    matches!(value, ConstValue::Number(number) if number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()))
}

/// A value that is not what the schema takes.
#[derive(Debug)]
struct Misfit {
    /// The members and items that lead to it, the last one first.
    path: Vec<String>,
    refused: Refused,
}

/// Refuses a document with a value that does not fit, and variables that do not.
pub(super) fn check(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    variables: &Variables,
    model: &Model,
) -> Result<(), Refusal> {
    for (_, each) in document.operations.iter() {
        for definition in &each.node.variable_definitions {
            if let Some(default) = &definition.node.default_value {
                let name = &definition.node.name.node;
                variable(model, &definition.node.var_type.node, name, &default.node, default.pos)?;
            }
        }
        selections(model, model.root(each.node.ty), &each.node.selection_set.node)?;
    }
    for fragment in document.fragments.values() {
        let on = &fragment.node.type_condition.node.on.node;
        selections(model, model.object(on), &fragment.node.selection_set.node)?;
    }
    for definition in &operation.variable_definitions {
        let (name, ty) = (&definition.node.name.node, &definition.node.var_type.node);
        if let Some(value) = variables.get(name) {
            variable(model, ty, name, value, definition.pos)?;
        }
    }
    Ok(())
}

/// Below what the schema does not have, nothing is known; the engine will refuse it.
fn selections(model: &Model, parent: Option<&Object>, set: &SelectionSet) -> Result<(), Refusal> {
    for selection in &set.items {
        match &selection.node {
            Selection::Field(field) => {
                let field = &field.node;
                let Some(known) = parent.and_then(|parent| parent.fields.get(field.name.node.as_str())) else {
                    continue;
                };
                for (name, value) in &field.arguments {
                    if let Some(ty) = known.arguments.get(&name.node) {
                        argument(model, ty, name, &value.node)?;
                    }
                }
                if !field.selection_set.node.items.is_empty() {
                    selections(model, model.object(&known.target), &field.selection_set.node)?;
                }
            }
            Selection::InlineFragment(inline) => {
                let on = inline.node.type_condition.as_ref().map(|condition| &condition.node.on.node);
                let parent = on.map_or(parent, |on| model.object(on));
                selections(model, parent, &inline.node.selection_set.node)?;
            }
            // Each fragment is looked at once, by itself.
            Selection::FragmentSpread(_) => {}
        }
    }
    Ok(())
}

fn argument(model: &Model, ty: &Type, name: &Positioned<Name>, value: &Value) -> Result<(), Refusal> {
    if matches!(value, Value::Variable(_)) || model.kind(ty).is_none() {
        return Ok(());
    }
    // A variable is judged by its own type; that this type fits here is for the engine to say.
    let value = value.clone().into_const_with(|_| Ok::<_, std::convert::Infallible>(ConstValue::Null));
    let Ok(value) = value;
    fits(model, ty, &value).map_err(|misfit| refused(&misfit, format!("the argument {}", name.node), name.pos))
}

fn variable(model: &Model, ty: &Type, name: &Name, value: &ConstValue, at: Pos) -> Result<(), Refusal> {
    fits(model, ty, value).map_err(|misfit| refused(&misfit, format!("the variable ${name}"), at))
}

fn refused(misfit: &Misfit, mut what: String, at: Pos) -> Refusal {
    for step in misfit.path.iter().rev() {
        what.push('.');
        what.push_str(step);
    }
    let message = format!("{what}: {}", misfit.refused.message);
    Refusal { code: misfit.refused.code, message, position: Some(at) }
}

fn fits(model: &Model, ty: &Type, value: &ConstValue) -> Result<(), Misfit> {
    match model.kind(ty) {
        Some(kind) => fits_kind(model, ty, kind, value),
        None => Ok(()),
    }
}

/// The depth of what it looks at is bound by that of a document, or of JSON.
fn fits_kind(model: &Model, ty: &Type, kind: &Kind, value: &ConstValue) -> Result<(), Misfit> {
    match (&ty.base, value) {
        // Where nothing may be null, the engine says so.
        (_, ConstValue::Null) => Ok(()),
        (BaseType::List(inner), ConstValue::List(items)) => items.iter().enumerate().try_for_each(|(index, item)| {
            fits_kind(model, inner, kind, item).map_err(|misfit| misfit.below(index.to_string()))
        }),
        // A value in the place of a list is a list of one.
        (BaseType::List(inner), _) => fits_kind(model, inner, kind, value),
        (BaseType::Named(_), _) => match (kind, value) {
            (Kind::Object(fields), ConstValue::Object(members)) => members.iter().try_for_each(|(name, member)| {
                let ty = fields.get(name);
                ty.map_or(Ok(()), |ty| fits(model, ty, member)).map_err(|misfit| misfit.below(name.to_string()))
            }),
            _ => kind.check(value).map_err(|refused| Misfit { path: Vec::new(), refused }),
        },
    }
}

impl Misfit {
    fn below(mut self, step: String) -> Self {
        self.path.push(step);
        self
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::Variables;
    use serde_json::{Value, json};

    use crate::error::code;
    use crate::guard::{Guard, Limits};

    const SDL: &str = "
        input Inner { count: Int  many: [[Int!]] }
        input Outer { inner: [Inner!]  outer: Outer  ratio: Float  on: Boolean  text: String  id: ID  day: Day }
        scalar Day
        interface Node { a(n: Int): Node }
        type Query implements Node { a(n: Int, o: Outer, l: [Int!], ls: [[Int]], id: ID, d: Day): Query  b: U  c: Node }
        union U = Query
    ";

    /// The words of the refusal; `None` when it is admitted.
    fn refusal(text: &str, variables: Value) -> Option<String> {
        let guard = Guard::new(Limits::default(), SDL, 100, true).unwrap();
        let refusal = guard.admit(text, text.contains("query x").then_some("x"), &Variables::from_json(variables));
        refusal.err().map(|refusal| {
            assert_eq!(refusal.code, code::VALIDATION_FAILED, "{text}: {}", refusal.message);
            assert!(refusal.position.is_some(), "{text}");
            refusal.message
        })
    }

    const INT: &str = "expected an integer from -2147483648 to 2147483647";

    /// An integer of more than 32 bits is found wherever it stands.
    #[test]
    fn integers_have_32_bits_wherever_they_stand() {
        let edges =
            "{ a(n: 2147483647) { a(n: -2147483648) { a(l: 1, ls: [1, [2, null]], n: null) { __typename } } } }";
        assert_eq!(refusal(edges, json!({})), None);
        for (text, place) in [
            ("{ a(n: 2147483648) { __typename } }", "the argument n"),
            ("{ a(n: -2147483649) { __typename } }", "the argument n"),
            ("{ a(n: 99999999999999999999) { __typename } }", "the argument n"),
            ("{ a { x: a(n: 4294967296) { __typename } } }", "the argument n"),
            ("{ a(l: 2147483648) { __typename } }", "the argument l"),
            ("{ a(l: [1, 2147483648]) { __typename } }", "the argument l.1"),
            ("{ a(ls: [[1], [2, 2147483648]]) { __typename } }", "the argument ls.1.1"),
            ("{ a(o: {inner: {count: 2147483648}}) { __typename } }", "the argument o.inner.count"),
            (
                "{ a(o: {outer: {inner: [{}, {many: [[1], [2147483648]]}]}}) { __typename } }",
                "the argument o.outer.inner.1.many.1.0",
            ),
            ("{ b { ... on Query { a(n: 2147483648) { __typename } } } }", "the argument n"),
            ("{ c { ... { a(n: 2147483648) { __typename } } } }", "the argument n"),
            ("{ ...f } fragment f on Query { a(n: 2147483648) { __typename } }", "the argument n"),
            ("query x { __typename } query y { a(n: 2147483648) { __typename } }", "the argument n"),
            ("query ($n: Int = 2147483648) { a(n: $n) { __typename } }", "the variable $n"),
            (
                "query x { __typename } query y($l: [Int] = [0, 2147483648]) { a(l: $l) { __typename } }",
                "the variable $l.1",
            ),
            (
                "query ($o: Outer = {inner: {count: 2147483648}}) { a(o: $o) { __typename } }",
                "the variable $o.inner.count",
            ),
            (
                "query ($m: ID) { a(o: {id: $m, inner: [{count: 2147483648}]}) { __typename } }",
                "the argument o.inner.0.count",
            ),
        ] {
            assert_eq!(refusal(text, json!({})), Some(format!("{place}: {INT}")), "{text}");
        }
    }

    /// A scalar of ours is what its own parser takes, and keeps its code.
    #[test]
    fn scalars_are_what_their_parsers_take() {
        let refusal = |text: &str, variables: Value| {
            let guard = Guard::new(Limits::default(), &crate::graphql::sdl(false), 100, true).unwrap();
            let refusal = guard.admit(text, None, &Variables::from_json(variables)).err();
            refusal.map(|refusal| (refusal.code, refusal.message))
        };
        let refused = |code, message: &str| Some((code, message.to_owned()));
        let day = "expected a day that exists, as YYYY-MM-DD";
        let literal = |base: &str, date: &str| {
            format!("{{ currencyRate(base: {base}, quote: \"IDR\", date: {date}) {{ __typename }} }}")
        };
        assert_eq!(refusal(&literal("\"EUR\"", "\"2026-10-31\""), json!({})), None);
        assert_eq!(
            refusal(&literal("\"EUR\"", "\"2026-02-31\""), json!({})),
            refused(code::INVALID_DATE, &format!("the argument date: {day}"))
        );
        assert_eq!(
            refusal(&literal("EUR", "null"), json!({})),
            refused(code::UNKNOWN_CURRENCY, "the argument base: expected a string, found an enum value")
        );
        let filters = "query ($w: [PaymentWhere!], $d: Date = \"31-02\") { payments(where: {and: $w, overdueAsOf: $d}) { totalCount } }";
        assert_eq!(
            refusal(filters, json!({"d": "2026-10-31"})),
            refused(code::INVALID_DATE, &format!("the variable $d: {day}"))
        );
        let filters = filters.replace("31-02", "2026-02-28");
        for (variables, words) in [
            (json!({}), None),
            (json!({"w": {"amount": {"gt": "1.50"}}, "d": null}), None),
            (json!({"d": "2026-2-3"}), refused(code::INVALID_DATE, &format!("the variable $d: {day}"))),
            (
                json!({"w": [{}, {"amount": {"gt": 1.5}}]}),
                refused(code::INVALID_DECIMAL, "the variable $w.1.amount.gt: expected a string, found a number"),
            ),
        ] {
            assert_eq!(refusal(&filters, variables.clone()), words, "{variables}");
        }
    }

    /// Variables are read as JSON is, by the types that they say.
    #[test]
    fn variables_are_what_they_say() {
        let text = "query ($n: Int, $l: [Int!], $o: Outer) { a(n: $n, l: $l, o: $o) { __typename } }";
        for fits in [
            json!({}),
            json!({"n": null, "l": null, "o": null}),
            json!({"n": 2_147_483_647, "l": 1, "o": {"id": 1, "ratio": 1, "on": true, "text": "", "day": [1]}}),
            json!({"n": -2_147_483_648, "l": [1, 2], "o": {"id": "a", "ratio": 1.5, "inner": []}}),
            // Of this the engine knows by itself.
            json!({"o": {"colour": 1}}),
            json!({"colour": 2_147_483_648_u32}),
        ] {
            assert_eq!(refusal(text, fits.clone()), None, "{fits}");
        }
        for (variables, words) in [
            (json!({"n": 2_147_483_648_u32}), format!("the variable $n: {INT}")),
            (json!({"n": u64::MAX}), format!("the variable $n: {INT}")),
            (json!({"n": 1.5}), format!("the variable $n: {INT}")),
            (json!({"n": "1"}), format!("the variable $n: {INT}")),
            (json!({"n": [1]}), format!("the variable $n: {INT}")),
            (json!({"n": {}}), format!("the variable $n: {INT}")),
            (json!({"l": [1, true]}), format!("the variable $l.1: {INT}")),
            (
                json!({"o": {"inner": [{"count": 1}, {"count": -2_147_483_649_i64}]}}),
                format!("the variable $o.inner.1.count: {INT}"),
            ),
            (json!({"o": 1}), "the variable $o: expected an object".to_owned()),
            (json!({"o": {"ratio": "1"}}), "the variable $o.ratio: expected a number".to_owned()),
            (json!({"o": {"on": 1}}), "the variable $o.on: expected true or false".to_owned()),
            (json!({"o": {"text": 1}}), "the variable $o.text: expected a string".to_owned()),
            (json!({"o": {"id": 1.5}}), "the variable $o.id: expected a string or an integer".to_owned()),
        ] {
            assert_eq!(refusal(text, variables.clone()), Some(words), "{variables}");
        }
        // Those of an operation that does not run are nobody's.
        let two = "query x { __typename } query y($n: Int) { a(n: $n) { __typename } }";
        assert_eq!(refusal(two, json!({"n": "1"})), None);
    }
}

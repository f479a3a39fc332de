//! Where a client can name something, and all that it can be told: read from the schema for the test of tenancy.

use std::collections::BTreeMap;

use dermaga_tests::TestApp;
use serde_json::Value;

const TYPE: &str = "name kind ofType { name kind ofType { name kind ofType { name kind } } }";

/// What can be named by a text of its own kind: nothing of an account.
const HARMLESS_SCALARS: [&str; 9] =
    ["BigInt", "Boolean", "CurrencyCode", "Date", "DateTime", "Decimal", "Float", "HsCode", "Int"];

/// The schema, as it describes itself.
pub(crate) struct Schema {
    types: BTreeMap<String, Value>,
}

impl Schema {
    pub(crate) async fn of(app: &TestApp) -> Self {
        let argument = format!("name defaultValue type {{ {TYPE} }}");
        let query = format!(
            "{{ __schema {{ types {{
                name kind
                fields(includeDeprecated: true) {{ name type {{ {TYPE} }} args {{ {argument} }} }}
                inputFields {{ {argument} }}
            }} }} }}"
        );
        let answer = app.session("demo", "CLERK").graphql(&query).await;
        let types = items(answer.at("/__schema/types")).iter();
        let types = types.map(|kind| (name(kind).to_owned(), kind.clone())).filter(|(name, _)| !name.starts_with("__"));
        Self { types: types.collect() }
    }

    /// Every type with an id must be one whose ids are tried.
    pub(crate) fn check_ids(&self) {
        let with_id = self.types.iter().filter(|(_, kind)| {
            items(&kind["fields"]).iter().any(|field| innermost(&field["type"]) == "ID" && kind["kind"] == "OBJECT")
        });
        let with_id: Vec<_> = with_id.map(|(name, _)| name.as_str()).collect();
        // What the assistant says and searches belongs to nobody.
        let public =
            ["Answer", "AnswerCited", "AnswerCompleted", "AnswerDelta", "AnswerStarted", "Prompt", "RegulationChunk"];
        let with_id: Vec<_> = with_id.into_iter().filter(|name| !public.contains(name)).collect();
        let known =
            ["Commodity", "DutyMeasure", "Installment", "Payment", "PaymentLine", "Receipt", "Refund", "Regulation"];
        assert_eq!(with_id, known, "teach `Belongings` where to find an id of each of these");
    }

    /// Every argument, or part of one, with which a client can name something: the field, and the way to the text.
    pub(crate) fn doors(&self) -> Vec<(String, String)> {
        let mut doors = Vec::new();
        for (kind, definition) in &self.types {
            for field in items(&definition["fields"]) {
                let mut paths = Vec::new();
                for argument in items(&field["args"]) {
                    self.leaves(argument, "", &mut Vec::new(), &mut paths);
                }
                doors.extend(paths.into_iter().map(|path| (format!("{kind}.{}", name(field)), path)));
            }
        }
        doors
    }

    /// Adds the ways to all texts in an input. One that holds itself is entered twice.
    fn leaves<'a>(&'a self, input: &'a Value, before: &str, on_the_way: &mut Vec<&'a str>, paths: &mut Vec<String>) {
        let path = format!("{before}{}{}", name(input), if is_list(&input["type"]) { "[]" } else { "" });
        let kind = innermost(&input["type"]);
        let definition = &self.types[kind];
        match definition["kind"].as_str() {
            Some("ENUM") => {}
            Some("SCALAR") if HARMLESS_SCALARS.contains(&kind) => {}
            Some("INPUT_OBJECT") => {
                if on_the_way.iter().filter(|above| **above == kind).count() < 2 {
                    on_the_way.push(kind);
                    for member in items(&definition["inputFields"]) {
                        self.leaves(member, &format!("{path}."), on_the_way, paths);
                    }
                    on_the_way.pop();
                }
            }
            _ => paths.push(path),
        }
    }

    /// For each field of the root that needs no argument, a document with all that can be reached from it.
    pub(crate) fn everything(&self) -> Vec<String> {
        let fields = items(&self.types["Query"]["fields"]).iter().filter(|field| needs_nothing(field));
        let documents = fields.map(|field| format!("{{ {} }}", self.select(field, &mut vec!["Query"])));
        let documents: Vec<_> = documents.collect();
        assert!(
            documents.iter().any(|document| document
                .contains("allocations { __typename edges { __typename cursor node { __typename receipt")),
            "{documents:#?}"
        );
        documents
    }

    /// A field with all that is below it; no type twice on a way, and no field that needs an argument.
    fn select<'a>(&'a self, field: &'a Value, on_the_way: &mut Vec<&'a str>) -> String {
        let kind = innermost(&field["type"]);
        let definition = &self.types[kind];
        match definition["kind"].as_str() {
            Some("OBJECT") => {
                let again = on_the_way.contains(&kind);
                on_the_way.push(kind);
                let members = items(&definition["fields"]).iter().filter(|member| needs_nothing(member));
                let members = members.filter(|member| !again || self.is_leaf(member));
                let members: Vec<_> = members.map(|member| self.select(member, on_the_way)).collect();
                on_the_way.pop();
                format!("{} {{ __typename {} }}", name(field), members.join(" "))
            }
            Some("INTERFACE" | "UNION") => format!("{} {{ __typename }}", name(field)),
            _ => name(field).to_owned(),
        }
    }

    fn is_leaf(&self, field: &Value) -> bool {
        matches!(self.types[innermost(&field["type"])]["kind"].as_str(), Some("SCALAR" | "ENUM"))
    }
}

fn needs_nothing(field: &Value) -> bool {
    let needed = |argument: &Value| argument["type"]["kind"] == "NON_NULL" && argument["defaultValue"].is_null();
    let arguments = items(&field["args"]);
    // The root's takes one of two.
    let one_of_two = name(field) == "payment" && arguments.len() > 1;
    !one_of_two && !arguments.iter().any(needed)
}

/// The values of a list, none if it is none.
pub(crate) fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn name(of: &Value) -> &str {
    of["name"].as_str().unwrap()
}

/// The name of a type without its lists and exclamation marks.
fn innermost(of: &Value) -> &str {
    of["name"].as_str().unwrap_or_else(|| innermost(&of["ofType"]))
}

fn is_list(of: &Value) -> bool {
    of["kind"] == "LIST" || of["ofType"].is_object() && is_list(&of["ofType"])
}

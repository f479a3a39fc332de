//! How the test of tenancy knocks at each door.

use serde_json::json;

use crate::tenancy_changes::{ERRORS, change_recipe};

/// How to knock at a door.
#[derive(Clone, Copy)]
pub(crate) enum Recipe {
    /// It takes ids. `ARGS` stands for the argument.
    Id(&'static str),
    /// It takes references.
    Reference(&'static str),
    /// It takes external references of receipts.
    ExternalReference(&'static str),
    /// It takes idempotency keys.
    Key(&'static str),
    /// It takes a cursor of this list. `PARENT` stands for the id of what the list is below.
    Cursor(List, &'static str),
    /// Whatever it is given, it is only about what belongs to nobody, or about how something is written.
    Public,
}

/// Lists that give out cursors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum List {
    Payments,
    Installments,
    Receipts,
    Allocations,
    Refunds,
    Events,
}

/// What is sent in the place of `PAYMENT`.
const PAYMENT: &str = "id reference amount { amount } status receipts { nodes { id } } installments { nodes { id } }
    lines { id description } plan { revision }";

/// What is sent in the place of `PAGE`. No cursors: in them is a fingerprint of the filter, and so of what was sent.
const PAGE: &str = "totalCount nodes { id reference } pageInfo { hasNextPage hasPreviousPage }
    aggregates { count byStatus { status count } byCurrency { amount { amount currency } } }";

/// The recipe for an argument of a field. In `path` a `[]` stands behind what is a list.
pub(crate) fn recipe(field: &str, path: &str) -> Option<Recipe> {
    let last = path.rsplit('.').next().unwrap_or_default();
    let payments = "{ payments(ARGS) { PAGE } }";
    let aging = "{ paymentAging(ARGS) { currency total { amount } } }";
    Some(match field {
        "Query.node" => Recipe::Id("{ node(ARGS) { __typename id } }"),
        "Query.nodes" => Recipe::Id("{ nodes(ARGS) { __typename id } }"),
        "Query.payment" if path == "id" => Recipe::Id("{ payment(ARGS) { PAYMENT } }"),
        "Query.payment" if path == "reference" => Recipe::Reference("{ payment(ARGS) { PAYMENT } }"),
        "Query.payments" if path.ends_with("id.eq") || path.ends_with("id.in[]") => Recipe::Id(payments),
        "Query.payments" if path.contains("reference.") => Recipe::Reference(payments),
        "Query.paymentAging" if path.ends_with("id.eq") || path.ends_with("id.in[]") => Recipe::Id(aging),
        "Query.paymentAging" if path.contains("reference.") => Recipe::Reference(aging),
        "Query.payments" if path == "after" || path == "before" => Recipe::Cursor(List::Payments, payments),
        "Payment.installments" if path == "after" => Recipe::Cursor(
            List::Installments,
            "{ node(id: \"PARENT\") { ... on Payment { installments(ARGS) { nodes { id } totalCount } } } }",
        ),
        "Payment.receipts" if path == "after" => Recipe::Cursor(
            List::Receipts,
            "{ node(id: \"PARENT\") { ... on Payment { receipts(ARGS) { nodes { id } } } } }",
        ),
        "Installment.allocations" if path == "after" => Recipe::Cursor(
            List::Allocations,
            "{ node(id: \"PARENT\") { ... on Installment { allocations(ARGS) { nodes { receipt { id } } } } } }",
        ),
        "Payment.refunds" if path == "after" => Recipe::Cursor(
            List::Refunds,
            "{ node(id: \"PARENT\") { ... on Payment { refunds(ARGS) { nodes { id } } } } }",
        ),
        "Payment.events" if path == "after" => Recipe::Cursor(
            List::Events,
            "{ node(id: \"PARENT\") { ... on Payment { events(ARGS) { nodes { hash } chainValid } } } }",
        ),
        "Subscription.paymentEvents" if path == "paymentId" => {
            Recipe::Id("subscription { paymentEvents(ARGS, afterSequence: \"0\") { hash } }")
        }
        // Questions and answers rest on what belongs to nobody.
        "Mutation.askAssistant"
        | "Subscription.answerStream"
        | "Query.searchPrompts"
        | "Query.searchRegulations"
        | "Regulation.chunks" => Recipe::Public,
        _ if field.starts_with("Mutation.") => return change_recipe(field, path.strip_prefix("input.")?),
        "Commodity.children" | "Query.commodities" if matches!(last, "after" | "search") => Recipe::Public,
        "Commodity.description" | "Currency.name" | "Money.formatted" if last == "locale" => Recipe::Public,
        "Commodity.prices" | "Query.regulation" | "Query.exportDutyQuote" => Recipe::Public,
        _ => return None,
    })
}

/// The document with the text at its place: `where.id.in[]` becomes `where: {id: {in: ["…"]}}`.
pub(crate) fn fill(document: &str, path: &str, value: &str) -> String {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let mut literal = json!(value).to_string();
    for name in rest.into_iter().flat_map(|rest| rest.rsplit('.')) {
        literal = format!("{{{}: {}}}", name.trim_end_matches("[]"), listed(name, &literal));
    }
    let argument = format!("{}: {}", first.trim_end_matches("[]"), listed(first, &literal));
    document
        .replace("PAYMENT", PAYMENT)
        .replace("PAGE", PAGE)
        .replace("ERRORS", ERRORS)
        .replace("ARGS", &argument)
        .replace("VALUE", &json!(value).to_string())
        .replace("NONE", &"0".repeat(32))
        .replace("KEYED", "idempotencyKey: \"a key for dry runs\"")
}

fn listed(name: &str, literal: &str) -> String {
    if name.ends_with("[]") { format!("[{literal}]") } else { literal.to_owned() }
}

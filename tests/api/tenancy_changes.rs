//! How the test of tenancy knocks at the doors of mutations.

use crate::tenancy_recipes::Recipe;

/// The recipe for a part of a mutation's input. `VALUE` stands for what is sent, `KEYED` for a key that nobody has
/// used, `NONE` for an id that nobody has, `OWN` for an open payment of who asks. Ids are sent in dry runs, so that a
/// change is only told of. A key is looked at in no dry run: those requests name what is not there, so that nothing
/// comes of them.
pub(crate) fn change_recipe(field: &str, path: &str) -> Option<Recipe> {
    let last = path.rsplit('.').next().unwrap_or_default();
    let words = ["clientMutationId", "description", "method", "payerName", "reason", "timeZone", "unit"];
    if words.contains(&last) {
        return Some(Recipe::Public);
    }
    Some(match (field, path) {
        ("Mutation.createPayment", "reference") => Recipe::Reference(
            "mutation { createPayment(input: {KEYED, dryRun: true, reference: VALUE,
                amount: {amount: \"1\", currency: \"IDR\"}}) { payment { status } ERRORS } }",
        ),
        ("Mutation.createPayments", "payments[].reference") => Recipe::Reference(
            "mutation { createPayments(input: {KEYED, dryRun: true, payments: [
                {reference: VALUE, amount: {amount: \"1\", currency: \"IDR\"}}]}) { payments { status } ERRORS } }",
        ),
        ("Mutation.recordReceipt", "paymentId") => Recipe::Id(
            "mutation { recordReceipt(input: {KEYED, dryRun: true, paymentId: VALUE, allowCredit: true,
                amount: {amount: \"1\", currency: \"IDR\"}, receivedAt: \"2026-10-30T00:00:00Z\", method: \"CASH\"})
                { payment { PAYMENT } ERRORS } }",
        ),
        ("Mutation.recordReceipt", "allocations[].installmentId") => Recipe::Id(
            "mutation { recordReceipt(input: {KEYED, dryRun: true, paymentId: \"OWN\", order: EXPLICIT,
                allocations: [{installmentId: VALUE, amount: \"1\"}], amount: {amount: \"1\", currency: \"IDR\"},
                receivedAt: \"2026-10-30T00:00:00Z\", method: \"CASH\"}) { payment { status } ERRORS } }",
        ),
        ("Mutation.recordReceipt", "externalReference") => Recipe::ExternalReference(
            "mutation { recordReceipt(input: {KEYED, dryRun: true, paymentId: \"OWN\", externalReference: VALUE,
                amount: {amount: \"1\", currency: \"IDR\"}, receivedAt: \"2026-10-30T00:00:00Z\", method: \"CASH\"})
                { payment { status } ERRORS } }",
        ),
        ("Mutation.reverseReceipt", "receiptId") => Recipe::Id(
            "mutation { reverseReceipt(input: {KEYED, dryRun: true, receiptId: VALUE, reason: \"-\"})
                { receipt { id amount { amount } } payment { PAYMENT } ERRORS } }",
        ),
        ("Mutation.refundReceipt", "receiptId") => Recipe::Id(
            "mutation { refundReceipt(input: {KEYED, dryRun: true, receiptId: VALUE, reason: \"-\",
                amount: {amount: \"1\", currency: \"IDR\"}}) { receipt { id } payment { PAYMENT } ERRORS } }",
        ),
        ("Mutation.waiveInstallment", "id") => Recipe::Id(
            "mutation { waiveInstallment(input: {KEYED, dryRun: true, id: VALUE, expectedVersion: 1, reason: \"-\"})
                { payment { PAYMENT } ERRORS } }",
        ),
        ("Mutation.reschedulePayment", "id") => Recipe::Id(
            "mutation { reschedulePayment(input: {KEYED, dryRun: true, id: VALUE, expectedVersion: 1, reason: \"-\",
                plan: {even: {count: 1, firstDueDate: \"2027-01-01\"}}}) { payment { PAYMENT } ERRORS } }",
        ),
        ("Mutation.cancelPayment", "id") => Recipe::Id(
            "mutation { cancelPayment(input: {KEYED, dryRun: true, id: VALUE, expectedVersion: 1, reason: \"-\"})
                { payment { PAYMENT } ERRORS } }",
        ),
        ("Mutation.writeOffPayment", "id") => Recipe::Id(
            "mutation { writeOffPayment(input: {KEYED, dryRun: true, id: VALUE, expectedVersion: 1, reason: \"-\"})
                { payment { PAYMENT } ERRORS } }",
        ),
        ("Mutation.createPayment", "idempotencyKey") => Recipe::Key(
            "mutation { createPayment(input: {idempotencyKey: VALUE, reference: \"\",
                amount: {amount: \"1\", currency: \"IDR\"}}) { payment { status } ERRORS } }",
        ),
        ("Mutation.createPayments", "idempotencyKey") => {
            Recipe::Key("mutation { createPayments(input: {idempotencyKey: VALUE, payments: []}) { ERRORS } }")
        }
        ("Mutation.recordReceipt", "idempotencyKey") => Recipe::Key(
            "mutation { recordReceipt(input: {idempotencyKey: VALUE, paymentId: \"pay_NONE\",
                amount: {amount: \"1\", currency: \"IDR\"}, receivedAt: \"2026-10-30T00:00:00Z\", method: \"CASH\"})
                { ERRORS } }",
        ),
        ("Mutation.reverseReceipt", "idempotencyKey") => Recipe::Key(
            "mutation { reverseReceipt(input: {idempotencyKey: VALUE, receiptId: \"rec_NONE\", reason: \"-\"})
                { ERRORS } }",
        ),
        ("Mutation.refundReceipt", "idempotencyKey") => Recipe::Key(
            "mutation { refundReceipt(input: {idempotencyKey: VALUE, receiptId: \"rec_NONE\", reason: \"-\",
                amount: {amount: \"1\", currency: \"IDR\"}}) { ERRORS } }",
        ),
        ("Mutation.waiveInstallment", "idempotencyKey") => Recipe::Key(
            "mutation { waiveInstallment(input: {idempotencyKey: VALUE, id: \"ins_NONE\", expectedVersion: 1,
                reason: \"-\"}) { ERRORS } }",
        ),
        ("Mutation.reschedulePayment", "idempotencyKey") => Recipe::Key(
            "mutation { reschedulePayment(input: {idempotencyKey: VALUE, id: \"pay_NONE\", expectedVersion: 1,
                reason: \"-\", plan: {even: {count: 1, firstDueDate: \"2027-01-01\"}}}) { ERRORS } }",
        ),
        ("Mutation.cancelPayment", "idempotencyKey") => Recipe::Key(
            "mutation { cancelPayment(input: {idempotencyKey: VALUE, id: \"pay_NONE\", expectedVersion: 1,
                reason: \"-\"}) { ERRORS } }",
        ),
        ("Mutation.writeOffPayment", "idempotencyKey") => Recipe::Key(
            "mutation { writeOffPayment(input: {idempotencyKey: VALUE, id: \"pay_NONE\", expectedVersion: 1,
                reason: \"-\"}) { ERRORS } }",
        ),
        _ => return None,
    })
}

/// What is sent in the place of `ERRORS`.
pub(crate) const ERRORS: &str = "userErrors { __typename code message field
    ... on DuplicateReference { existing { id } } ... on VersionConflict { current { id } }
    ... on InvalidState { status } ... on IdempotencyConflict { firstUsedAt } }";

//! Mutations as a client sends them, and what they leave behind.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::answer::Answer;
use crate::app::TestApp;
use crate::sign_in::Session;

/// What is selected of a payment: nothing that has to be loaded.
const PAYMENT: &str = "payment {
    id reference version status refundStatus timeZone amount { amount currency }
    allocated { amount } waived { amount } writtenOff { amount } outstanding { amount }
    received { amount } refunded { amount } credit { amount }
}";

const INSTALLMENTS: &str = "installments {
    id sequence kind dueDate status amount { amount } received { amount } waived { amount } outstanding { amount }
}";

const RECEIPT: &str =
    "receipt { id amount { amount } receivedAt method externalReference unallocated { amount } reversedAt }";

const EVENT: &str = "event { sequence at type actor requestId reason before after prevHash hash }";

const END: &str = "userErrors {
    __typename code message field
    ... on AmountExceedsOutstanding { outstanding { amount currency } }
    ... on PlanSumMismatch { expected { amount currency } actual { amount currency } }
    ... on InvalidState { status allowedActions }
    ... on VersionConflict { currentVersion current { id version status outstanding { amount } } }
    ... on IdempotencyConflict { firstUsedAt retryAfterSeconds }
    ... on DuplicateReference { existing { id } }
} replayed dryRun clientMutationId";

/// Every mutation, with the type of its input.
pub const MUTATIONS: [(&str, &str); 9] = [
    ("createPayment", "CreatePaymentInput"),
    ("createPayments", "CreatePaymentsInput"),
    ("reschedulePayment", "ReschedulePaymentInput"),
    ("recordReceipt", "RecordReceiptInput"),
    ("reverseReceipt", "ReverseReceiptInput"),
    ("refundReceipt", "RefundReceiptInput"),
    ("waiveInstallment", "WaiveInstallmentInput"),
    ("cancelPayment", "ClosePaymentInput"),
    ("writeOffPayment", "ClosePaymentInput"),
];

/// The body of a request. An input without an idempotency key gets a new one.
pub fn change_body(mutation: &str, mut input: Value) -> Value {
    let (_, kind) = MUTATIONS.iter().find(|(name, _)| *name == mutation).unwrap_or_else(|| panic!("{mutation}?"));
    if let Some(input) = input.as_object_mut() {
        input.entry("idempotencyKey").or_insert_with(new_key);
    }
    let selected = match mutation {
        "createPayments" => "payments { id reference version status outstanding { amount } }".to_owned(),
        "recordReceipt" | "reverseReceipt" => format!("{RECEIPT} {PAYMENT} {INSTALLMENTS} {EVENT}"),
        "refundReceipt" => format!("refund {{ id amount {{ amount }} reason }} {RECEIPT} {PAYMENT} {EVENT}"),
        _ => format!("{PAYMENT} {INSTALLMENTS} {EVENT}"),
    };
    let query = format!("mutation ($input: {kind}!) {{ change: {mutation}(input: $input) {{ {selected} {END} }} }}");
    json!({ "query": query, "variables": { "input": input } })
}

/// An idempotency key that nobody has used.
pub fn new_key() -> Value {
    Uuid::now_v7().to_string().into()
}

/// The input with other or more members.
pub fn with(mut input: Value, more: Value) -> Value {
    if let (Some(input), Value::Object(more)) = (input.as_object_mut(), more) {
        input.extend(more);
    }
    input
}

/// Money as an input takes it.
pub fn money(amount: &str, currency: &str) -> Value {
    json!({ "amount": amount, "currency": currency })
}

/// Rupiah as an input takes them.
pub fn rupiah(amount: &str) -> Value {
    money(amount, "IDR")
}

/// A payment of IDR 900,000 in three equal installments, due at the ends of three months from November 2026.
pub fn new_payment(reference: &str) -> Value {
    json!({
        "reference": reference,
        "amount": rupiah("900000"),
        "plan": { "even": { "count": 3, "firstDueDate": "2026-11-30" } },
    })
}

/// Rupiah that arrived for a payment an hour before now.
pub fn new_receipt(payment: &str, amount: &str) -> Value {
    json!({
        "paymentId": payment,
        "amount": rupiah(amount),
        "receivedAt": "2026-10-30T11:00:00Z",
        "method": "BANK_TRANSFER",
    })
}

/// What came of a mutation.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The whole answer.
    pub answer: Answer,
}

impl Changed {
    /// The same, which must not be a refusal.
    #[track_caller]
    pub fn done(self) -> Self {
        assert_eq!(self.at("/userErrors"), &json!([]), "refused: {:#}", self.answer.body);
        self
    }

    /// The value at a JSON pointer below the payload.
    #[track_caller]
    pub fn at(&self, pointer: &str) -> &Value {
        self.answer.at(&format!("/change{pointer}"))
    }

    /// The text at a JSON pointer below the payload.
    #[track_caller]
    pub fn text(&self, pointer: &str) -> &str {
        self.at(pointer).as_str().unwrap_or_else(|| panic!("no text at {pointer} in {:#}", self.answer.body))
    }

    /// The id of the payment.
    #[track_caller]
    pub fn payment_id(&self) -> String {
        self.text("/payment/id").to_owned()
    }

    /// The version of the payment.
    #[track_caller]
    pub fn version(&self) -> i64 {
        self.at("/payment/version").as_i64().unwrap()
    }

    /// The id of the receipt.
    #[track_caller]
    pub fn receipt_id(&self) -> String {
        self.text("/receipt/id").to_owned()
    }

    /// The id of the installment at a place among those that changed.
    #[track_caller]
    pub fn installment_id(&self, place: usize) -> String {
        self.text(&format!("/installments/{place}/id")).to_owned()
    }

    /// The ids of the installments that changed.
    #[track_caller]
    pub fn installment_ids(&self) -> Vec<String> {
        let installments = self.at("/installments").as_array().unwrap();
        installments.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Some amounts of the payment, with spaces between.
    #[track_caller]
    pub fn amounts(&self, of: &[&str]) -> String {
        let amounts: Vec<_> = of.iter().map(|name| self.text(&format!("/payment/{name}/amount"))).collect();
        amounts.join(" ")
    }

    /// One line for each installment that changed: when it falls due, its status, and what is outstanding of it.
    #[track_caller]
    pub fn installments(&self) -> Vec<String> {
        let line = |row: &Value| {
            let text = |pointer| row.pointer(pointer).and_then(Value::as_str).unwrap_or("?").to_owned();
            format!("{} {} {}", text("/dueDate"), text("/status"), text("/outstanding/amount"))
        };
        self.at("/installments").as_array().unwrap().iter().map(line).collect()
    }

    /// What the event says of the change, decoded.
    #[track_caller]
    pub fn event(&self, side: &str) -> Value {
        serde_json::from_str(self.text(&format!("/event/{side}"))).unwrap()
    }

    /// The code and the place of each user error, such as `INVALID input.amount.amount`.
    #[track_caller]
    pub fn refusals(&self) -> Vec<String> {
        self.at("/userErrors").as_array().unwrap().iter().map(Self::refusal).collect()
    }

    fn refusal(error: &Value) -> String {
        let field: Vec<_> = error["field"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        format!("{} {}", error["code"].as_str().unwrap(), field.join("."))
    }

    /// How many SQL statements it took.
    #[track_caller]
    pub fn statements(&self) -> u64 {
        self.answer.statements()
    }
}

impl TestApp {
    /// Sends a mutation.
    pub async fn change(&self, mutation: &str, input: Value) -> Changed {
        Changed { answer: self.send(&change_body(mutation, input)).await }
    }

    /// A new payment of [`new_payment`].
    pub async fn debt(&self, reference: &str) -> Changed {
        self.change("createPayment", new_payment(reference)).await.done()
    }

    /// What is in the database, as far as changes go: how many rows each table has, and the sum of all versions.
    pub async fn contents(&self) -> BTreeMap<String, i64> {
        let (backend, reader) = (self.database.backend(), self.database.reader(std::sync::Arc::default()));
        let tables = match backend {
            DbBackend::Postgres => "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'",
            _ => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        };
        let tables = reader.query_all_raw(Statement::from_string(backend, tables)).await.unwrap();
        let tables = tables.iter().map(|row| row.try_get_by_index::<String>(0).unwrap());
        let counts = tables.map(|table| format!("SELECT '{table}', count(*) FROM \"{table}\""));
        let versions = "SELECT 'versions', CAST(coalesce(sum(version), 0) AS bigint) FROM payment".to_owned();
        let sql = counts.chain([versions]).collect::<Vec<_>>().join(" UNION ALL ");
        let rows = reader.query_all_raw(Statement::from_string(backend, sql)).await.unwrap();
        rows.iter().map(|row| (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap())).collect()
    }
}

impl Session<'_> {
    /// Sends a mutation.
    pub async fn change(&self, mutation: &str, input: Value) -> Changed {
        Changed { answer: self.send(&change_body(mutation, input)).await }
    }
}

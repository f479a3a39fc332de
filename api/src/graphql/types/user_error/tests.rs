use async_graphql::{EmptyMutation, EmptySubscription, Object, Schema};
use entity::ids::{AccountId, PaymentId, ReceiptId};
use uuid::Uuid;

use super::*;
use crate::domain;
use crate::domain::currency::Currency;

struct Query;

#[Object]
impl Query {
    async fn errors(&self) -> Vec<UserError> {
        let usd = |minor| domain::money::Money::new(minor, Currency::usd());
        let (expected, actual) = (Box::new(usd(100)), Box::new(usd(101)));
        [
            Reason::Invalid,
            Reason::NotFound,
            Reason::CurrencyMismatch,
            Reason::RateUnavailable,
            Reason::AmountExceedsOutstanding { outstanding: usd(150) },
            Reason::PlanSumMismatch { expected, actual },
            Reason::InvalidState { payment: Box::new(payment()) },
            Reason::VersionConflict { current: Box::new(payment()) },
            Reason::Duplicate { existing: Existing::Payment(PaymentId(Uuid::nil())) },
            Reason::Duplicate { existing: Existing::Receipt(ReceiptId(Uuid::nil())) },
            Reason::KeyReused { first_used_at: chrono::DateTime::UNIX_EPOCH },
            Reason::KeyInProgress { retry_after_seconds: 2 },
        ]
        .into_iter()
        .map(|reason| Rejection::new(["input", "id"], "no", reason).into())
        .collect()
    }
}

/// A payment that is written off, of version 7.
fn payment() -> payment::Model {
    payment::Model {
        id: PaymentId(Uuid::nil()),
        account_id: AccountId(Uuid::nil()),
        reference: "INV/1".to_owned(),
        payer_name: None,
        description: None,
        currency: "USD".to_owned(),
        amount: 100,
        allocated: 0,
        waived: 0,
        written_off: 100,
        outstanding: 0,
        received: 0,
        refunded: 0,
        credit: 0,
        status: payment::Status::WrittenOff,
        time_zone: "Asia/Jakarta".to_owned(),
        next_due_date: None,
        version: 7,
        head_hash: String::new(),
        created_at: chrono::DateTime::UNIX_EPOCH,
        updated_at: chrono::DateTime::UNIX_EPOCH,
    }
}

/// Both styles work: the interface alone, and a type's own fields. Each reason has a type and a code of its own.
#[tokio::test]
async fn every_reason_is_an_error_of_its_own() {
    let schema = Schema::new(Query, EmptyMutation, EmptySubscription);
    let query = "{ errors {
        type: __typename code message field
        ... on AmountExceedsOutstanding { outstanding { amount } }
        ... on PlanSumMismatch { expected { amount } actual { amount } }
        ... on InvalidState { status }
        ... on VersionConflict { currentVersion current { reference version } }
        ... on IdempotencyConflict { firstUsedAt retryAfterSeconds }
    } }";
    let answer = schema.execute(query).await.into_result().unwrap().data.into_json().unwrap();
    let mut lines = Vec::new();
    for error in answer["errors"].as_array().unwrap() {
        let mut error = error.as_object().unwrap().clone();
        assert_eq!(error.remove("message").unwrap(), "no");
        assert_eq!(error.remove("field").unwrap(), serde_json::json!(["input", "id"]));
        let (kind, code) = (error.remove("type").unwrap(), error.remove("code").unwrap());
        let more = serde_json::to_string(&error).unwrap();
        lines.push(format!("{} {} {more}", kind.as_str().unwrap(), code.as_str().unwrap()));
    }
    assert_eq!(
        lines,
        [
            r#"ValidationError INVALID {}"#,
            r#"ValidationError NOT_FOUND {}"#,
            r#"ValidationError CURRENCY_MISMATCH {}"#,
            r#"ValidationError RATE_UNAVAILABLE {}"#,
            r#"AmountExceedsOutstanding AMOUNT_EXCEEDS_OUTSTANDING {"outstanding":{"amount":"1.50"}}"#,
            r#"PlanSumMismatch PLAN_SUM_MISMATCH {"actual":{"amount":"1.01"},"expected":{"amount":"1.00"}}"#,
            r#"InvalidState INVALID_STATE {"status":"WRITTEN_OFF"}"#,
            r#"VersionConflict VERSION_CONFLICT {"current":{"reference":"INV/1","version":7},"currentVersion":7}"#,
            r#"DuplicateReference DUPLICATE {}"#,
            r#"DuplicateReference DUPLICATE {}"#,
            r#"IdempotencyConflict IDEMPOTENCY_KEY_REUSED {"firstUsedAt":"1970-01-01T00:00:00Z","retryAfterSeconds":null}"#,
            r#"IdempotencyConflict IDEMPOTENCY_IN_PROGRESS {"firstUsedAt":null,"retryAfterSeconds":2}"#,
        ],
    );
}

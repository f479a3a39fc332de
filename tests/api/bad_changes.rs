//! What a client may not change: each mistake with its code and its place, and nothing written.

use dermaga_tests::{Backend, Changed, MUTATIONS, TestApp, change_body, each_database, new_payment, new_receipt, with};
use serde_json::{Value, json};

/// Payments to make mistakes on.
struct Victims {
    /// Paid with IDR 400,000; at version 2.
    debt: Changed,
    /// That receipt.
    receipt: Changed,
    /// Not paid; at version 1.
    unpaid: Changed,
    /// Of another account.
    foreign: Changed,
    foreign_receipt: Changed,
}

impl Victims {
    async fn of(app: &TestApp) -> Self {
        app.other_account("other").await;
        let other = app.session("other", "CLERK");
        let foreign = other.change("createPayment", new_payment("INV-1")).await.done();
        let foreign_receipt = other.change("recordReceipt", new_receipt(&foreign.payment_id(), "5")).await.done();
        let debt = app.debt("INV-1").await;
        let more = json!({ "externalReference": "BCA 17" });
        let receipt = with(new_receipt(&debt.payment_id(), "400000"), more);
        let receipt = app.change("recordReceipt", receipt).await.done();
        let unpaid = app.debt("INV-9").await;
        Self { debt, receipt, unpaid, foreign, foreign_receipt }
    }

    /// An input that would be accepted.
    fn good(&self, mutation: &str) -> Value {
        let id = self.debt.payment_id();
        let at = |more: Value| with(json!({ "expectedVersion": 2, "reason": "a test" }), more);
        match mutation {
            "createPayment" => new_payment("INV-2"),
            "createPayments" => json!({ "payments": [new_payment("INV-2"), new_payment("INV-3")] }),
            "reschedulePayment" => {
                at(json!({ "id": id, "plan": { "even": { "count": 2, "firstDueDate": "2027-01-31" } } }))
            }
            "recordReceipt" => new_receipt(&id, "5"),
            "reverseReceipt" => json!({ "receiptId": self.receipt.receipt_id(), "reason": "a test" }),
            "refundReceipt" => {
                let amount = json!({ "amount": "5", "currency": "IDR" });
                json!({ "receiptId": self.receipt.receipt_id(), "amount": amount, "reason": "a test" })
            }
            "waiveInstallment" => at(json!({ "id": self.debt.installment_id(2), "amount": "5" })),
            "cancelPayment" => at(json!({ "id": self.unpaid.payment_id(), "expectedVersion": 1 })),
            _ => at(json!({ "id": id })),
        }
    }
}

/// The input with another value at a JSON pointer.
fn changed(mut input: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = input.pointer_mut(parent).unwrap_or_else(|| panic!("nothing at {parent}"));
    match parent {
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        parent => parent[name] = value,
    }
    input
}

/// The pointer as a path of a user error.
fn path(pointer: &str) -> String {
    format!("input{}", pointer.replace('/', "."))
}

/// What is no amount of anything that is owed, given back or forgiven.
const BAD_AMOUNTS: [&str; 5] = ["-1", "0", "0.001", "-99999999999999999999", "0.00"];

/// Amounts that no row can hold: one more than 64 bits, and twenty digits.
const TOO_LARGE: [&str; 2] = ["92233720368547758.08", "99999999999999999999"];

each_database! {
    /// Every mistake that the input of a change can hold is data with a code and a place, and nothing comes of it.
    async fn each_mistake_is_told_where_it_is(backend: Backend) {
        let app = TestApp::builder(backend).signed_in().spawn().await;
        let victims = Victims::of(&app).await;
        let mut cases: Vec<(&str, &str, Value, &str)> = Vec::new();
        for bad in BAD_AMOUNTS {
            for mutation in ["createPayment", "recordReceipt", "refundReceipt"] {
                cases.push((mutation, "/amount/amount", json!(bad), "INVALID"));
            }
            cases.push(("createPayments", "/payments/1/amount/amount", json!(bad), "INVALID"));
            cases.push(("waiveInstallment", "/amount", json!(bad), "INVALID"));
        }
        for large in TOO_LARGE {
            cases.push(("createPayment", "/amount/amount", json!(large), "INVALID"));
            cases.push(("recordReceipt", "/amount/amount", json!(large), "INVALID"));
            cases.push(("refundReceipt", "/amount/amount", json!(large), "AMOUNT_EXCEEDS_OUTSTANDING"));
            cases.push(("waiveInstallment", "/amount", json!(large), "AMOUNT_EXCEEDS_OUTSTANDING"));
        }
        cases.push(("recordReceipt", "/amount/amount", json!("500000.01"), "AMOUNT_EXCEEDS_OUTSTANDING"));
        for mutation in ["recordReceipt", "refundReceipt"] {
            cases.push((mutation, "/amount/currency", json!("USD"), "CURRENCY_MISMATCH"));
        }
        // Texts: nothing, too much, and what cannot be shown or stored.
        for bad in [String::new(), " ".into(), "a\u{0}b".into(), "a\u{7}b".into(), "x".repeat(2_001)] {
            for (mutation, pointer) in [
                ("createPayment", "/reference"),
                ("createPayment", "/payerName"),
                ("createPayment", "/description"),
                ("createPayment", "/timeZone"),
                ("createPayments", "/payments/1/reference"),
                ("recordReceipt", "/method"),
                ("recordReceipt", "/externalReference"),
                ("reschedulePayment", "/reason"),
                ("reverseReceipt", "/reason"),
                ("refundReceipt", "/reason"),
                ("waiveInstallment", "/reason"),
                ("cancelPayment", "/reason"),
                ("writeOffPayment", "/reason"),
            ] {
                cases.push((mutation, pointer, json!(bad), "INVALID"));
            }
        }
        for (pointer, length) in [("/method", 65), ("/externalReference", 201)] {
            cases.push(("recordReceipt", pointer, json!("x".repeat(length)), "INVALID"));
        }
        for pointer in ["/reference", "/payerName"] {
            cases.push(("createPayment", pointer, json!("x".repeat(201)), "INVALID"));
        }
        for zone in ["Java/Bandung", "asia/jakarta ", "+07:00", "Asia"] {
            cases.push(("createPayment", "/timeZone", json!(zone), "INVALID"));
        }
        cases.push(("createPayment", "/reference", json!("INV-1"), "DUPLICATE"));
        cases.push(("recordReceipt", "/externalReference", json!("BCA 17"), "DUPLICATE"));
        for late in ["2026-10-31T12:00:01Z", "9999-12-31T23:59:59Z"] {
            cases.push(("recordReceipt", "/receivedAt", json!(late), "INVALID"));
        }
        // Plans.
        for count in [0, -1, 1_001, 10_000, i32::MAX] {
            for mutation in ["createPayment", "reschedulePayment"] {
                cases.push((mutation, "/plan/even/count", json!(count), "INVALID"));
            }
        }
        // Ids: another account's, of another kind, and none at all.
        let ids = [
            ("NOT_FOUND", victims.foreign.payment_id(), victims.foreign_receipt.receipt_id(), victims.foreign.installment_id(1)),
            ("NOT_FOUND", format!("pay_{}", "0".repeat(32)), format!("rec_{}", "0".repeat(32)), format!("ins_{}", "0".repeat(32))),
            ("INVALID", victims.debt.installment_id(0), victims.debt.payment_id(), victims.receipt.receipt_id()),
            ("INVALID", "INV-1".to_owned(), "BCA 17".to_owned(), "' OR 1=1 --".to_owned()),
            ("INVALID", String::new(), "rec_".to_owned(), "ins_\u{0}".to_owned()),
        ];
        for (code, payment, receipt, installment) in ids {
            for mutation in ["reschedulePayment", "cancelPayment", "writeOffPayment"] {
                cases.push((mutation, "/id", json!(payment), code));
            }
            cases.push(("recordReceipt", "/paymentId", json!(payment), code));
            for mutation in ["reverseReceipt", "refundReceipt"] {
                cases.push((mutation, "/receiptId", json!(receipt), code));
            }
            cases.push(("waiveInstallment", "/id", json!(installment), code));
        }
        for (mutation, _) in MUTATIONS {
            if !mutation.starts_with("create") {
                cases.push((mutation, "/expectedVersion", json!(7), "VERSION_CONFLICT"));
            }
        }

        let before = app.contents().await;
        for (mutation, pointer, value, code) in cases {
            let what = format!("{mutation} with {:.60} at {pointer}", value.to_string());
            let refused = app.change(mutation, changed(victims.good(mutation), pointer, value)).await;
            assert_eq!(refused.refusals(), [format!("{code} {}", path(pointer))], "{what}");
            let message = refused.text("/userErrors/0/message");
            assert!(!message.is_empty() && message.len() < 200 && !message.contains('\u{0}'), "{what}: {message}");
        }
        assert_eq!(app.contents().await, before);
        // Each input is good without its mistake.
        for (mutation, _) in MUTATIONS {
            app.change(mutation, with(victims.good(mutation), json!({ "dryRun": true }))).await.done();
        }
        let almost = changed(victims.good("recordReceipt"), "/receivedAt", json!("2026-10-31T19:00:00+07:00"));
        app.change("recordReceipt", almost).await.done();
    }

    /// The goods of a payment are checked one by one.
    async fn each_line_is_checked(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let line = json!({ "hsCode": "0301", "description": "Fish", "quantity": "2", "unit": "t", "unitPrice": "5" });
        let with_lines = |lines: Value| with(new_payment("INV-1"), json!({ "lines": lines }));
        let before = app.contents().await;
        for (name, value, field, code) in [
            ("hsCode", json!("99"), "hsCode", "NOT_FOUND"),
            ("quantity", json!("0"), "quantity", "INVALID"),
            ("quantity", json!("-0.5"), "quantity", "INVALID"),
            ("unitPrice", json!("-5"), "unitPrice", "INVALID"),
            ("unitPrice", json!("0.001"), "unitPrice", "INVALID"),
            ("unitPrice", json!("9".repeat(20)), "unitPrice", "INVALID"),
            ("quantity", json!("9".repeat(20)), "unitPrice", "INVALID"),
            ("unit", json!("x".repeat(65)), "unit", "INVALID"),
            ("unit", json!(""), "unit", "INVALID"),
            ("description", json!("a\u{0}"), "description", "INVALID"),
        ] {
            let bad = with(line.clone(), json!({ name: value }));
            let refused = app.change("createPayment", with_lines(json!([line, bad]))).await;
            assert_eq!(refused.refusals(), [format!("{code} input.lines.1.{field}")], "{name}: {value}");
        }
        let many = app.change("createPayment", with_lines(json!(vec![line.clone(); 201]))).await;
        assert_eq!(many.refusals(), ["INVALID input.lines"]);
        assert_eq!(app.contents().await, before);
        app.change("createPayment", with_lines(json!(vec![line; 200]))).await.done();
    }

    /// What cannot be read at all is an error of the request with its code: no mutation begins.
    async fn what_cannot_be_read_is_an_error(backend: Backend) {
        let app = TestApp::builder(backend).signed_in().spawn().await;
        let victims = Victims::of(&app).await;
        let before = app.contents().await;
        let decimals = ["9".repeat(21), "1e3".into(), "1,000".into(), "Rp 5".into(), "0.1234567890123".into(), String::new()];
        let mut cases: Vec<_> =
            decimals.iter().map(|bad| ("recordReceipt", "/amount/amount", json!(bad), "INVALID_DECIMAL")).collect();
        cases.extend([
            ("recordReceipt", "/amount/amount", json!(5), "INVALID_DECIMAL"),
            ("recordReceipt", "/amount/amount", json!(5.5), "INVALID_DECIMAL"),
            ("waiveInstallment", "/amount", json!("NaN"), "INVALID_DECIMAL"),
            ("createPayment", "/amount/currency", json!("XXQ"), "UNKNOWN_CURRENCY"),
            ("createPayment", "/plan/even/firstDueDate", json!("2026-02-31"), "INVALID_DATE"),
            ("reschedulePayment", "/plan/even/firstDueDate", json!("31-02-2026"), "INVALID_DATE"),
            ("recordReceipt", "/receivedAt", json!("2026-02-31T00:00:00Z"), "INVALID_DATE"),
            ("recordReceipt", "/receivedAt", json!("yesterday"), "INVALID_DATE"),
            ("cancelPayment", "/idempotencyKey", json!("short"), "INVALID_IDEMPOTENCY_KEY"),
            ("cancelPayment", "/idempotencyKey", json!("x".repeat(256)), "INVALID_IDEMPOTENCY_KEY"),
            ("cancelPayment", "/idempotencyKey", json!("a key\u{0} with more"), "INVALID_IDEMPOTENCY_KEY"),
            ("cancelPayment", "/idempotencyKey", json!("kunci é rahasia"), "INVALID_IDEMPOTENCY_KEY"),
            ("cancelPayment", "/idempotencyKey", json!(12_345_678), "INVALID_IDEMPOTENCY_KEY"),
            ("cancelPayment", "/idempotencyKey", Value::Null, "GRAPHQL_VALIDATION_FAILED"),
            ("cancelPayment", "/expectedVersion", json!("1"), "GRAPHQL_VALIDATION_FAILED"),
            ("cancelPayment", "/expectedVersion", json!(2_147_483_648_i64), "GRAPHQL_VALIDATION_FAILED"),
            ("cancelPayment", "/reason", Value::Null, "GRAPHQL_VALIDATION_FAILED"),
            ("createPayments", "/payments/0/colour", json!("red"), "GRAPHQL_VALIDATION_FAILED"),
            ("createPayments", "/payments/1", Value::Null, "GRAPHQL_VALIDATION_FAILED"),
            ("createPayment", "/plan/explicit", json!([]), "GRAPHQL_VALIDATION_FAILED"),
        ]);
        for (mutation, pointer, value, code) in cases {
            let what = format!("{mutation} with {:.60} at {pointer}", value.to_string());
            let answer = app.send(&change_body(mutation, changed(victims.good(mutation), pointer, value))).await;
            assert_eq!(answer.codes(), [code], "{what}: {:#}", answer.body);
            assert!(answer.body["data"].is_null(), "{what}");
        }
        assert_eq!(app.contents().await, before);
    }

    /// Whoever may only read is refused before anything runs, and is not told that anything could be done.
    async fn who_may_only_read_changes_nothing(backend: Backend) {
        let app = TestApp::builder(backend).signed_in().spawn().await;
        let viewer = app.session("demo", "VIEWER");
        crate::changes::every_change(async |mutation, input| {
            let before = app.contents().await;
            for dry_run in [false, true] {
                let input = with(input.clone(), json!({ "dryRun": dry_run }));
                let answer = viewer.send(&change_body(mutation, input)).await;
                assert_eq!(answer.codes(), ["FORBIDDEN"], "{mutation}");
                assert!(answer.body["data"].is_null());
            }
            assert_eq!(app.contents().await, before, "{mutation}");
            app.session("demo", "CLERK").change(mutation, input).await
        })
        .await;
        let query = "{ payments { nodes { status allowedActions } } }";
        let (seen, may) = (viewer.graphql(query).await, app.graphql(query).await);
        let payments = seen.at("/payments/nodes").as_array().unwrap().iter().zip(may.at("/payments/nodes").as_array().unwrap());
        for (seen, may) in payments {
            assert_eq!(seen["allowedActions"], json!([]), "{seen}");
            assert_eq!(may["allowedActions"] == json!([]), may["status"] == "CANCELLED" || may["status"] == "WRITTEN_OFF", "{may}");
        }
    }
}

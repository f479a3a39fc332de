//! One payment with all that hangs on it.

use chrono::{DateTime, Utc};
use dermaga_tests::{Backend, NOW, TestApp, each_database, insert_payments};
use entity::ids::{AllocationId, InstallmentId, InstallmentPlanId, PaymentLineId, ReceiptId, RefundId};
use entity::{allocation, installment, installment_plan, payment, payment_line, receipt, refund};
use sea_orm::{ActiveModelBehavior, ActiveModelTrait, EntityTrait, IntoActiveModel};
use serde_json::{Value, json};
use uuid::Uuid;

each_database! {
    /// What is shown of a payment is what its rows hold, each amount in its place.
    async fn a_payment_shows_its_amounts(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        story(&app).await;
        let money = "{ amount currency }";
        let query = format!(
            "{{ payment(reference: \"P\") {{
                reference payerName description status timeZone version createdAt updatedAt
                amount {money} allocated {money} waived {money} writtenOff {money}
                outstanding {money} received {money} credit {money}
            }} }}"
        );
        let idr = |amount: &str| json!({ "amount": amount, "currency": "IDR" });
        assert_eq!(
            app.graphql(&query).await.at("/payment"),
            &json!({
                "reference": "P", "payerName": "Kopi Nordic AB", "description": null, "status": "PARTIALLY_PAID",
                "timeZone": "Asia/Jakarta", "version": 7,
                "createdAt": "2026-10-30T12:00:00Z", "updatedAt": "2026-10-30T12:00:00.250Z",
                "amount": idr("1000000.00"), "allocated": idr("400000.00"), "waived": idr("20000.00"),
                "writtenOff": idr("0.00"), "outstanding": idr("580000.00"), "received": idr("410000.00"),
                "credit": idr("10000.00"),
            }),
        );
    }

    /// Goods are in the order of the invoice, and lead to their commodity where there is one.
    async fn lines_lead_to_commodities(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        story(&app).await;
        let query = "{ payment(reference: \"P\") { lines {
            description quantity unit unitPrice { amount } total { amount currency }
            commodity { code codeFormatted level declarable parent { code } }
        } } }";
        assert_eq!(
            app.graphql(query).await.at("/payment/lines"),
            &json!([
                {
                    "description": "Live fish", "quantity": "12.500", "unit": "kg",
                    "unitPrice": { "amount": "70000.00" },
                    "total": { "amount": "875000.00", "currency": "IDR" },
                    "commodity": {
                        "code": "030111", "codeFormatted": "0301.11", "level": "SUBHEADING", "declarable": true,
                        "parent": { "code": "0301" },
                    },
                },
                {
                    "description": "Ice", "quantity": "1", "unit": "box", "unitPrice": { "amount": "125000.00" },
                    "total": { "amount": "125000.00", "currency": "IDR" }, "commodity": null,
                },
            ]),
        );
    }

    /// The plan in force, and those that it replaced.
    async fn plans_lead_to_those_they_replaced(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        story(&app).await;
        let plan = "revision frequency count remainder roundingUnit";
        let plans = format!("{plan} previous {{ {plan} previous {{ count }} }}");
        let query = format!("{{ payment(reference: \"P\") {{ plan {{ {plans} }} }} }}");
        assert_eq!(
            app.graphql(&query).await.at("/payment/plan"),
            &json!({
                "revision": 2, "frequency": "WEEKLY", "count": 4, "remainder": "SPREAD", "roundingUnit": "1.00",
                "previous": {
                    "revision": 1, "frequency": "CUSTOM", "count": 2, "remainder": null, "roundingUnit": "1000.00",
                    "previous": null,
                },
            }),
        );
        app.payment().reference("WHOLE").create(&app.database).await;
        let answer = app.graphql("{ payment(reference: \"WHOLE\") { plan { count } lines { unit } } }").await;
        assert_eq!(answer.at("/payment"), &json!({ "plan": null, "lines": [] }));
    }

    /// Money can be followed from the receipt to the installment and back.
    async fn allocations_are_seen_from_both_ends(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        story(&app).await;
        let query = "{ payment(reference: \"P\") {
            receipts { nodes {
                amount { amount } unallocated { amount } method externalReference receivedAt reversedAt
                allocations { amount { amount } installment { sequence payment { reference } } }
            } }
            installments { nodes {
                sequence received { amount } waived { amount } outstanding { amount } status settledAt
                allocations { nodes { amount { amount } receipt { externalReference payment { reference } } } }
            } }
        } }";
        let answer = app.graphql(query).await;
        let to = |amount: &str, sequence: i32| {
            json!({
                "amount": { "amount": amount },
                "installment": { "sequence": sequence, "payment": { "reference": "P" } },
            })
        };
        let receipt = |amount: &str, unallocated: &str, reference: Option<&str>, at: &str, allocations: Value| {
            json!({
                "amount": { "amount": amount }, "unallocated": { "amount": unallocated }, "method": "BANK_TRANSFER",
                "externalReference": reference, "receivedAt": at, "allocations": allocations,
                "reversedAt": reference.is_none().then_some("2026-10-30T12:00:00Z"),
            })
        };
        let first = json!([to("250000.00", 1), to("50000.00", 2)]);
        assert_eq!(
            answer.at("/payment/receipts/nodes"),
            &json!([
                receipt("300000.00", "0.00", Some("B-1"), "2026-10-16T05:00:00Z", first),
                receipt("70000.00", "70000.00", None, "2026-10-17T05:00:00Z", json!([])),
                receipt("110000.00", "10000.00", Some("B-2"), "2026-10-18T05:00:00Z", json!([to("100000.00", 2)])),
            ]),
        );
        let from = |amount: &str, reference: &str| {
            json!({
                "amount": { "amount": amount },
                "receipt": { "externalReference": reference, "payment": { "reference": "P" } },
            })
        };
        let installment = |sequence: i32, amounts: [&str; 3], status: &str, allocations: Value| {
            let [received, waived, outstanding] = amounts.map(|amount| json!({ "amount": amount }));
            json!({
                "sequence": sequence, "received": received, "waived": waived, "outstanding": outstanding,
                "status": status, "settledAt": (status == "PAID").then_some("2026-10-30T12:00:00Z"),
                "allocations": { "nodes": allocations },
            })
        };
        let untouched = ["0.00", "0.00", "250000.00"];
        assert_eq!(
            answer.at("/payment/installments/nodes"),
            &json!([
                installment(1, ["250000.00", "0.00", "0.00"], "PAID", json!([from("250000.00", "B-1")])),
                installment(
                    2,
                    ["150000.00", "20000.00", "80000.00"],
                    "PARTIALLY_PAID",
                    json!([from("50000.00", "B-1"), from("100000.00", "B-2")]),
                ),
                installment(3, untouched, "PENDING", json!([])),
                installment(4, untouched, "PENDING", json!([])),
            ]),
        );
    }
}

/// The payment `P`: IDR 1,000,000 in four weekly installments from 16 October, the first paid, the second in part.
/// Three receipts, one of them reversed; two plans and two lines.
pub(crate) async fn story(app: &TestApp) -> (payment::Model, Vec<installment::Model>, Vec<receipt::Model>) {
    let (mut payment, mut parts) =
        app.payment().reference("P").installments(&[25_000_000; 4]).first_due("2026-10-16").rows();
    payment.payer_name = Some("Kopi Nordic AB".to_owned());
    payment.status = payment::Status::PartiallyPaid;
    (payment.allocated, payment.waived, payment.outstanding) = (40_000_000, 2_000_000, 58_000_000);
    (payment.received, payment.credit, payment.version) = (41_000_000, 1_000_000, 7);
    payment.next_due_date = Some(parts[1].due_date);
    payment.updated_at = NOW + chrono::TimeDelta::milliseconds(250);
    (parts[0].allocated, parts[0].outstanding) = (25_000_000, 0);
    (parts[0].status, parts[0].settled_at) = (installment::Status::Paid, Some(NOW));
    (parts[1].allocated, parts[1].waived, parts[1].outstanding) = (15_000_000, 2_000_000, 8_000_000);
    parts[1].status = installment::Status::PartiallyPaid;
    insert_payments(&app.database, vec![(payment.clone(), parts.clone())]).await;

    let plan = |revision, frequency, count, remainder, rounding_unit| installment_plan::Model {
        id: InstallmentPlanId(Uuid::now_v7()),
        account_id: payment.account_id,
        payment_id: payment.id,
        revision,
        frequency,
        count,
        remainder,
        rounding_unit,
        created_at: NOW,
    };
    let spread = Some(installment_plan::Remainder::Spread);
    let plans = [
        plan(1, installment_plan::Frequency::Custom, 2, None, 100_000),
        plan(2, installment_plan::Frequency::Weekly, 4, spread, 100),
    ];
    insert(app, plans).await;

    let receipt = |amount, unallocated, reference: Option<&str>, at: &str| receipt::Model {
        received_at: at.parse::<DateTime<Utc>>().unwrap(),
        reversed_at: reference.is_none().then_some(NOW),
        ..receipt_of(&payment, amount, unallocated, reference)
    };
    // Not in the order in which they arrived.
    let receipts = [
        receipt(11_000_000, 1_000_000, Some("B-2"), "2026-10-18T12:00:00+07:00"),
        receipt(30_000_000, 0, Some("B-1"), "2026-10-16T12:00:00+07:00"),
        receipt(7_000_000, 7_000_000, None, "2026-10-17T12:00:00+07:00"),
    ];
    insert(app, receipts.clone()).await;
    let allocations = [
        allocation_of(&receipts[1], parts[0].id, 25_000_000),
        allocation_of(&receipts[1], parts[1].id, 5_000_000),
        allocation_of(&receipts[0], parts[1].id, 10_000_000),
    ];
    insert(app, allocations).await;

    let line =
        |position, commodity: Option<&str>, description: &str, (quantity, unit): (&str, &str), amounts: (i64, i64)| {
            payment_line::Model {
                id: PaymentLineId(Uuid::now_v7()),
                account_id: payment.account_id,
                payment_id: payment.id,
                position,
                commodity_code: commodity.map(str::to_owned),
                description: description.to_owned(),
                quantity: quantity.to_owned(),
                unit: unit.to_owned(),
                currency: payment.currency.clone(),
                unit_price: amounts.0,
                total: amounts.1,
            }
        };
    let lines = [
        line(2, None, "Ice", ("1", "box"), (12_500_000, 12_500_000)),
        line(1, Some("030111"), "Live fish", ("12.500", "kg"), (7_000_000, 87_500_000)),
    ];
    insert(app, lines).await;
    (payment, parts, receipts.into())
}

/// A receipt of a payment, on the current day.
pub(crate) fn receipt_of(
    of: &payment::Model,
    amount: i64,
    unallocated: i64,
    reference: Option<&str>,
) -> receipt::Model {
    receipt::Model {
        id: ReceiptId(Uuid::now_v7()),
        account_id: of.account_id,
        payment_id: of.id,
        currency: of.currency.clone(),
        amount,
        unallocated,
        refunded: 0,
        received_at: NOW,
        method: "BANK_TRANSFER".to_owned(),
        external_reference: reference.map(str::to_owned),
        fx_quote: None,
        fx_rate: None,
        fx_effective_date: None,
        fx_purpose: None,
        fx_source: None,
        reversed_at: None,
        created_at: NOW,
    }
}

/// A part of a receipt that was given back.
pub(crate) fn refund_of(receipt: &receipt::Model, amount: i64) -> refund::Model {
    refund::Model {
        id: RefundId(Uuid::now_v7()),
        account_id: receipt.account_id,
        payment_id: receipt.payment_id,
        receipt_id: receipt.id,
        currency: receipt.currency.clone(),
        amount,
        reason: "returned goods".to_owned(),
        created_at: NOW,
    }
}

/// A part of a receipt on an installment.
pub(crate) fn allocation_of(receipt: &receipt::Model, installment: InstallmentId, amount: i64) -> allocation::Model {
    allocation::Model {
        id: AllocationId(Uuid::now_v7()),
        account_id: receipt.account_id,
        receipt_id: receipt.id,
        installment_id: installment,
        currency: receipt.currency.clone(),
        amount,
    }
}

/// Writes rows of any table.
pub(crate) async fn insert<M, A>(app: &TestApp, rows: impl IntoIterator<Item = M>)
where
    M: IntoActiveModel<A>,
    A: ActiveModelTrait + ActiveModelBehavior + Send,
    <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
{
    app.database
        .write(async |transaction| {
            for row in rows {
                row.into_active_model().reset_all().insert(transaction).await?;
            }
            Ok::<_, sea_orm::DbErr>(())
        })
        .await
        .unwrap();
}

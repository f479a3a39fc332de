//! Previews of plans: an amount in parts, or all that is wrong with what was asked for.

use crate::bad_documents::post;
use dermaga_tests::{Answer, Backend, TestApp, each_database};
use serde_json::{Value, json};

/// Everything that a preview says.
const PREVIEW: &str = "
    query ($amount: MoneyInput!, $plan: PlanInput!, $first: Int! = 100, $after: Int! = 0) {
        previewInstallmentPlan(amount: $amount, plan: $plan) {
            count
            installments(first: $first, afterSequence: $after) {
                sequence kind dueDate amount { amount currency } clampedToMonthEnd
            }
            sum { amount currency }
            largestDifference { amount }
            userErrors {
                __typename code message field
                ... on PlanSumMismatch { expected { amount currency } actual { amount currency } }
            }
        }
    }";

async fn preview(app: &TestApp, amount: &str, currency: &str, plan: Value) -> Answer {
    let variables = json!({"amount": {"amount": amount, "currency": currency}, "plan": plan});
    app.graphql_with(PREVIEW, variables).await
}

/// An even plan from 31 January 2027, with what else is given.
fn even(count: i64, more: Value) -> Value {
    let mut plan = json!({"count": count, "firstDueDate": "2027-01-31"});
    if let (Some(plan), Value::Object(more)) = (plan.as_object_mut(), more) {
        plan.extend(more);
    }
    json!({ "even": plan })
}

/// Amounts, one by one, due month after month.
fn explicit(amounts: &[&str]) -> Value {
    let item =
        |(amount, month): (&&str, i32)| json!({"amount": amount, "dueDate": format!("2027-{:02}-15", month % 12 + 1)});
    json!({"explicit": amounts.iter().zip(0..).map(item).collect::<Vec<_>>()})
}

fn percentages(percents: &[&str]) -> Value {
    let item =
        |(percent, month): (&&str, i32)| json!({"percent": percent, "dueDate": format!("2027-{:02}-15", month + 1)});
    json!({"percentages": {"items": percents.iter().zip(0..).map(item).collect::<Vec<_>>()}})
}

/// One column of the installments, with spaces between.
fn column(answer: &Answer, pointer: &str) -> String {
    let installments = answer.at("/previewInstallmentPlan/installments").as_array().unwrap();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let column = installments.iter().map(|part| part.pointer(pointer).map_or_else(String::new, text));
    column.collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn assert_planned(answer: &Answer, amounts: &str, sum: &str) {
    let preview = answer.at("/previewInstallmentPlan");
    assert_eq!(preview["userErrors"], json!([]), "{:#}", answer.body);
    assert_eq!(column(answer, "/amount/amount"), amounts);
    assert_eq!(preview["sum"]["amount"], sum);
    assert_eq!(preview["count"], amounts.split(' ').count());
}

/// A refused plan has errors and nothing else.
#[track_caller]
fn assert_refused(answer: &Answer, paths: &[&str]) {
    let preview = answer.at("/previewInstallmentPlan");
    let errors = preview["userErrors"].as_array().unwrap();
    let path = |error: &Value| {
        let segments = error["field"].as_array().unwrap();
        segments.iter().map(|segment| segment.as_str().unwrap()).collect::<Vec<_>>().join(".")
    };
    assert_eq!(errors.iter().map(path).collect::<Vec<_>>(), paths, "{:#}", answer.body);
    assert!(errors.iter().all(|error| error["message"].as_str().is_some_and(|message| !message.is_empty())));
    let nothing = (&json!(0), &json!([]), &Value::Null, &Value::Null);
    let found = (&preview["count"], &preview["installments"], &preview["sum"], &preview["largestDifference"]);
    assert_eq!(found, nothing);
}

each_database! {
    /// The table of the rules, as a client sees it, and without a look into the database.
    async fn an_amount_is_split_as_the_rules_say(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for (amount, currency, plan, expected, sum) in [
            ("100000000", "IDR", even(3, json!({})), "33333333.00 33333333.00 33333334.00", "100000000.00"),
            (
                "100000000", "IDR", even(3, json!({"roundingUnit": "1000"})),
                "33333000.00 33333000.00 33334000.00", "100000000.00",
            ),
            ("100000000", "IDR", even(3, json!({"remainder": "FIRST"})), "33333334.00 33333333.00 33333333.00", "100000000.00"),
            ("999", "JPY", even(7, json!({"roundingUnit": "100", "remainder": "SPREAD"})), "200 200 100 100 100 100 199", "999"),
            ("1000001", "IDR", percentages(&["33.33", "33.33", "33.34"]), "333300.00 333301.00 333400.00", "1000001.00"),
            ("100", "USD", explicit(&["0.01", "99.99"]), "0.01 99.99", "100.00"),
            ("100000000000000", "IDR", even(1, json!({})), "100000000000000.00", "100000000000000.00"),
        ] {
            let answer = preview(&app, amount, currency, plan).await;
            assert_planned(&answer, expected, sum);
            assert_eq!(answer.text("/previewInstallmentPlan/sum/currency"), currency);
        }
        let query = "{ previewInstallmentPlan(amount: {amount: \"9\", currency: \"JPY\"},
            plan: {even: {count: 2, firstDueDate: \"2027-01-31\"}}) { sum { amount } installments { amount { formatted } } } }";
        assert_eq!(app.statements_during(query).await, 0);
    }

    /// A deposit is due first and is not counted; months clamp from its date, and each part says whether they did.
    async fn a_deposit_comes_first_and_months_clamp(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let answer = preview(&app, "1000000", "IDR", even(3, json!({"deposit": "300000.50"}))).await;
        assert_planned(&answer, "300000.50 233333.00 233333.00 233333.50", "1000000.00");
        assert_eq!(column(&answer, "/sequence"), "1 2 3 4");
        assert_eq!(column(&answer, "/kind"), "DEPOSIT INSTALLMENT INSTALLMENT INSTALLMENT");
        assert_eq!(column(&answer, "/dueDate"), "2027-01-31 2027-02-28 2027-03-31 2027-04-30");
        assert_eq!(column(&answer, "/clampedToMonthEnd"), "false true false true");
        assert_eq!(answer.text("/previewInstallmentPlan/largestDifference/amount"), "0.50");
        for (frequency, dates) in [
            ("WEEKLY", "2027-01-31 2027-02-07 2027-02-14"),
            ("BIWEEKLY", "2027-01-31 2027-02-14 2027-02-28"),
            ("MONTHLY", "2027-01-31 2027-02-28 2027-03-31"),
            ("QUARTERLY", "2027-01-31 2027-04-30 2027-07-31"),
        ] {
            let answer = preview(&app, "300", "JPY", even(3, json!({"frequency": frequency}))).await;
            assert_eq!(column(&answer, "/dueDate"), dates, "{frequency}");
        }
    }

    /// A thousand installments are a plan; they are shown a page at a time, and counted as such before they are made.
    async fn a_long_plan_is_shown_in_pages(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let ask = async |first: i32, after: i32| {
            let plan = even(1_000, json!({"frequency": "WEEKLY"}));
            let amount = json!({"amount": "1000000", "currency": "IDR"});
            post(&app, &json!({"query": PREVIEW, "variables": {"amount": amount, "plan": plan, "first": first, "after": after}})).await
        };
        let answer = ask(100, 0).await;
        assert_eq!(answer.at("/previewInstallmentPlan/count"), 1_000);
        assert_eq!(column(&answer, "/sequence").split(' ').count(), 100);
        assert_eq!(column(&ask(2, 998).await, "/sequence"), "999 1000");
        assert_eq!(column(&ask(2, 1_000).await, "/sequence"), "");
        assert_eq!(column(&ask(2, i32::MIN).await, "/sequence"), "1 2");
        for first in [0, -1, 101, i32::MAX] {
            assert_eq!(ask(first, 0).await.codes(), ["INVALID_PAGE"], "{first}");
        }
    }

    /// What cannot be agreed to is told as data, at its place in the input, and not as an error of the request.
    async fn what_is_wrong_is_told_at_its_place(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let monthly = |more: Value| even(2, more);
        for (amount, plan, paths) in [
            ("0", even(2, json!({})), &["amount.amount"][..]),
            ("-5", even(2, json!({})), &["amount.amount"]),
            ("1.001", even(2, json!({})), &["amount.amount"]),
            ("99999999999999999999", even(2, json!({})), &["amount.amount"]),
            ("1.001", even(0, json!({})), &["amount.amount", "plan.even.count"]),
            ("100", even(0, json!({})), &["plan.even.count"]),
            ("100", even(-3, json!({})), &["plan.even.count"]),
            ("100", even(10_000, json!({})), &["plan.even.count"]),
            // Not even a rupiah for each.
            ("2", even(3, json!({})), &["plan.even.count"]),
            ("100", monthly(json!({"frequency": "CUSTOM"})), &["plan.even.frequency"]),
            ("100", monthly(json!({"deposit": "100"})), &["plan.even.deposit"]),
            ("100", monthly(json!({"deposit": "0", "roundingUnit": "0.001"})), &["plan.even.deposit", "plan.even.roundingUnit"]),
            ("100", monthly(json!({"firstDueDate": "1900-01-01"})), &["plan.even.firstDueDate"]),
            ("100", monthly(json!({"firstDueDate": "9999-12-31"})), &["plan.even.firstDueDate"]),
            ("100", percentages(&["99.99"]), &["plan.percentages.items"]),
            ("100", percentages(&["50", "0", "50"]), &["plan.percentages.items.1.percent"]),
            ("100", json!({"percentages": {"items": []}}), &["plan.percentages.items"]),
            ("100", explicit(&[]), &["plan.explicit"]),
            ("100", explicit(&["1"; 1_001]), &["plan.explicit"]),
            ("100", explicit(&["50", "-1", "0.001", "0"]), &["plan.explicit.1.amount", "plan.explicit.2.amount", "plan.explicit.3.amount"]),
        ] {
            assert_refused(&preview(&app, amount, "IDR", plan).await, paths);
        }
    }

    /// A program can act on what is wrong: it has a code, and the numbers beside the words.
    async fn a_sum_that_is_off_is_told_in_numbers(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let answer = preview(&app, "100", "USD", explicit(&["60", "40.01"])).await;
        assert_refused(&answer, &["plan.explicit"]);
        assert_eq!(
            answer.at("/previewInstallmentPlan/userErrors/0"),
            &json!({
                "__typename": "PlanSumMismatch",
                "code": "PLAN_SUM_MISMATCH",
                "message": "the amounts add up to 100.01 USD, and must add up to 100.00 USD",
                "field": ["plan", "explicit"],
                "expected": {"amount": "100.00", "currency": "USD"},
                "actual": {"amount": "100.01", "currency": "USD"},
            }),
        );
        let answer = preview(&app, "100", "USD", percentages(&["99.99"])).await;
        assert_eq!(
            answer.at("/previewInstallmentPlan/userErrors/0"),
            &json!({
                "__typename": "ValidationError",
                "code": "INVALID",
                "message": "the percentages add up to 99.99, and must add up to 100",
                "field": ["plan", "percentages", "items"],
            }),
        );
    }

    /// What is no plan, no day, no number or no currency does not reach the rules.
    async fn what_is_no_input_is_an_error(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let amount = json!({"amount": "100", "currency": "IDR"});
        let both = json!({"even": {"count": 2, "firstDueDate": "2027-01-31"}, "explicit": []});
        for (amount, plan) in [
            (&amount, even(2, json!({"firstDueDate": "2027-02-31"}))),
            (&amount, even(2, json!({"frequency": "DAILY"}))),
            (&amount, even(2, json!({"deposit": 5}))),
            (&amount, even(2, json!({"deposit": "1e3"}))),
            (&amount, even(2_147_483_648, json!({}))),
            (&amount, json!({"even": {"count": 2}})),
            (&amount, json!({"explicit": null})),
            (&amount, json!({"explicit": [null]})),
            (&amount, json!({})),
            (&amount, both),
            (&json!({"amount": "100", "currency": "idr"}), even(2, json!({}))),
            (&json!({"amount": "100", "currency": "XXQ"}), even(2, json!({}))),
            (&json!({"amount": 100, "currency": "IDR"}), even(2, json!({}))),
        ] {
            let variables = json!({"amount": amount, "plan": plan});
            let answer = post(&app, &json!({"query": PREVIEW, "variables": variables})).await;
            let codes = answer.codes();
            assert!(!codes.is_empty() && !codes.contains(&"INTERNAL_SERVER_ERROR"), "{variables}: {:#}", answer.body);
            assert!(answer.body["data"].is_null(), "{variables}: {:#}", answer.body);
        }
        assert_planned(&preview(&app, "100", "IDR", even(2, json!({}))).await, "50.00 50.00", "100.00");
    }

    /// Nobody agrees to a plan without an account.
    async fn a_preview_needs_a_caller(backend: Backend) {
        let app = TestApp::builder(backend).signed_in().spawn().await;
        let variables = json!({"amount": {"amount": "100", "currency": "IDR"}, "plan": even(2, json!({}))});
        let answer = post(&app, &json!({"query": PREVIEW, "variables": variables})).await;
        assert_eq!((answer.status, answer.codes()), (401, vec!["UNAUTHENTICATED"]));
        let viewer = app.session("demo", "VIEWER");
        assert_planned(&viewer.graphql_with(PREVIEW, variables).await, "50.00 50.00", "100.00");
    }
}

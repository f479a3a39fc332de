//! Currency rates and conversions, over the 60 sample days that every test database holds.

use dermaga_tests::{Answer, Backend, TestApp, each_database};
use serde_json::{Value, json};

/// Everything that a rate, or the lack of one, says.
const RATE: &str = "
    query ($base: CurrencyCode!, $quote: CurrencyCode!, $date: Date, $purpose: RatePurpose! = REFERENCE,
           $onMissing: MissingRatePolicy! = PREVIOUS) {
        currencyRate(base: $base, quote: $quote, date: $date, purpose: $purpose, onMissing: $onMissing) {
            __typename
            ... on CurrencyRate {
                base quote rate inverse quotedPer requestedDate effectiveDate validFrom validTo isCarriedForward
                ageDays purpose
                path { base quote rate effectiveDate }
                source { code name url attribution retrievedAt }
            }
            ... on RateUnavailable { message earliest latest nearest { rate requestedDate effectiveDate } }
        }
    }";

/// An amount in another currency.
const CONVERT: &str = "
    query ($amount: Decimal!, $currency: CurrencyCode!, $to: CurrencyCode!, $date: Date,
           $purpose: RatePurpose! = REFERENCE) {
        convert(amount: {amount: $amount, currency: $currency}, to: $to, date: $date, purpose: $purpose) {
            from { amount currency }
            to { amount currency }
            unrounded
            rounding
            rate { rate effectiveDate }
        }
    }";

async fn ask(app: &TestApp, variables: Value) -> Answer {
    app.graphql_with(RATE, variables).await
}

async fn on(app: &TestApp, base: &str, quote: &str, date: &str) -> Answer {
    ask(app, json!({"base": base, "quote": quote, "date": date})).await
}

#[track_caller]
fn assert_rate(answer: &Answer, expected: &[(&str, Value)]) {
    let found = answer.at("/currencyRate");
    for (field, value) in expected {
        assert_eq!(&found[field], value, "{field} of {found:#}");
    }
}

each_database! {
    /// The number that a reader can look up at the ECB is the number that is answered, with its source.
    async fn a_published_pair_is_answered_as_published(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let answer = on(&app, "EUR", "USD", "2026-10-30").await;
        assert_rate(
            &answer,
            &[
                ("__typename", json!("CurrencyRate")),
                ("rate", json!("1.1172")),
                ("inverse", json!("0.895094880057286072")),
                ("quotedPer", json!(1)),
                ("requestedDate", json!("2026-10-30")),
                ("effectiveDate", json!("2026-10-30")),
                ("validFrom", json!("2026-10-30")),
                ("validTo", Value::Null),
                ("isCarriedForward", json!(false)),
                ("ageDays", json!(0)),
                ("purpose", json!("REFERENCE")),
                ("path", json!([{"base": "EUR", "quote": "USD", "rate": "1.1172", "effectiveDate": "2026-10-30"}])),
            ],
        );
        assert_eq!(answer.text("/currencyRate/source/code"), "ECB");
        assert_eq!(answer.text("/currencyRate/source/attribution"), "Source: European Central Bank reference rates");
        assert_eq!(answer.text("/currencyRate/source/retrievedAt"), "2026-10-30T12:00:00Z");
    }

    /// Without a date the account's current day is meant, so that the simplest question has an answer.
    async fn no_date_means_today(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let answer = ask(&app, json!({"base": "EUR", "quote": "IDR"})).await;
        assert_rate(&answer, &[("rate", json!("20275.17")), ("requestedDate", json!("2026-10-30"))]);
    }

    /// The ECB does not quote the dollar in rupiah: the way through the euro is shown, not hidden.
    async fn a_cross_rate_shows_both_legs(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let answer = on(&app, "USD", "IDR", "2026-10-30").await;
        assert_rate(
            &answer,
            &[
                ("rate", json!("18148.2008592910849")),
                ("inverse", json!("0.0000551018807733794587")),
                (
                    "path",
                    json!([
                        {"base": "EUR", "quote": "USD", "rate": "1.1172", "effectiveDate": "2026-10-30"},
                        {"base": "EUR", "quote": "IDR", "rate": "20275.17", "effectiveDate": "2026-10-30"},
                    ]),
                ),
            ],
        );
    }

    /// The inverse is the exact reciprocal: printed as 0.000055 it would cost 0.185 % of every amount.
    async fn the_inverse_of_a_cross_rate_is_exact(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let answer = on(&app, "IDR", "USD", "2026-10-30").await;
        assert_rate(
            &answer,
            &[
                ("rate", json!("0.0000551018807733794587")),
                ("inverse", json!("18148.2008592910849")),
                (
                    "path",
                    json!([
                        {"base": "EUR", "quote": "IDR", "rate": "20275.17", "effectiveDate": "2026-10-30"},
                        {"base": "EUR", "quote": "USD", "rate": "1.1172", "effectiveDate": "2026-10-30"},
                    ]),
                ),
            ],
        );
    }

    /// A Saturday has no rate: Friday's is taken, and the answer says whose day it is.
    async fn a_weekend_answers_with_the_friday_and_says_so(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let carried = |date: &'static str, age: i32| {
            [
                ("rate", json!("18148.2008592910849")),
                ("requestedDate", json!(date)),
                ("effectiveDate", json!("2026-10-30")),
                ("isCarriedForward", json!(true)),
                ("ageDays", json!(age)),
            ]
        };
        assert_rate(&on(&app, "USD", "IDR", "2026-10-31").await, &carried("2026-10-31", 1));
        // The last day on which it is carried forward, and the first on which it is not.
        assert_rate(&on(&app, "USD", "IDR", "2026-11-13").await, &carried("2026-11-13", 14));
        assert_rate(&on(&app, "USD", "IDR", "2026-11-14").await, &[("__typename", json!("RateUnavailable"))]);
    }

    /// The ECB quotes the rupiah since April 2005: before that there is none, and the answer says from when.
    async fn before_the_first_quote_there_is_none(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let missing = [
            ("__typename", json!("RateUnavailable")),
            ("earliest", json!("2005-04-01")),
            ("latest", json!("2026-10-30")),
        ];
        for (quote, base, nearest) in [("EUR", "IDR", "12272.17"), ("USD", "IDR", "9469.99768500655915")] {
            let answer = on(&app, quote, base, "2004-12-31").await;
            assert_rate(&answer, &missing);
            assert_eq!(answer.text("/currencyRate/nearest/effectiveDate"), "2005-04-01");
            assert!(answer.text("/currencyRate/nearest/rate").starts_with(nearest), "{:#}", answer.body);
            assert!(answer.text("/currencyRate/message").contains("2005-04-01"), "{:#}", answer.body);
        }
    }

    /// The kuna ended with 2022: its last rate is carried over New Year for two weeks and no longer, and a cross
    /// rate takes both legs from the day that has both.
    async fn a_withdrawn_currency_keeps_its_last_day(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        assert_rate(
            &on(&app, "EUR", "HRK", "2023-01-05").await,
            &[
                ("rate", json!("7.5365")),
                ("effectiveDate", json!("2022-12-30")),
                ("ageDays", json!(6)),
                ("isCarriedForward", json!(true)),
            ],
        );
        let cross = on(&app, "USD", "HRK", "2023-01-05").await;
        // 7.5365 / 1.0666; with the dollar of 5 January it would be 7.109.
        assert_rate(&cross, &[("rate", json!("7.06591036939808738")), ("effectiveDate", json!("2022-12-30"))]);
        assert_eq!(cross.text("/currencyRate/path/0/effectiveDate"), "2022-12-30");
        assert_eq!(cross.text("/currencyRate/path/1/effectiveDate"), "2022-12-30");
        assert_rate(&on(&app, "USD", "HRK", "2023-01-13").await, &[("ageDays", json!(14))]);
        let gone = on(&app, "USD", "HRK", "2023-01-14").await;
        assert_rate(
            &gone,
            &[
                ("__typename", json!("RateUnavailable")),
                ("earliest", json!("2005-04-01")),
                ("latest", json!("2022-12-30")),
                (
                    "nearest",
                    json!({
                        "rate": "7.06591036939808738", "requestedDate": "2023-01-14", "effectiveDate": "2022-12-30",
                    }),
                ),
            ],
        );
    }

    /// Who says STRICT wants that day or none.
    async fn strict_takes_the_day_or_none(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let strict = async |date: &str| {
            ask(&app, json!({"base": "EUR", "quote": "USD", "date": date, "onMissing": "STRICT"})).await
        };
        assert_rate(&strict("2026-10-30").await, &[("rate", json!("1.1172")), ("ageDays", json!(0))]);
        assert_rate(
            &strict("2026-10-31").await,
            &[
                ("__typename", json!("RateUnavailable")),
                ("latest", json!("2026-10-30")),
                ("nearest", json!({"rate": "1.1172", "requestedDate": "2026-10-31", "effectiveDate": "2026-10-30"})),
            ],
        );
    }

    /// Half way between Friday and Monday is half way between their rates; nothing is invented beyond the ends.
    async fn interpolation_stays_between_two_days(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let interpolate = async |quote: &str, date: &str| {
            ask(&app, json!({"base": "EUR", "quote": quote, "date": date, "onMissing": "INTERPOLATE"})).await
        };
        let between = interpolate("USD", "2026-10-24").await;
        // 1.1193 on Friday, 1.1188 on Monday.
        assert_rate(
            &between,
            &[
                ("rate", json!("1.11913333333333333")),
                ("effectiveDate", json!("2026-10-23")),
                ("ageDays", json!(1)),
                ("isCarriedForward", json!(false)),
                (
                    "path",
                    json!([
                        {"base": "EUR", "quote": "USD", "rate": "1.1193", "effectiveDate": "2026-10-23"},
                        {"base": "EUR", "quote": "USD", "rate": "1.1188", "effectiveDate": "2026-10-26"},
                    ]),
                ),
            ],
        );
        assert_rate(&interpolate("USD", "2026-10-25").await, &[("rate", json!("1.11896666666666667"))]);
        // A day with a rate has that rate.
        assert_rate(&interpolate("USD", "2026-10-23").await, &[("rate", json!("1.1193"))]);
        let cross =
            ask(&app, json!({"base": "USD", "quote": "IDR", "date": "2026-10-24", "onMissing": "INTERPOLATE"})).await;
        assert_rate(&cross, &[("rate", json!("18126.0672746044704"))]);
        assert_eq!(cross.at("/currencyRate/path").as_array().map(Vec::len), Some(4));
        for (quote, date, nearest) in [
            ("USD", "1999-01-03", "1999-01-04"),
            ("IDR", "2005-03-31", "2005-04-01"),
            ("USD", "2026-10-31", "2026-10-30"),
            // Between two days with a year between them there is no line worth drawing.
            ("USD", "2010-06-01", "2005-04-08"),
        ] {
            let answer = interpolate(quote, date).await;
            assert_rate(&answer, &[("__typename", json!("RateUnavailable"))]);
            assert_eq!(answer.text("/currencyRate/nearest/effectiveDate"), nearest, "{quote} on {date}");
        }
    }

    /// A tax rate is a legal matter: no reference rate stands in for it, nor for what a bank asks.
    async fn a_purpose_never_gets_another(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for purpose in ["TAX_DUTY", "BANK_BUY", "BANK_SELL"] {
            // Samples of tax rates are held, the last of them of August 2025.
            let held = |day: &str| if purpose == "TAX_DUTY" { json!(day) } else { Value::Null };
            let nearest = if purpose == "TAX_DUTY" { json!({"effectiveDate": "2025-08-06"}) } else { Value::Null };
            for (base, quote) in [("EUR", "USD"), ("USD", "IDR")] {
                let variables = json!({"base": base, "quote": quote, "date": "2026-10-30", "purpose": purpose});
                let answer = ask(&app, variables).await;
                assert_rate(
                    &answer,
                    &[
                        ("__typename", json!("RateUnavailable")),
                        ("earliest", held("2020-12-30")),
                        ("latest", held("2025-08-06")),
                    ],
                );
                let day = &answer.at("/currencyRate/nearest")["effectiveDate"];
                assert_eq!(day, &nearest["effectiveDate"], "{purpose} {base} {quote}");
            }
            let variables = json!({"amount": "1", "currency": "EUR", "to": "USD", "purpose": purpose});
            assert_eq!(app.graphql_with(CONVERT, variables).await.at("/convert"), &Value::Null, "{purpose}");
        }
    }

    /// A currency in itself is one on every day, and nobody published it.
    async fn the_same_currency_is_one(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for (code, date, purpose) in [("IDR", "1999-01-01", "REFERENCE"), ("AFN", "2026-10-30", "TAX_DUTY")] {
            let answer = ask(&app, json!({"base": code, "quote": code, "date": date, "purpose": purpose})).await;
            assert_rate(
                &answer,
                &[
                    ("rate", json!("1")),
                    ("inverse", json!("1")),
                    ("path", json!([])),
                    ("effectiveDate", json!(date)),
                    ("isCarriedForward", json!(false)),
                ],
            );
            assert_eq!(answer.text("/currencyRate/source/code"), "PAR");
        }
    }

    /// An amount is rounded once, at the end, half to even, and what was rounded is shown.
    async fn a_conversion_rounds_once_half_to_even(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for (amount, currency, to, date, unrounded, result) in [
            ("1000000000", "IDR", "USD", "2026-10-30", "55101.880773379458717239", "55101.88"),
            // 175.97 yen for a euro: both amounts end exactly between two yen.
            ("50", "EUR", "JPY", "2026-10-27", "8798.5", "8798"),
            ("150", "EUR", "JPY", "2026-10-27", "26395.5", "26396"),
            ("-50.00", "EUR", "JPY", "2026-10-27", "-8798.5", "-8798"),
            ("12.34", "IDR", "IDR", "2026-10-30", "12.34", "12.34"),
        ] {
            let variables = json!({"amount": amount, "currency": currency, "to": to, "date": date});
            let answer = app.graphql_with(CONVERT, variables).await;
            assert_eq!(answer.text("/convert/to/amount"), result, "{amount} {currency}");
            assert_eq!(answer.text("/convert/to/currency"), to);
            assert_eq!(answer.text("/convert/unrounded"), unrounded, "{amount} {currency}");
            assert_eq!(answer.text("/convert/rounding"), "HALF_EVEN");
            assert_eq!(answer.text("/convert/rate/effectiveDate"), date);
        }
        let variables = json!({"amount": "1", "currency": "USD", "to": "IDR", "date": "2004-12-31"});
        assert_eq!(app.graphql_with(CONVERT, variables).await.at("/convert"), &Value::Null);
    }
}

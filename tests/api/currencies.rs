//! Lists of rates and of currencies, money that converts itself, and what all of them cost.

use dermaga_tests::{Backend, TestApp, each_database};
use serde_json::{Value, json};

const RATES: &str = "
    query ($base: CurrencyCode!, $quotes: [CurrencyCode!]!, $date: Date) {
        currencyRates(base: $base, quotes: $quotes, date: $date) {
            __typename
            ... on CurrencyRate { quote rate effectiveDate }
            ... on RateUnavailable { latest nearest { quote } }
        }
    }";

/// The currencies of the repository's own list, by code.
fn codes_of_the_list() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../api/data/currencies.csv");
    let list = std::fs::read_to_string(path).unwrap();
    list.lines().skip(1).filter_map(|line| line.split(',').next()).map(str::to_owned).collect()
}

each_database! {
    /// A client matches answers to questions by their place: the order is kept, and so is what is asked twice.
    async fn a_list_of_rates_answers_in_the_order_asked(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let quotes = ["IDR", "USD", "HRK", "IDR", "EUR", "AFN"];
        let variables = json!({"base": "EUR", "quotes": quotes, "date": "2026-10-30"});
        let answer = app.graphql_with(RATES, variables).await;
        let idr = json!({
            "__typename": "CurrencyRate", "quote": "IDR", "rate": "20275.17", "effectiveDate": "2026-10-30",
        });
        assert_eq!(
            answer.at("/currencyRates"),
            &json!([
                idr,
                {"__typename": "CurrencyRate", "quote": "USD", "rate": "1.1172", "effectiveDate": "2026-10-30"},
                {"__typename": "RateUnavailable", "latest": "2022-12-30", "nearest": {"quote": "HRK"}},
                idr,
                {"__typename": "CurrencyRate", "quote": "EUR", "rate": "1", "effectiveDate": "2026-10-30"},
                {"__typename": "RateUnavailable", "latest": null, "nearest": null},
            ])
        );
    }

    /// A list is as long as a page may be, and not longer.
    async fn a_list_of_rates_is_bounded(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let ask = async |count: usize| {
            app.graphql_with(RATES, json!({"base": "EUR", "quotes": vec!["USD"; count], "date": "2026-10-30"})).await
        };
        assert_eq!(ask(100).await.at("/currencyRates").as_array().map(Vec::len), Some(100));
        assert_eq!(ask(101).await.codes(), ["INVALID_PAGE"]);
        assert_eq!(ask(0).await.at("/currencyRates"), &json!([]));
    }

    /// No N+1: fifty rates cost as many statements as one, found or not, of one day or of fifty.
    async fn fifty_rates_cost_what_one_costs(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let cost = async |quotes: Vec<String>| {
            app.cache.flush().await;
            let answer = app.graphql_with(RATES, json!({"base": "USD", "quotes": quotes, "date": "2026-10-30"})).await;
            answer.data();
            answer.statements()
        };
        let code = |text: &str| text.to_owned();
        let quoted = ["IDR", "JPY", "GBP", "SEK", "CHF", "AUD", "CAD", "CNY", "SGD", "MYR"].map(code);
        assert_eq!(cost(vec![code("IDR")]).await, 1);
        assert_eq!(cost(quoted.to_vec()).await, 1);
        // HRK ended, which takes looking further; of AFN nothing is held.
        let mixed = ["IDR", "HRK", "AFN"].map(code);
        let mut fifty = codes_of_the_list();
        fifty.retain(|code| !mixed.contains(code));
        fifty.truncate(47);
        fifty.extend(mixed.clone());
        assert_eq!(fifty.len(), 50);
        assert_eq!(cost(fifty).await, cost(mixed.to_vec()).await);

        let days = |count: u32| -> String {
            let day = |n: u32| {
                let date = if n <= 30 { format!("2026-10-{n:02}") } else { format!("2005-04-{:02}", n - 30) };
                format!("d{n}: currencyRate(base: \"EUR\", quote: \"IDR\", date: \"{date}\") {{ __typename }} ")
            };
            format!("{{ {} }}", (1..=count).map(day).collect::<String>())
        };
        assert_eq!(app.statements_during(&days(1)).await, 1);
        assert_eq!(app.statements_during(&days(50)).await, 1);
    }

    /// Every currency of the list is there, withdrawn ones too, with what a form needs to know of it.
    async fn currencies_know_their_digits_and_their_days(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let answer = app
            .graphql(
                "{ currencies { code numeric name english: name(locale: \"en\") minorUnits settlementDigits
                   earliestRate latestRate } }",
            )
            .await;
        let currencies = answer.at("/currencies").as_array().unwrap();
        let codes: Vec<_> = currencies.iter().map(|currency| currency["code"].as_str().unwrap()).collect();
        assert_eq!(codes, codes_of_the_list());
        assert!(codes.is_sorted(), "{codes:?}");
        let currency = |code: &str| currencies.iter().find(|currency| currency["code"] == code).unwrap();
        assert_eq!(
            currency("IDR"),
            &json!({
                "code": "IDR", "numeric": "360", "name": "Rupiah Indonesia", "english": "Indonesian Rupiah",
                "minorUnits": 2, "settlementDigits": 0, "earliestRate": "2005-04-01", "latestRate": "2026-10-30",
            })
        );
        for (code, earliest, latest) in [
            ("HRK", json!("2005-04-01"), json!("2022-12-30")),
            ("TRL", json!("1999-01-04"), json!("2004-12-31")),
            ("EUR", json!("1999-01-04"), json!("2026-10-30")),
            ("AFN", Value::Null, Value::Null),
        ] {
            assert_eq!(
                (&currency(code)["earliestRate"], &currency(code)["latestRate"]),
                (&earliest, &latest),
                "{code}"
            );
        }
        assert_eq!(currency("JPY")["minorUnits"], 0);
        assert_eq!(currency("KWD")["minorUnits"], 3);
        assert_eq!(answer.statements(), 1, "the days of all currencies are one statement");
        assert_eq!(app.statements_during("{ currencies { code } }").await, 0);
    }

    /// An amount converts itself wherever it stands, rounded once, and is null where no rate is held.
    async fn money_converts_itself(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        app.payment().reference("RP-1").installments(&[100_000_000_000]).create(&app.database).await;
        app.payment().reference("EUR-1").currency("EUR").installments(&[5_000]).create(&app.database).await;
        let answer = app
            .graphql(
                "{ payment(reference: \"RP-1\") { amount {
                    amount formatted settlementDigits
                    usd: converted(into: \"USD\", on: \"2026-10-30\") {
                        from { amount currency } to { amount currency formatted(locale: \"en-US\") } unrounded rounding
                        rate { effectiveDate rate }
                    }
                    today: converted(into: \"USD\") { to { amount } }
                    early: converted(into: \"USD\", on: \"2004-12-31\") { to { amount } }
                    tax: converted(into: \"USD\", on: \"2026-10-30\", purpose: TAX_DUTY) { to { amount } }
                } } }",
            )
            .await;
        assert_eq!(
            answer.at("/payment/amount"),
            &json!({
                "amount": "1000000000.00",
                "formatted": "Rp\u{a0}1.000.000.000",
                "settlementDigits": 0,
                "usd": {
                    "from": {"amount": "1000000000.00", "currency": "IDR"},
                    "to": {"amount": "55101.88", "currency": "USD", "formatted": "$55,101.88"},
                    "unrounded": "55101.880773379458717239",
                    "rounding": "HALF_EVEN",
                    "rate": {"effectiveDate": "2026-10-30", "rate": "0.0000551018807733794587"},
                },
                "today": {"to": {"amount": "55101.88"}},
                "early": null,
                "tax": null,
            })
        );
        let tie = app
            .graphql(
                "{ payment(reference: \"EUR-1\") { amount {
                     converted(into: \"JPY\", on: \"2026-10-27\") { to { amount } unrounded } } } }",
            )
            .await;
        let expected = json!({"to": {"amount": "8798"}, "unrounded": "8798.5"});
        assert_eq!(tie.at("/payment/amount/converted"), &expected);
    }
}

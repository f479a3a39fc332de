//! Rates of many days, over the sample days that every test database holds.

use dermaga_tests::{Answer, Backend, TestApp, each_database};
use serde_json::{Value, json};

const SERIES: &str = "
    query ($base: CurrencyCode!, $quote: CurrencyCode!, $from: Date!, $to: Date!, $group: RateGroup! = DAY,
           $purpose: RatePurpose! = REFERENCE) {
        rateSeries(base: $base, quote: $quote, from: $from, to: $to, group: $group, purpose: $purpose) {
            points { date rate open high low close average }
            missing
            source { code }
        }
    }";

async fn series(app: &TestApp, changes: Value) -> Answer {
    let mut variables = json!({"base": "EUR", "quote": "USD", "from": "2026-10-19", "to": "2026-10-30"});
    for (name, value) in changes.as_object().unwrap() {
        variables[name] = value.clone();
    }
    app.graphql_with(SERIES, variables).await
}

fn dates(answer: &Answer) -> Vec<&str> {
    let points = answer.at("/rateSeries/points").as_array().unwrap();
    points.iter().map(|point| point["date"].as_str().unwrap()).collect()
}

each_database! {
    /// Each day is what `currencyRate` says of it, cross rates included.
    async fn a_day_of_a_series_is_the_rate_of_that_day(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for quote in ["USD", "IDR"] {
            for base in ["EUR", "GBP"] {
                let answer = series(&app, json!({"base": base, "quote": quote})).await;
                let points = answer.at("/rateSeries/points").as_array().unwrap();
                assert_eq!(points.len(), 10, "{:#}", answer.body);
                for point in [&points[0], &points[9]] {
                    let query = "query ($base: CurrencyCode!, $quote: CurrencyCode!, $date: Date!) {
                        currencyRate(base: $base, quote: $quote, date: $date) { ... on CurrencyRate { rate } } }";
                    let variables = json!({"base": base, "quote": quote, "date": point["date"]});
                    let one = app.graphql_with(query, variables).await;
                    assert_eq!(point["rate"], *one.at("/currencyRate/rate"), "{base}/{quote} {point}");
                    assert_eq!(point["open"], point["close"]);
                }
            }
        }
        assert_eq!(series(&app, json!({})).await.at("/rateSeries/source/code"), "ECB");
    }

    /// Weeks begin on Monday; the first, the last, the least, the most and the average are of the days with a rate.
    async fn days_are_gathered(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let days = series(&app, json!({})).await;
        let rates: Vec<f64> = days.at("/rateSeries/points").as_array().unwrap().iter()
            .map(|point| point["rate"].as_str().unwrap().parse().unwrap()).collect();
        let weeks = series(&app, json!({"group": "WEEK"})).await;
        assert_eq!(dates(&weeks), ["2026-10-19", "2026-10-26"]);
        let week = &weeks.at("/rateSeries/points")[1];
        let number = |name: &str| week[name].as_str().unwrap().parse::<f64>().unwrap();
        let last = &rates[5..];
        // Test data of four digits; the exact arithmetic has tests of its own.
        #[allow(clippy::float_arithmetic)]
        let near = |one: f64, other: f64| (one - other).abs() < 1e-9;
        assert!(near(number("open"), last[0]) && near(number("close"), last[4]), "{week}");
        assert!(near(number("high"), last.iter().copied().fold(f64::MIN, f64::max)), "{week}");
        assert!(near(number("low"), last.iter().copied().fold(f64::MAX, f64::min)), "{week}");
        #[allow(clippy::float_arithmetic)]
        let average = last.iter().sum::<f64>() / 5.0;
        assert!(near(number("average"), average), "{week}");
        assert_eq!(dates(&series(&app, json!({"group": "MONTH"})).await), ["2026-10-01"]);
        assert_eq!(dates(&series(&app, json!({"group": "QUARTER"})).await), ["2026-10-01"]);
    }

    /// Days without a rate are listed and not invented; a weekend is none of them; a tax rate holds for its week.
    async fn missing_days_are_listed(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let answer = series(&app, json!({"from": "2026-10-29", "to": "2026-11-03"})).await;
        assert_eq!(answer.at("/rateSeries/missing"), &json!(["2026-11-02", "2026-11-03"]));
        let none = series(&app, json!({"from": "1998-12-30", "to": "1999-01-03"})).await;
        assert_eq!(none.at("/rateSeries"), &json!({
            "points": [], "missing": ["1998-12-30", "1998-12-31", "1999-01-01"], "source": null,
        }));
        let tax = json!({"base": "USD", "quote": "IDR", "from": "2025-08-06", "to": "2025-08-13", "purpose": "TAX_DUTY"});
        let tax = series(&app, tax).await;
        assert_eq!(dates(&tax), ["2025-08-06"]);
        assert_eq!(tax.at("/rateSeries/missing"), &json!(["2025-08-13"]));
        assert_eq!(tax.at("/rateSeries/source/code"), "KMK 10/MK/EF.2/2025");
    }

    /// What makes no series is refused in words, and ten years of days are too many points.
    async fn spans_that_make_no_series_are_refused(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        for changes in [
            json!({"from": "2026-10-30", "to": "2026-10-29"}),
            json!({"from": "2000-01-01", "to": "2026-10-29"}),
            json!({"quote": "EUR"}),
            json!({"from": "0001-01-01", "to": "9999-12-31"}),
        ] {
            assert_eq!(series(&app, changes.clone()).await.codes(), ["BAD_USER_INPUT"], "{changes}");
        }
    }
}

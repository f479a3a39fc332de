//! Quotes of export duty: their steps, their reasons, and what they cost the database.

use dermaga_tests::{Answer, Backend, TestApp, each_database};
use serde_json::{Value, json};

const QUOTE: &str = "
    query ($input: ExportDutyQuoteInput!) {
        exportDutyQuote(input: $input) {
            __typename
            ... on ExportDutyQuote {
                product rule isEstimate assumptions
                measures { id kind dutyKind product validFrom validTo }
                steps { label formula value unit citation legalBasis { number } }
                dutyForeign { amount currency rounded { amount formatted } }
                levyForeign { amount } dutyIdr { amount currency } levyIdr { amount } totalIdr { amount }
                fx { rate purpose effectiveDate validTo isCarriedForward source { code } }
                legalBasis { number title amends { number } }
            }
            ... on QuoteUnavailable { reason message products candidates { code } }
        }
    }";

/// 12.5 t of cocoa beans, filed in February 2026.
fn cocoa() -> Value {
    json!({
        "hsCode": "1801.00.10", "quantity": "12.5", "unit": "t", "filingDate": "2026-02-10", "paymentDate": "2025-08-08",
    })
}

fn with(mut input: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        input[name] = value.clone();
    }
    input
}

async fn quote(app: &TestApp, input: &Value) -> Answer {
    app.graphql_with(QUOTE, json!({ "input": input })).await
}

each_database! {
    /// The worked quote: every number of it, where it is from, and what was taken for granted.
    async fn a_quote_shows_its_working(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let answer = quote(&app, &cocoa()).await;
        let found = answer.at("/exportDutyQuote");
        assert_eq!(found["dutyForeign"], json!({
            "amount": "5015.625", "currency": "USD", "rounded": {"amount": "5015.62", "formatted": "US$\u{a0}5.015,62"},
        }), "{found:#}");
        assert_eq!(found["dutyIdr"], json!({"amount": "82336500", "currency": "IDR"}));
        assert_eq!(found["levyForeign"]["amount"], "5015.625");
        assert_eq!(found["totalIdr"]["amount"], "164673000");
        assert_eq!(found["rule"], "COCOA-2025-10-22-4");
        assert_eq!(found["isEstimate"], true);
        assert_eq!(found["measures"], json!([{
            "id": "mea_duty.cocoa-beans.2025-10-22", "kind": "EXPORT_DUTY", "dutyKind": "AD_VALOREM",
            "product": "Cocoa beans", "validFrom": "2025-10-22", "validTo": null,
        }]));
        let steps: Vec<_> = found["steps"].as_array().unwrap().iter().map(|step| {
            let text = |name: &str| step[name].as_str().unwrap_or("-").to_owned();
            format!("{}: {} = {} {} [{}]", text("label"), text("formula"), text("value"), text("unit"), text("citation"))
        }).collect();
        assert_eq!(steps, [
            "Reference price: published for 2026-02-01 to 2026-02-28 = 5717.45 USD/t [Kepmendag 66/2026]",
            "Export price (HPE): published for 2026-02-01 to 2026-02-28 = 5350 USD/t [Kepmendag 66/2026]",
            "Export duty: 12.5 t × 5350 USD/t × 7.5 % = 5015.625 USD [PMK 38/2024 jo. PMK 68/2025 annex B]",
            "Export levy: 12.5 t × 5350 USD/t × 7.5 % = 5015.625 USD [Kepmendag 66/2026; PMK 69/2025 annex C]",
            "Tax rate: in force on 2025-08-08 = 16416 IDR/USD [KMK 10/MK/EF.2/2025]",
            "Export duty in rupiah: 5015.625 USD × 16416 = 82336500 IDR [-]",
            "Export levy in rupiah: 5015.625 USD × 16416 = 82336500 IDR [-]",
        ]);
        assert_eq!(found["fx"], json!({
            "rate": "16416", "purpose": "TAX_DUTY", "effectiveDate": "2025-08-06", "validTo": "2025-08-12",
            "isCarriedForward": false, "source": {"code": "KMK 10/MK/EF.2/2025"},
        }));
        let cited: Vec<_> = found["legalBasis"].as_array().unwrap().iter().map(|one| one["number"].as_str().unwrap()).collect();
        assert_eq!(cited, ["Kepmendag 66/2026", "PMK 38/2024", "PMK 68/2025", "PMK 69/2025", "KMK 10/MK/EF.2/2025"]);
        assert_eq!(found["legalBasis"][2]["amends"], json!([{"number": "PMK 38/2024"}]));
        let assumptions = found["assumptions"].to_string();
        for words in ["two sources", "taken to mean the export price (HPE)", "not rounded"] {
            assert!(assumptions.contains(words), "{words}: {assumptions}");
        }
    }

    /// What cannot be quoted says why, in a way that a program can act on, and what may be meant.
    async fn every_lack_is_a_typed_reason(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let variant = |name: &str| json!({"hsCode": null, "productVariant": name});
        for (changes, reason, words) in [
            (json!({"hsCode": "0901.11"}), "NOT_DUTIABLE", "no rule that is held names 090111"),
            (json!({"hsCode": "99999999"}), "RULE_NOT_HELD", "there is no commodity 99999999"),
            (json!({"hsCode": "1801"}), "AMBIGUOUS_CODE", "several codes"),
            (json!({"hsCode": "1301.90.90"}), "AMBIGUOUS_CODE", "only some goods"),
            (json!({"productVariant": "Gold dore"}), "AMBIGUOUS_CODE", "names \"Gold dore\""),
            (json!({"filingDate": "2023-03-31"}), "RULE_NOT_HELD", "from 2023-04-01 on"),
            (json!({"filingDate": "1999-01-01"}), "RULE_NOT_HELD", "from 2023-04-01 on"),
            (json!({"filingDate": "2025-12-01"}), "NO_REFERENCE_PRICE", "2025-12-01"),
            (variant("Gold dore"), "NO_REFERENCE_PRICE", "Gold dore"),
            (variant("Gold dust"), "RULE_NOT_HELD", "Gold dust"),
            (json!({"unit": "m3"}), "UNIT_MISMATCH", "m3"),
            // The ECB has a rate of that day; it is not a tax rate.
            (json!({"paymentDate": "2026-10-30"}), "NO_RATE", "2026-10-30"),
            (json!({"paymentDate": "2025-08-13"}), "NO_RATE", "2025-08-13"),
            (json!({"paymentDate": null}), "NO_RATE", "2026-02-10"),
        ] {
            let answer = quote(&app, &with(cocoa(), &changes)).await;
            let found = answer.at("/exportDutyQuote");
            assert_eq!(found["reason"], reason, "{changes}: {found:#}");
            assert!(found["message"].as_str().unwrap().contains(words), "{changes}: {found:#}");
        }
        let broad = quote(&app, &with(cocoa(), &json!({"hsCode": "1801"}))).await;
        assert_eq!(broad.at("/exportDutyQuote/candidates"), &json!([{"code": "18010010"}, {"code": "18010090"}]));
        let part = quote(&app, &with(cocoa(), &json!({"hsCode": "13019090"}))).await;
        assert_eq!(part.at("/exportDutyQuote/products"), &json!(["Pine resin (getah pinus)"]));
        for changes in [
            json!({"quantity": "0"}),
            json!({"quantity": "-1"}),
            json!({"hsCode": null}),
            json!({"hsCode": null, "productVariant": "  "}),
            json!({"hsCode": "IV"}),
            json!({"productVariant": "x".repeat(201)}),
        ] {
            assert_eq!(quote(&app, &with(cocoa(), &changes)).await.codes(), ["BAD_USER_INPUT"], "{changes}");
        }
    }

    /// Edges of validity, over the imported rules: the last day of the old tariff and the first of the new one.
    async fn the_filing_day_picks_the_rule(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let rules = async |day: &str| {
            let query = "query ($day: Date!) { commodity(code: \"18010010\") { measures(asOf: $day) {
                id validTo bands { rule rate } legalBasis { number } confidence conditions commodities { code }
            } } }";
            app.graphql_with(query, json!({ "day": day })).await.at("/commodity/measures").clone()
        };
        assert_eq!(rules("2025-10-21").await[0]["id"], "mea_duty.cocoa-beans.2023-04-01");
        let new = rules("2025-10-22").await;
        assert_eq!(new[0]["id"], "mea_duty.cocoa-beans.2025-10-22");
        assert_eq!(new.as_array().map(Vec::len), Some(1));
        assert_eq!(new[0]["bands"].as_array().unwrap().iter().map(|band| band["rate"].as_str().unwrap()).collect::<Vec<_>>(),
            ["0", "2.5", "5", "7.5"]);
        assert_eq!(new[0]["commodities"], json!([{"code": "18010010"}, {"code": "18010090"}]));
        assert_eq!(rules("2023-03-31").await, json!([]));
        let query = "{ node(id: \"mea_duty.cocoa-beans.2025-10-22\") { ... on DutyMeasure { product } }
            pine: commodity(code: \"13019090\") { measures(asOf: \"2026-01-01\", kinds: [EXPORT_DUTY]) { conditions } }
            none: commodity(code: \"13019090\") { measures(asOf: \"2026-01-01\", kinds: [EXPORT_LEVY]) { id } }
            palm: commodity(code: \"15111000\") { measures(asOf: \"2025-06-01\") { id kind } } }";
        let answer = app.graphql(query).await;
        assert_eq!(answer.data(), &json!({
            "node": {"product": "Cocoa beans"},
            "pine": {"measures": [{"conditions": ["of the goods under 13019090 only Pine resin (getah pinus)"]}]},
            "none": {"measures": []},
            "palm": {"measures": [
                {"id": "mea_duty.cpo.2022-08-08", "kind": "EXPORT_DUTY"},
                {"id": "mea_levy.cpo.2025-05-17", "kind": "EXPORT_LEVY"},
            ]},
        }));
    }

    /// A hundred quotes in one operation: rules, prices, rates and regulations load once each, whatever comes of them.
    async fn a_hundred_quotes_cost_what_one_costs(backend: Backend) {
        let app = TestApp::builder(backend).settings(|settings| settings.max_tokens = Some("20000".to_owned())).spawn().await;
        let input = |at: u32| {
            let kilograms = 1_000 + at;
            let (goods, filed) = match at % 5 {
                0 => ("hsCode: \"18010010\"", "2026-02-10"),
                1 => ("hsCode: \"15111000\"", "2026-02-11"),
                2 => ("hsCode: \"15111000\"", "2023-02-20"),
                3 => ("hsCode: \"1801\"", "2026-02-10"),
                _ => ("productVariant: \"Gold dore\"", "2026-02-10"),
            };
            format!("{{{goods}, quantity: \"{kilograms}\", unit: \"kg\", filingDate: \"{filed}\", paymentDate: \"2025-08-08\"}}")
        };
        let document = |count: u32| {
            let quotes = (0..count).map(|at| format!("q{at}: exportDutyQuote(input: {}) {{ ...quote }}", input(at)));
            format!(
                "{{ {} }} fragment quote on ExportDutyResult {{
                    ... on ExportDutyQuote {{ dutyIdr {{ amount }} steps {{ label }} legalBasis {{ number }} }}
                    ... on QuoteUnavailable {{ reason candidates {{ code }} }}
                }}",
                quotes.collect::<Vec<_>>().join(" ")
            )
        };
        let answer = app.graphql(&document(100)).await;
        assert_eq!(answer.at("/q99/reason"), "NO_REFERENCE_PRICE");
        assert_eq!(answer.at("/q0/dutyIdr/amount"), "6586920");
        assert!(answer.statements() <= 6, "{} statements", answer.statements());
        assert_eq!(app.statements_during(&document(100)).await, app.statements_during(&document(5)).await);
    }

    /// What is published for a day, with the printed levy to its last digit.
    async fn reference_prices_are_as_printed(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let query = "query ($code: HsCode, $on: Date) { referencePrices(hsCode: $code, on: $on) {
            product kind price { amount currency } perUnit rate rateUnit validFrom validTo decree { number }
            legalBasis { number } commodities { code } url
        } }";
        let answer = app.graphql_with(query, json!({"code": "1511.10.00", "on": "2026-02-28"})).await;
        let found = answer.at("/referencePrices");
        let brief: Vec<_> = found.as_array().unwrap().iter().map(|one| (one["kind"].as_str().unwrap(), one["price"]["amount"].as_str().unwrap())).collect();
        assert_eq!(brief, [("DUTY", "74"), ("LEVY", "91.8472"), ("REFERENCE", "918.47")], "{found:#}");
        assert_eq!(found[1]["rate"], "10");
        assert_eq!(found[1]["rateUnit"], "% of reference price");
        assert_eq!(found[1]["commodities"], json!([{"code": "15111000"}]));
        let all = app.graphql_with(query, json!({"on": "2026-02-01"})).await;
        let mut products: Vec<_> = all.at("/referencePrices").as_array().unwrap().iter().map(|one| one["product"].as_str().unwrap().to_owned()).collect();
        products.dedup();
        assert_eq!(products, ["Cocoa beans", "CPO", "RBD palm olein (branded pack <=25kg)"]);
        assert_eq!(app.graphql_with(query, json!({"on": "2026-03-01"})).await.at("/referencePrices"), &json!([]));
        // Without a day the account's current one is meant, for which nothing is published.
        assert_eq!(app.graphql("{ referencePrices { kind } }").await.at("/referencePrices"), &json!([]));
    }

    /// A regulation is found by its number in either form, and says what it amends.
    async fn regulations_are_found_by_number(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let query = "query ($number: String!) { regulation(number: $number) { id number title inForceFrom amends { number } } }";
        for number in ["PMK 68/2025", "pmk 68/PMK.010/2025"] {
            let answer = app.graphql_with(query, json!({ "number": number })).await;
            assert_eq!(answer.at("/regulation"), &json!({
                "id": "reg_PMK 68/2025", "number": "PMK 68/2025", "title": "Change of the tariffs of PMK 38/2024",
                "inForceFrom": "2025-10-22", "amends": [{"number": "PMK 38/2024"}],
            }), "{number}");
        }
        for number in ["PMK 1/1999", "68/2025", "", "\u{0}"] {
            assert_eq!(app.graphql_with(query, json!({ "number": number })).await.at("/regulation"), &Value::Null, "{number}");
        }
        let node = app.graphql("{ node(id: \"reg_PMK 68/2025\") { ... on Regulation { number } } }").await;
        assert_eq!(node.at("/node/number"), "PMK 68/2025");
    }

    /// Market prices of goods, by way of the codes above them, as their source printed them and with its name.
    async fn market_prices_are_those_of_the_world_bank(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let query = "query ($code: HsCode!, $from: Date, $series: String) { commodity(code: $code) {
            prices(from: $from, series: $series) { month price unit series source { code attribution } } } }";
        let answer = app.graphql_with(query, json!({"code": "15111000", "from": "2026-02-14"})).await;
        assert_eq!(answer.at("/commodity/prices/0/series"), "Palm oil");
        assert_eq!(answer.at("/commodity/prices/0/month"), "2026-02-01");
        assert_eq!(answer.at("/commodity/prices/0/unit"), "$/mt");
        assert_eq!(answer.at("/commodity/prices/0/source/code"), "WORLD_BANK");
        assert_eq!(answer.at("/commodity/prices").as_array().map(Vec::len), Some(1));
        let coffee = app.graphql_with(query, json!({"code": "090111", "from": "2026-01-01"})).await;
        assert_eq!(coffee.at("/commodity/prices").as_array().map(Vec::len), Some(4), "{:#}", coffee.body);
        let one = app.graphql_with(query, json!({"code": "090111", "from": "2026-01-01", "series": "Coffee, Arabica"})).await;
        assert_eq!(one.at("/commodity/prices").as_array().map(Vec::len), Some(2));
        let none = app.graphql_with(query, json!({"code": "610910"})).await;
        assert_eq!(none.at("/commodity/prices"), &json!([]));
    }
}

//! Duties as they were published, reproduced: the rules, prices and rates as they are imported give the number that the
//! ministry printed.

use std::path::PathBuf;

use dermaga_api::domain::decimal::Decimal;
use dermaga_tests::{Backend, TestApp, each_database, say};
use serde_json::json;

/// A day on which a tax rate is held: 16,416 rupiah for a dollar.
const PAID_ON: &str = "2025-08-08";
const RATE: &str = "16416";

/// How much is exported: some tonnes that show a wrong digit.
const TONNES: &str = "12.5";

const QUOTE: &str = "
    query ($input: ExportDutyQuoteInput!) {
        exportDutyQuote(input: $input) {
            __typename
            ... on ExportDutyQuote {
                rule product
                dutyForeign { amount currency } levyForeign { amount currency }
                dutyIdr { amount } levyIdr { amount } totalIdr { amount }
                legalBasis { number }
            }
            ... on QuoteUnavailable { reason message }
        }
    }";

/// The file beside the repository, or the same one that the repository carries.
fn observed() -> String {
    let beside = dermaga_tests::data_folder().map(|folder| folder.join("duty-id/observed-export-duty.csv"));
    let own = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../api/data/duty-id/observed-export-duty.csv"));
    let file = beside.filter(|file| file.is_file()).unwrap_or(own);
    say(&format!("read {}", file.display()));
    std::fs::read_to_string(file).unwrap()
}

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

/// The amount for each tonne that a cell and its unit say, given the export price.
fn per_tonne(number: &str, unit: &str, hpe: Option<Decimal>) -> Decimal {
    if unit == "USD/MT" {
        return decimal(number);
    }
    let printed = unit.split_once("(USD ").map(|(_, rest)| decimal(rest.strip_suffix("/MT)").unwrap()));
    match (unit, printed) {
        (unit, Some(printed)) if unit.starts_with("% of reference price") => printed,
        (unit, _) if unit.starts_with("% of HPE") || unit == "% of export price" => {
            hpe.unwrap().checked_mul(decimal(number)).unwrap().checked_mul(decimal("0.01")).unwrap()
        }
        _ => panic!("an unknown unit: {unit}"),
    }
}

each_database! {
    /// Every published duty comes out of the rules: the rule, the rate, the amount; and every printed levy to its last
    /// digit.
    async fn every_published_duty_is_reproduced(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let text = observed();
        let mut lines = text.lines();
        let header: Vec<&str> = lines.next().unwrap().split(',').collect();
        let mut table = vec![format!("{:<34} {:<10} {:<20} {:>10} {:>10} {:>14}", "goods", "from", "rule", "USD/t", "levy/t", "IDR, 12.5 t")];
        let mut rows = 0;
        for line in lines {
            let row: Vec<&str> = line.split(',').collect();
            let cell = |name: &str| row[header.iter().position(|column| *column == name).unwrap()];
            let product = cell("product");
            let mut input = json!({
                "quantity": TONNES, "unit": "t", "filingDate": cell("valid_from"), "paymentDate": PAID_ON,
            });
            match product {
                "CPO" => input["hsCode"] = json!("1511.10.00"),
                "Cocoa beans" => input["hsCode"] = json!("1801.00.10"),
                other => input["productVariant"] = json!(other),
            }
            let answer = app.graphql_with(QUOTE, json!({ "input": input })).await;
            let quote = answer.at("/exportDutyQuote");
            assert_eq!(quote["__typename"], "ExportDutyQuote", "{line}: {quote:#}");
            let amount = |path: &str| quote.pointer(path).and_then(|amount| amount.as_str()).map(decimal);

            let unit = cell("export_duty_unit");
            let hpe = unit.split_once("% of HPE (USD ").map(|(_, rest)| decimal(rest.strip_suffix("/MT)").unwrap()));
            let times = |one: Decimal, other: &str| one.checked_mul(decimal(other)).unwrap();
            let duty = per_tonne(cell("export_duty"), unit, hpe);
            assert_eq!(amount("/dutyForeign/amount"), Some(times(duty, TONNES)), "{line}: {quote:#}");
            assert_eq!(amount("/dutyIdr/amount"), Some(times(times(duty, TONNES), RATE)), "{line}");
            let levy = (!cell("levy").is_empty()).then(|| per_tonne(cell("levy"), cell("levy_unit"), hpe));
            assert_eq!(amount("/levyForeign/amount"), levy.map(|levy| times(levy, TONNES)), "{line}: {quote:#}");
            let total = duty.checked_add(levy.unwrap_or(Decimal::ZERO)).unwrap();
            assert_eq!(amount("/totalIdr/amount"), Some(times(times(total, TONNES), RATE)), "{line}");
            let rule = quote["rule"].as_str();
            // The column of the annex is in the name of the rule.
            if product == "CPO" && !cell("annex_column").is_empty() {
                assert_eq!(rule, Some(format!("CPO-C{}", cell("annex_column")).as_str()), "{line}");
            }
            // For olein in small packs no rule is held but the decree itself.
            assert_eq!(rule.is_none(), product.starts_with("RBD"), "{line}: {quote:#}");
            let shown = |amount: Decimal| amount.normalized().to_string();
            table.push(format!(
                "{product:<34} {:<10} {:<20} {:>10} {:>10} {:>14}",
                cell("valid_from"), rule.unwrap_or("published itself"), shown(duty), levy.map_or("-".to_owned(), shown),
                shown(times(times(total, TONNES), RATE)),
            ));
            rows += 1;
        }
        assert_eq!(rows, 10);
        say(&table.join("\n"));
    }
}

/// What the repository carries is what is beside it: facts are corrected in one place.
#[test]
fn the_shipped_files_are_those_beside_the_repository() {
    let Some(folder) = dermaga_tests::data_folder() else {
        return say("left out: there is no data folder beside the repository");
    };
    for file in ["export-duty-rules", "observed-export-duty", "palm-levy-groups", "kurs-pajak-samples"] {
        let own = format!("{}/../api/data/duty-id/{file}.csv", env!("CARGO_MANIFEST_DIR"));
        let beside = folder.join(format!("duty-id/{file}.csv"));
        assert!(std::fs::read(own).unwrap() == std::fs::read(beside).unwrap(), "{file}.csv");
    }
}

//! The commands that bring in rules, prices and rates of export duty.

use std::path::PathBuf;

use dermaga_tests::{Backend, Cli, each_database, say};

/// The file beside the repository, or the same one that the repository carries.
fn file(name: &str) -> String {
    let beside = dermaga_tests::data_folder().map(|folder| folder.join("duty-id").join(name));
    let own = PathBuf::from(format!("{}/../api/data/duty-id/{name}", env!("CARGO_MANIFEST_DIR")));
    let file = beside.filter(|file| file.is_file()).unwrap_or(own);
    say(&format!("read {}", file.display()));
    file.to_str().unwrap().to_owned()
}

each_database! {
    /// Each command takes its file as it is, over a database with nothing in it, and changes nothing the second time.
    async fn every_kind_of_file_is_imported_once(backend: Backend) {
        let (url, _guard) = backend.empty_url().await;
        let cli = Cli::over(&url);
        cli.write("bank.csv", "date,bank,currency,unit,buy,sell\n2026-10-30,Bank A,JPY,100,11000.5,11100\n2026-10-30,Bank A,USD,1,,16500\n");
        let packed = format!("{}/../api/data/worldbank-pink-sheet-monthly.zip", env!("CARGO_MANIFEST_DIR"));
        for (kind, file, first, second) in [
            ("regulations", format!("{}/../api/data/duty-id/regulations.csv", env!("CARGO_MANIFEST_DIR")), "added 12 regulations, ", "12 regulations and 4 amendments"),
            ("duty-rules", file("export-duty-rules.csv"), "added 21 rules, ", "21 rules and 8 measures"),
            ("duty-rules", file("palm-levy-groups.csv"), "added 9 rules, ", "9 rules and 9 measures"),
            ("reference-prices", file("observed-export-duty.csv"), "added 29 figures, ", "29 figures and 10 periods"),
            ("tax-rates", file("kurs-pajak-samples.csv"), "added 2 days, ", "2 days and 22 rates"),
            ("bank-rates", "bank.csv".to_owned(), "added 1 day, ", "1 day and 3 rates"),
            ("prices", packed, "added 8120 prices, ", "8120 prices and 25 price lists"),
        ] {
            let said = cli.succeed(&["import", kind, &file]);
            assert!(said.starts_with(first), "{kind}: {said}");
            let again = cli.succeed(&["import", kind, &file]);
            assert_eq!(again, format!("nothing to change: {second} were there already\n"), "{kind}");
        }
    }

    /// A file with one wrong line brings nothing in, and the line is named.
    async fn a_wrong_line_stops_the_whole_file(backend: Backend) {
        let (url, _guard) = backend.empty_url().await;
        let cli = Cli::over(&url);
        let rules = std::fs::read_to_string(file("export-duty-rules.csv")).unwrap();
        let overlapping = rules.replacen("COCOA-OLD-2,Cocoa beans,18010010;18010090,AD_VALOREM,2000,", "COCOA-OLD-2,Cocoa beans,18010010;18010090,AD_VALOREM,1900,", 1);
        let unknown = rules.replace("ex 13019090", "ex 13019091");
        let prices = std::fs::read_to_string(file("observed-export-duty.csv")).unwrap();
        let overlap = prices.replacen("2023-03-01,2023-03-15", "2023-02-20,2023-03-15", 1);
        for (kind, text, words) in [
            ("duty-rules", overlapping, ["line 3: ", "COCOA-OLD-2: its band overlaps that of COCOA-OLD-1"]),
            ("duty-rules", unknown, ["line 14: ", "there is no commodity 13019091"]),
            ("duty-rules", rules.replace(",74,USD/MT,", ",74,USD/barrel,"), ["line 12: ", "rate_unit \"USD/barrel\""]),
            ("reference-prices", overlap, ["line 3: ", "overlaps that from 2023-02-16 to 2023-02-28"]),
            ("tax-rates", "decree,valid_from,valid_to,currency,unit,idr\nKMK 1/2026,2026-01-07,2026-01-13,USD,x,1\n".to_owned(), ["line 2: ", "unit \"x\""]),
            ("bank-rates", "date,bank,currency,unit,buy,sell\n2026-10-30,A,USD,1,2,1\n".to_owned(), ["line 2: ", "buys at 2, above the 1"]),
            ("prices", "month,series,unit,price_usd\n2026,Tea,$/kg,1\n".to_owned(), ["line 2: ", "is not a month"]),
        ] {
            cli.write("bad.csv", text);
            let ended = cli.run(&["import", kind, "bad.csv"]);
            assert_eq!(ended.code, Some(1), "{kind}: {ended:?}");
            assert!(ended.stderr.contains("IMPORT_REFUSED_LINES"), "{kind}: {}", ended.stderr);
            assert!(ended.stderr.contains("1 line is wrong"), "{kind}: {}", ended.stderr);
            for word in words {
                assert!(ended.stderr.contains(word), "{kind}: {word:?} in {}", ended.stderr);
            }
        }
        // Nothing by half: the good file finds nothing there.
        let said = cli.succeed(&["import", "duty-rules", &file("export-duty-rules.csv")]);
        assert!(said.starts_with("added 21 rules, changed 0, left 0"), "{said}");
    }
}

//! The whole history of the ECB, where the full data files are beside the repository.

use std::io::Write;
use std::path::PathBuf;

use dermaga_api::clock::Clock;
use dermaga_api::import::{Report, Subject, ecb};
use dermaga_api::progress::Progress;
use dermaga_tests::{Backend, NOW, TestApp, each_database};
use serde_json::json;

/// The ECB's own archive: the one beside the repository, or the copy that is compiled in.
fn archive() -> PathBuf {
    let beside = dermaga_tests::data_folder().map(|folder| folder.join("fx/eurofxref-hist.zip"));
    let file = beside
        .filter(|file| file.is_file())
        .unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../api/data/ecb/eurofxref-hist.zip")));
    // Not through `println!`, which the test runner swallows when all goes well.
    std::io::stderr().write_all(format!("read {}\n", file.display()).as_bytes()).unwrap();
    file
}

async fn import(app: &TestApp, history: &ecb::History) -> Report {
    app.database
        .write(async |transaction| {
            ecb::import(transaction, history, Clock::fixed(NOW).now(), &Progress::hidden()).await
        })
        .await
        .unwrap()
}

each_database! {
    /// What holds over the sample holds over 27 years, and importing them again changes nothing.
    async fn the_whole_history_says_the_same(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let history = ecb::read(&archive()).unwrap();
        assert_eq!(history.days().len(), 7_126);
        let first = import(&app, &history).await;
        let Subject::Rates { days } = first.subject else { panic!("{first}") };
        // 60 days of it are in every test database.
        assert_eq!((days.added, days.changed, days.unchanged), (7_066, 0, 60), "{first}");
        let second = import(&app, &history).await;
        assert!(!second.is_change(), "{second}");
        assert_eq!(second.unchanged, first.added + first.unchanged);
        assert!(second.to_string().starts_with("nothing to change"), "{second}");

        let answer = app
            .graphql(
                "query {
                    eurusd: currencyRate(base: \"EUR\", quote: \"USD\", date: \"2026-10-30\") { ...r }
                    usdidr: currencyRate(base: \"USD\", quote: \"IDR\", date: \"2026-10-30\") { ...r }
                    saturday: currencyRate(base: \"IDR\", quote: \"USD\", date: \"2026-10-31\") { ...r }
                    kuna: currencyRate(base: \"EUR\", quote: \"HRK\", date: \"2023-01-05\") { ...r }
                    early: currencyRate(base: \"USD\", quote: \"IDR\", date: \"2004-12-31\") { ...r }
                    late: currencyRate(base: \"EUR\", quote: \"HRK\", date: \"2023-01-14\") { ...r }
                    first: currencyRate(base: \"EUR\", quote: \"USD\", date: \"1999-01-04\") { ...r }
                }
                fragment r on RateResult {
                    ... on CurrencyRate { rate effectiveDate ageDays }
                    ... on RateUnavailable { earliest latest nearest { effectiveDate } }
                }",
            )
            .await;
        assert_eq!(
            answer.data(),
            &json!({
                "eurusd": {"rate": "1.1172", "effectiveDate": "2026-10-30", "ageDays": 0},
                "usdidr": {"rate": "18148.2008592910849", "effectiveDate": "2026-10-30", "ageDays": 0},
                "saturday": {"rate": "0.0000551018807733794587", "effectiveDate": "2026-10-30", "ageDays": 1},
                "kuna": {"rate": "7.5365", "effectiveDate": "2022-12-30", "ageDays": 6},
                "early": {"earliest": "2005-04-01", "latest": "2026-10-30", "nearest": {"effectiveDate": "2005-04-01"}},
                "late": {"earliest": "2005-04-01", "latest": "2022-12-30", "nearest": {"effectiveDate": "2022-12-30"}},
                "first": {"rate": "1.1789", "effectiveDate": "1999-01-04", "ageDays": 0},
            })
        );
    }
}

/// The copy that is compiled in is the file that the full data folder has, so both say the same.
#[test]
fn the_compiled_in_history_is_the_file_beside_the_repository() {
    let Some(folder) = dermaga_tests::data_folder() else {
        return println!("left out: there is no data folder beside the repository");
    };
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../api/data/ecb/eurofxref-hist.zip");
    assert!(std::fs::read(folder.join("fx/eurofxref-hist.zip")).unwrap() == std::fs::read(own).unwrap());
}

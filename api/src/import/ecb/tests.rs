use entity::{currency_rate, rate_source};
use sea_orm::{DatabaseConnection, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, TransactionTrait};

use super::*;
use crate::import::test_support::{at, data, empty_database, refusals, zip_of};

/// The history that the repository carries. Its README names the number of days.
fn history() -> Vec<u8> {
    std::fs::read(data("ecb/eurofxref-hist.zip")).unwrap()
}

fn sample() -> String {
    std::fs::read_to_string(data("samples/ecb-sample.csv")).unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

const MORNING: &str = "2026-11-02T08:00:00Z";
const EVENING: &str = "2026-11-02T18:00:00Z";

async fn import_at(database: &DatabaseConnection, days: &History, now: &str) -> Report {
    let tx = database.begin().await.unwrap();
    let report = import(&tx, days, at(now), &Progress::hidden()).await.unwrap();
    tx.commit().await.unwrap();
    report
}

async fn rates(database: &DatabaseConnection) -> Vec<currency_rate::Model> {
    let rates = currency_rate::Entity::all().order_by_asc(currency_rate::Column::EffectiveDate);
    rates.order_by_asc(currency_rate::Column::Quote).all(database).await.unwrap()
}

async fn retrieved_at(database: &DatabaseConnection) -> DateTime<Utc> {
    rate_source::Entity::all().one(database).await.unwrap().unwrap().retrieved_at
}

fn rate_of(day: &Day, code: &str) -> Option<String> {
    day.rates.iter().find(|(currency, _)| currency.code() == code).map(|(_, rate)| rate.to_string())
}

#[test]
fn the_whole_history_is_read() {
    let history = parse(&history()).unwrap();
    let days = history.days();

    assert_eq!(days.len(), 7126);
    assert_eq!(days.iter().map(|day| day.rates.len()).sum::<usize>(), 221_702);
    assert!(days.is_sorted_by(|a, b| a.date < b.date));
    assert_eq!(days[0].date, day("1999-01-04"));
    let last = days.last().unwrap();
    assert_eq!(last.date, day("2026-10-30"));
    assert_eq!(rate_of(last, "USD").as_deref(), Some("1.1172"));
    assert_eq!(rate_of(last, "IDR").as_deref(), Some("20275.17"));
    assert_eq!(rate_of(last, "RUB"), None);
    let first_rupiah = days.iter().find(|day| rate_of(day, "IDR").is_some()).unwrap();
    assert_eq!(first_rupiah.date, day("2005-04-01"));
}

/// The first start of a server does this. It takes a few seconds in a debug build.
#[tokio::test]
async fn the_whole_history_is_stored_and_a_second_import_changes_nothing() {
    let database = empty_database().await;
    let days = parse(&history()).unwrap();

    let started = std::time::Instant::now();
    let first = import_at(&database, &days, MORNING).await;
    let first_took = started.elapsed();
    let second = import_at(&database, &days, EVENING).await;
    println!("first import {first_took:?}, second {:?}", started.elapsed() - first_took);

    let all_days = |added, unchanged| Subject::Rates { days: Counts { added, changed: 0, unchanged } };
    assert_eq!(first, Report { subject: all_days(7126, 0), added: 221_702, ..Report::default() });
    assert_eq!(second, Report { subject: all_days(0, 7126), unchanged: 221_702, ..Report::default() });
    assert_eq!(currency_rate::Entity::all().count(&database).await.unwrap(), 221_702);
    assert_eq!(retrieved_at(&database).await, at(MORNING));
}

#[tokio::test]
async fn a_rate_is_stored_as_printed_with_its_source() {
    let database = empty_database().await;
    import_at(&database, &parse(b"Date,USD,ISK,\n2026-10-30,1.10,136,\n").unwrap(), MORNING).await;

    let rates = rates(&database).await;
    assert_eq!(rates.len(), 2);
    let expected = currency_rate::Model {
        purpose: Purpose::Reference,
        base: "EUR".into(),
        quote: "USD".into(),
        effective_date: day("2026-10-30"),
        source: "ECB".into(),
        rate: "1.10".into(),
        quoted_per: 1,
        valid_to: None,
    };
    assert_eq!(rates[1], expected);
    assert_eq!(rates[0].rate, "136");
    let source = rate_source::Entity::all().one(&database).await.unwrap().unwrap();
    assert_eq!(source.code, "ECB");
    assert_eq!(source.name, "European Central Bank");
    assert_eq!(source.attribution, "Source: European Central Bank reference rates");
    assert!(source.url.unwrap().starts_with("https://www.ecb.europa.eu/"));
}

#[tokio::test]
async fn only_what_is_new_or_other_is_counted_and_written() {
    let database = empty_database().await;
    import_at(&database, &parse(b"Date,USD,JPY\n2026-10-29,1.1,170\n2026-10-28,1.2,171\n").unwrap(), MORNING).await;

    // A corrected rate, a rate that was missing, a rate that is now missing, and a new day.
    let newer = b"Date,USD,JPY,IDR\n2026-10-30,1.0,169,N/A\n2026-10-29,1.15,170,20000\n2026-10-28,1.2,N/A,N/A\n";
    let report = import_at(&database, &parse(newer).unwrap(), EVENING).await;

    let days = Counts { added: 1, changed: 1, unchanged: 1 };
    let expected = Report { subject: Subject::Rates { days }, added: 3, changed: 1, unchanged: 2, ..Report::default() };
    assert_eq!(report, expected);
    let stored: Vec<_> =
        rates(&database).await.iter().map(|r| format!("{} {} {}", r.effective_date, r.quote, r.rate)).collect();
    let expected = [
        "2026-10-28 JPY 171",
        "2026-10-28 USD 1.2",
        "2026-10-29 IDR 20000",
        "2026-10-29 JPY 170",
        "2026-10-29 USD 1.15",
        "2026-10-30 JPY 169",
        "2026-10-30 USD 1.0",
    ];
    assert_eq!(stored, expected);
    assert_eq!(retrieved_at(&database).await, at(EVENING));
}

/// A file may hold two days that are years apart.
#[tokio::test]
async fn days_far_apart_are_compared_one_span_at_a_time() {
    let database = empty_database().await;
    let dates = ["1999-01-04", "1999-04-03", "1999-04-04", "2026-10-30", "9999-12-31"];
    let file = dates.iter().fold("Date,USD\n".to_owned(), |file, date| file + date + ",1.1\n");
    let history = parse(file.as_bytes()).unwrap();
    assert_eq!(import_at(&database, &history, MORNING).await.added, 5);
    assert_eq!(import_at(&database, &history, MORNING).await.unchanged, 5);
}

/// The same pair on the same day from another source, or for another purpose, is another rate.
#[tokio::test]
async fn rates_of_others_are_left_alone() {
    let database = empty_database().await;
    import_at(&database, &History { days: vec![] }, MORNING).await;
    let mut other = row(day("2026-10-30"), Currency::usd(), "1.5".into());
    other.purpose = ActiveValue::Set(Purpose::BankBuy);
    currency_rate::Entity::insert_many([other]).exec_without_returning(&database).await.unwrap();

    let report = import_at(&database, &parse(b"Date,USD\n2026-10-30,1.1\n").unwrap(), MORNING).await;

    assert_eq!((report.added, report.changed), (1, 0));
    let bank = currency_rate::Entity::all().filter(currency_rate::Column::Purpose.eq(Purpose::BankBuy));
    assert_eq!(bank.one(&database).await.unwrap().unwrap().rate, "1.5");
}

/// A header may have many currencies and a file many days; the databases limit the values in a statement.
#[tokio::test]
async fn a_wide_file_stays_within_the_limits_of_a_statement() {
    let database = empty_database().await;
    let currencies: Vec<_> = Currency::all().filter(|currency| *currency != Currency::eur()).collect();
    let codes: Vec<_> = currencies.iter().map(|currency| currency.code()).collect();
    let mut file = format!("Date,{},\n", codes.join(","));
    for date in day("2020-01-01").iter_days().take(SPAN.num_days() as usize) {
        file += &format!("{date},{}\n", "1.5,".repeat(codes.len()));
    }
    let report = import_at(&database, &parse(file.as_bytes()).unwrap(), MORNING).await;

    assert!(report.added * 8 > 65_535, "{report}");
    assert_eq!(currency_rate::Entity::all().count(&database).await.unwrap(), report.added);
}

/// What the caller rolls back is as if it had never been.
#[tokio::test]
async fn the_transaction_is_the_callers() {
    let database = empty_database().await;
    let tx = database.begin().await.unwrap();
    let days = parse(sample().as_bytes()).unwrap();
    import(&tx, &days, at(MORNING), &Progress::hidden()).await.unwrap();
    tx.rollback().await.unwrap();

    assert_eq!(rates(&database).await, Vec::<currency_rate::Model>::new());
    assert_eq!(rate_source::Entity::all().count(&database).await.unwrap(), 0);
}

#[test]
fn the_file_of_one_day_is_read_in_all_its_spellings() {
    for file in [
        "Date,USD,IDR,\n2026-10-30,1.1172,20275.17,\n",
        "Date,USD,IDR,\n2026-10-30,1.1172,20275.17,",
        "Date,USD,IDR\n2026-10-30,1.1172,20275.17\n",
        "\u{feff}Date,USD,IDR,\r\n2026-10-30,1.1172,20275.17,\r\n\r\n",
        "Date, USD, IDR, \n30 October 2026, 1.1172, 20275.17, \n",
    ] {
        let days = parse(file.as_bytes()).unwrap();
        assert_eq!(days.days.len(), 1, "{file:?}");
        assert_eq!(days.days[0].date, day("2026-10-30"));
        assert_eq!(rate_of(&days.days[0], "IDR").as_deref(), Some("20275.17"));
        assert_eq!(parse(&zip_of(&[("eurofxref.csv", file.as_bytes())])).unwrap(), days);
    }
}

#[test]
fn a_damaged_archive_is_refused() {
    let zip = history();
    for cut in [zip.len() / 2, zip.len() - 1, 30] {
        let error = parse(&zip[..cut]).unwrap_err();
        assert_eq!(error.code(), "IMPORT_NOT_AN_ARCHIVE", "{error}");
    }
    let mut flipped = zip.clone();
    for byte in &mut flipped[zip.len() / 2..][..4] {
        *byte = !*byte;
    }
    let error = parse(&flipped).unwrap_err();
    assert_eq!(error.code(), "IMPORT_NOT_AN_ARCHIVE", "{error}");
    assert!(error.to_string().contains("damaged"), "{error}");
}

/// A single wrong bit is never a wrong rate: the file is refused, or it was a bit that does not matter.
#[test]
fn no_flipped_bit_changes_a_rate() {
    let some_lines = sample().lines().take(4).fold(String::new(), |text, line| text + line + "\n");
    let days = parse(some_lines.as_bytes()).unwrap();
    let zip = zip_of(&[("rates.csv", some_lines.as_bytes())]);
    let mut refused = 0;
    for bit in 0..zip.len() * 8 {
        let mut flipped = zip.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        match parse(&flipped) {
            Ok(read) => assert_eq!(read, days, "bit {bit}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > zip.len() * 4, "{refused}");
}

/// Wherever a download breaks off, it is not taken for the whole, unless it breaks off between two days.
#[test]
fn a_csv_that_is_cut_short_is_refused_at_its_last_line() {
    let sample = sample();
    let start_of_last = sample.trim_end().rfind('\n').unwrap() + 1;
    let last_line = sample.lines().count() as u64;
    for end in start_of_last + 1..sample.trim_end().len() {
        let refused = refusals(parse(&sample.as_bytes()[..end]));
        assert_eq!(refused.len(), 1, "{refused:?}");
        assert!(refused[0].starts_with(&format!("{last_line}: there are ")), "{refused:?}");
    }
    assert!(refusals(parse(b"Date,USD\n2026-10-30,1.11"))[0].starts_with("2: the file may be cut short"));
    assert!(refusals(parse(b"Date,USD,\n"))[0].starts_with("1: there is no day below the header"));
}

#[test]
fn a_header_that_is_not_the_ecbs_is_refused_at_line_1() {
    for (header, reason) in [
        ("", "1: the header must be Date"),
        ("<html>", "1: the header must be Date"),
        ("Day,USD,", "1: the header must be Date"),
        ("Date", "1: the header must be Date"),
        ("Date,", "1: the header must be Date"),
        ("Date,USD,XXA,usd,", "1: \"XXA\" is not a known currency; \"usd\" is not a known currency"),
        ("Date,USD,,JPY,", "1: \"\" is not a known currency"),
        ("Date,USD,JPY,USD,", "1: USD is there twice"),
        ("Date,EUR,", "1: EUR is what the rates are for"),
    ] {
        let refused = refusals(parse(header.as_bytes()));
        assert!(refused[0].starts_with(reason), "{header}: {refused:?}");
    }
    let refused = refusals(parse(b"Date,USD,XXA,\n2026-10-30,1,2,\n2026-10-29,x,2,\n"));
    assert_eq!(refused.len(), 2, "the lines below are checked all the same: {refused:?}");
    assert!(refused[1].starts_with("3: USD"));
}

#[test]
fn every_bad_line_is_refused_with_its_number_and_reason() {
    let file = b"Date,USD,JPY,\n\
        2026-10-30,1.1,170,\n\
        2026-02-30,1.1,170,\n\
        2026-10-30,1.2,171,\n\
        2026-10-28,1;1,170,\n\
        2026-10-27,0.000,170,\n\
        2026-10-26,1.1,-170,\n\
        2026-10-23,11e-1,170,\n\
        2026-10-22,1.1,17\xff,\n\
        \n\
        2026-10-21,1.1,,\n\
        2026-10-20,1.1\n\
        2026-10-19,1.1,170,170,\n\
        2026-10-16,1.1,170,170\n\
        26-10-15,1.1,170,\n\
        1998-12-31,1.1,170,\n\
        2026-10-14,1.1234567890123,170,\n";
    let refused = refusals(parse(file));
    let expected = [
        "3: \"2026-02-30\" is not a date",
        "4: 2026-10-30 is on line 2 already",
        "5: USD \"1;1\": not a decimal",
        "6: USD \"0.000\": a rate must be more than zero",
        "7: JPY \"-170\": a rate must be more than zero",
        "8: USD \"11e-1\": a decimal must not have an exponent",
        "9: the line is not UTF-8 text",
        "11: JPY \"\": a decimal must not be empty",
        "12: there are 2 columns and not 4",
        "13: there are 5 columns and not 4",
        "14: there is a value below the empty end",
        "15: \"26-10-15\" is not a date",
        "16: \"1998-12-31\" is before the euro",
        "17: USD \"1.1234567890123\": a decimal must not have more than 12 digits",
    ];
    assert_eq!(refused.len(), expected.len(), "{refused:#?}");
    for (refused, expected) in refused.iter().zip(expected) {
        assert!(refused.starts_with(expected), "{refused} instead of {expected}");
    }
}

#[test]
fn dates_are_read_as_the_ecb_writes_them_and_in_no_other_way() {
    for good in ["2026-10-30", "30 October 2026", "2 May 2026", "02 May 2026"] {
        assert!(parse(format!("Date,USD\n{good},1.1\n").as_bytes()).is_ok(), "{good}");
    }
    for bad in
        ["2026-1-05", "30.10.2026", "10/30/2026", "30 Oct 2026", "+026-10-30", "2026-10-30T00:00", "20261030", ""]
    {
        let refused = refusals(parse(format!("Date,USD\n{bad},1.1\n").as_bytes()));
        assert!(refused[0].starts_with("2: ") && refused[0].contains("not a date"), "{refused:?}");
    }
}

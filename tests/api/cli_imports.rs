//! Imports from the command line: all of a file or nothing of it, and what is wrong with it in words.

use dermaga_api::store::{Database, DatabaseSettings};
use dermaga_tests::{Backend, Cli, Ended, each_database};
use entity::{commodity, currency_rate, rate_source};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../api/data");

fn data(name: &str) -> Vec<u8> {
    std::fs::read(format!("{DATA}/{name}")).unwrap()
}

/// The sample of the ECB's history, with one of its lines changed; lines are counted from 1.
fn rates_with(line: usize, change: impl Fn(&str) -> String) -> String {
    let text = String::from_utf8(data("samples/ecb-sample.csv")).unwrap();
    let lines = text.lines().zip(1..).map(|(old, number)| if number == line { change(old) } else { old.to_owned() });
    lines.map(|line| line + "\n").collect()
}

/// A zip archive with one stored file, as small as one can be.
fn archive(name: &str, content: &[u8], checksum: u32) -> Vec<u8> {
    let mut common = Vec::new();
    for number in [20_u16, 0, 0, 0, 0x21] {
        common.extend(number.to_le_bytes());
    }
    let length = u32::try_from(content.len()).unwrap();
    for number in [checksum, length, length] {
        common.extend(number.to_le_bytes());
    }
    common.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
    common.extend([0; 2]);
    let mut bytes = [b"PK\x03\x04", &common[..], name.as_bytes(), content].concat();
    let directory = [b"PK\x01\x02\x14\x00", &common[..], &[0; 14], name.as_bytes()].concat();
    let (size, offset) = (u32::try_from(directory.len()).unwrap(), u32::try_from(bytes.len()).unwrap());
    bytes.extend(directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    bytes.extend([size.to_le_bytes(), offset.to_le_bytes()].concat());
    bytes.extend([0; 2]);
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

/// Every row that an import can write, in one order.
async fn rows(url: &str) -> Vec<String> {
    let database = Database::open(&DatabaseSettings::new(url)).await.unwrap();
    let rows = database
        .write(async |transaction| {
            let mut rows = Vec::new();
            let rates = currency_rate::Entity::all().all(transaction).await?;
            rows.extend(rates.iter().map(|row| format!("{row:?}")));
            let sources = rate_source::Entity::all().all(transaction).await?;
            rows.extend(sources.iter().map(|row| format!("{row:?}")));
            let codes = commodity::Entity::all().all(transaction).await?;
            rows.extend(codes.iter().map(|row| format!("{row:?}")));
            Ok::<_, sea_orm::DbErr>(rows)
        })
        .await
        .unwrap();
    database.close().await;
    rows
}

/// It failed with this code, in words, and said nothing else.
#[track_caller]
fn assert_failed(ended: &Ended, code: &str, words: &[&str], what: &str) {
    assert_eq!(ended.code, Some(1), "{what}: {ended:?}");
    assert_eq!(ended.stdout, "", "{what}");
    assert!(ended.stderr.contains(&format!("error: {code}: ")), "{what}: {}", ended.stderr);
    for word in words {
        assert!(ended.stderr.contains(word), "{what}: {word:?} in {}", ended.stderr);
    }
    assert!(ended.stderr.lines().count() <= 25, "{what}: {}", ended.stderr);
}

each_database! {
    /// Importing a file again changes nothing, and says so; a newer file changes what it changes.
    async fn rates_are_imported_once(backend: Backend) {
        let (url, _guard) = backend.empty_url().await;
        let cli = Cli::over(&url);
        let import = |file: &str| cli.succeed(&["import", "rates", "--source", "ecb", file]);
        let sample = format!("{DATA}/samples/ecb-sample.csv");
        let first = import(&sample);
        assert!(first.starts_with("added 60 days, changed 0, left 0 as they were; added "), "{first}");
        let before = rows(&url).await;
        let second = import(&sample);
        assert!(second.starts_with("nothing to change: 60 days and "), "{second}");
        assert!(rows(&url).await == before, "the second import changed rows");
        let packed = data("samples/ecb-sample.csv");
        cli.write("same.zip", archive("eurofxref-hist.csv", &packed, crc32(&packed)));
        assert_eq!(import("same.zip"), second, "an archive is unpacked");
        cli.write("newer.csv", rates_with(2, |line| line.replace("1.1172", "1.1173")));
        let third = import("newer.csv");
        assert_eq!(third.split(';').next(), Some("added 0 days, changed 1, left 59 as they were"), "{third}");
        assert!(third.contains("added 0 rates, changed 1, "), "{third}");
        assert_eq!(rows(&url).await.len(), before.len());
    }

    /// A damaged file changes nothing, whatever is wrong with it, and each line that is wrong is named.
    async fn bad_files_of_rates_change_nothing(backend: Backend) {
        let (url, _guard) = backend.empty_url().await;
        let cli = Cli::over(&url);
        // A first file, so that there is something to be damaged.
        cli.write("good.csv", rates_with(2, |line| line.replace("1.1172", "1.1171")));
        cli.succeed(&["import", "rates", "--source", "ecb", "good.csv"]);
        let before = rows(&url).await;
        assert!(before.len() > 1_000);

        let sample = data("samples/ecb-sample.csv");
        let real = data("ecb/eurofxref-hist.zip");
        let half = &real[..real.len() / 2];
        let flipped = |at: usize| {
            let mut bytes = real.clone();
            bytes[at..at + 16].iter_mut().for_each(|byte| *byte ^= 0xff);
            bytes
        };
        let refused = "IMPORT_REFUSED_LINES";
        let damaged = "IMPORT_NOT_AN_ARCHIVE";
        let bad_value = |value: &'static str| {
            rates_with(30, move |line| line.replacen(",1.", &format!(",{value}"), 1)).into_bytes()
        };
        let cases: Vec<(&str, Vec<u8>, &str, Vec<&str>)> = vec![
            ("half of an archive", half.to_vec(), damaged, vec!["fetch it again"]),
            ("an archive with flipped bytes", flipped(real.len() / 2), damaged, vec!["fetch it again"]),
            ("an archive with a flipped end", flipped(real.len() - 20), damaged, vec![]),
            ("an archive of half an archive", archive("x.csv", half, crc32(half)), refused, vec!["line 1: "]),
            ("a wrong checksum", archive("x.csv", &sample, crc32(&sample) ^ 1), damaged, vec![]),
            ("an archive of a text", archive("x.txt", &sample, crc32(&sample)), damaged, vec!["exactly one .csv file"]),
            ("a file cut in a line", sample[..sample.len() / 2].to_vec(), refused, vec!["is wrong", "cut"]),
            ("a file cut in its last number", sample[..sample.len() - 3].to_vec(), refused, vec!["line 61: "]),
            ("a word for a rate", bad_value("one"), refused, vec!["1 line is wrong", "line 30: "]),
            ("a negative rate", bad_value("-1."), refused, vec!["line 30: "]),
            ("an exponent", bad_value("1e5"), refused, vec!["line 30: ", "exponent"]),
            (
                "a column too few",
                rates_with(30, |line| line.replacen(",", "", 1)).into_bytes(),
                refused,
                vec!["line 30: "],
            ),
            (
                "a day that does not exist",
                rates_with(2, |_| "2026-02-30,".to_owned()).into_bytes(),
                refused,
                vec!["line 2: "],
            ),
            (
                "a day twice",
                rates_with(3, |line| line.replace("2026-10-29", "2026-10-30")).into_bytes(),
                refused,
                vec!["line 3: ", "line 2 already"],
            ),
            (
                "an unknown currency",
                rates_with(1, |line| line.replace("USD", "XXX")).into_bytes(),
                refused,
                vec!["line 1: ", "XXX"],
            ),
            (
                "a header alone",
                rates_with(1, str::to_owned).lines().next().unwrap().as_bytes().to_vec(),
                refused,
                vec!["line 1: "],
            ),
            ("nothing", Vec::new(), refused, vec!["line 1: "]),
            ("a web page", b"<html>\n<body>404</body>\n</html>\n".to_vec(), refused, vec!["line 1: "]),
            ("bytes that are no text", [&sample[..400], b"\xff\xfe\n"].concat(), refused, vec!["line 2: "]),
        ];
        for (what, bytes, code, words) in cases {
            cli.write("bad", bytes);
            assert_failed(&cli.run(&["import", "rates", "--source", "ecb", "bad"]), code, &words, what);
            assert!(rows(&url).await == before, "{what} changed rows");
        }
        for (what, file) in [("a missing file", "none.csv"), ("a folder", ".")] {
            let ended = cli.run(&["import", "rates", "--source", "ecb", file]);
            assert_failed(&ended, "IMPORT_UNREADABLE", &[file], what);
        }
        assert!(rows(&url).await == before);
    }

    /// Codes are imported like rates: once, all of them, with the sections above them.
    async fn commodities_are_imported_once(backend: Backend) {
        let (url, _guard) = backend.empty_url().await;
        let cli = Cli::over(&url);
        let sample = format!("{DATA}/samples/hs-sample.csv");
        let expected =
            "added 143 codes, changed 0, left 0 as they were; added 3 sections, changed 0, left 0 as they were\n";
        assert_eq!(cli.succeed(&["import", "commodities", &sample]), expected);
        let before = rows(&url).await;
        assert_eq!(before.len(), 146);
        let again = "nothing to change: 143 codes and 3 sections were there already\n";
        assert_eq!(cli.succeed(&["import", "commodities", &sample]), again);
        assert!(rows(&url).await == before, "the second import changed rows");
        cli.write("sections.csv", "section,name,name_id\nIV,Food and drink,Makanan dan minuman\n");
        let named = cli.succeed(&["import", "commodities", &sample, "--sections", "sections.csv"]);
        assert!(named.ends_with("; added 0 sections, changed 1, left 2 as they were\n"), "{named}");
        assert!(rows(&url).await.iter().any(|row| row.contains("Makanan dan minuman")));
    }

    /// A tree with a hole in it is no tree: an orphan refuses the whole file.
    async fn bad_files_of_commodities_change_nothing(backend: Backend) {
        let (url, _guard) = backend.empty_url().await;
        let cli = Cli::over(&url);
        let sample = String::from_utf8(data("samples/hs-sample.csv")).unwrap();
        let lines: Vec<&str> = sample.lines().collect();
        cli.write("chapter.csv", format!("{}\n{}\n", lines[0], "II,09,\"Coffee, tea, mate and spices\",TOTAL,2"));
        cli.succeed(&["import", "commodities", "chapter.csv"]);
        let before = rows(&url).await;
        assert_eq!(before.len(), 2);
        let after = |line: &str| format!("{sample}{line}\n");
        let at = lines.len() + 1;
        let line = format!("line {at}: ");
        let without_1801: Vec<&str> =
            lines.iter().copied().filter(|line| !line.contains(",1801,\"") && !line.contains(",1801,C")).collect();
        assert_eq!(without_1801.len(), lines.len() - 1, "one heading is left out");
        for (what, text, words) in [
            ("an orphan", after("IV,999901,Nothing,9999,6"), vec![line.as_str(), "9999"]),
            ("a heading left out", without_1801.join("\n") + "\n", vec!["180100", "its parent 1801"]),
            ("a parent of another branch", after("IV,180199,Other,1802,6"), vec![line.as_str(), "1801"]),
            ("another section than its parent", after("II,180199,Other,1801,6"), vec![line.as_str(), "section"]),
            ("a code twice", after("IV,180100,Again,1801,6"), vec![line.as_str(), "already"]),
            ("a level that is not its length", after("IV,180199,Other,1801,4"), vec![line.as_str(), "level"]),
            ("no name", after("IV,180199,,1801,6"), vec![line.as_str()]),
            ("a code that is none", after("IV,18019x,Other,1801,6"), vec![line.as_str()]),
            ("a file cut in a line", sample[..sample.len() - 30].to_owned(), vec!["cut"]),
            ("another file", "a,b\n1,2\n".to_owned(), vec!["line 1: ", "header"]),
        ] {
            cli.write("bad.csv", text);
            assert_failed(&cli.run(&["import", "commodities", "bad.csv"]), "IMPORT_REFUSED_LINES", &words, what);
            assert!(rows(&url).await == before, "{what} changed rows");
        }
        let ended = cli.run(&["import", "commodities", "chapter.csv", "--sections", "none.csv"]);
        assert_failed(&ended, "IMPORT_UNREADABLE", &["none.csv"], "a missing file of sections");
    }
}

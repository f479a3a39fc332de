//! The bytes of an import: from a file, packed or not, never more than a known amount.

use std::fmt;
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use super::ImportError;

/// The most that an import reads, packed and unpacked. The largest real file has 2 MiB.
pub const MAX_BYTES: u64 = 64 << 20;

/// Reads the whole file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, ImportError> {
    let unreadable = |cause| ImportError::Unreadable { file: path.to_owned(), cause };
    let file = File::open(path).map_err(unreadable)?;
    read_bounded(file, MAX_BYTES).map_err(unreadable)?.ok_or(ImportError::TooLarge)
}

/// Everything in `reader`, or `None` when that is more than `limit`.
fn read_bounded(reader: impl Read, limit: u64) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    reader.take(limit + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}

/// Whether the bytes begin as a zip archive does.
pub(super) fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// Unpacks the one CSV file of a zip archive. Its checksum has been verified.
pub(super) fn unzip_csv(bytes: &[u8]) -> Result<Vec<u8>, ImportError> {
    unzip_csv_bounded(bytes, MAX_BYTES)
}

fn unzip_csv_bounded(bytes: &[u8], limit: u64) -> Result<Vec<u8>, ImportError> {
    let damaged = |cause: &dyn fmt::Display| ImportError::NotAnArchive { reason: format!("it is damaged ({cause})") };
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|cause| damaged(&cause))?;
    let names = archive.file_names().filter(|name| name.to_ascii_lowercase().ends_with(".csv"));
    let [name]: [String; 1] = names
        .map(str::to_owned)
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| ImportError::NotAnArchive { reason: "it must hold exactly one .csv file".into() })?;
    let file = archive.by_name(&name).map_err(|cause| damaged(&cause))?;
    // Read to its end, which is where the checksum is compared. The size it claims is not relied on.
    read_bounded(file, limit).map_err(|cause| damaged(&cause))?.ok_or(ImportError::TooLarge)
}

/// The text without the mark that some programs put before UTF-8.
pub(super) fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

/// A cell in a message: in quotes, escaped, and not longer than one wants to read.
pub(super) fn quoted(cell: &str) -> String {
    const SHOWN: usize = 24;
    match cell.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", &cell[..end]),
        None => format!("{cell:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::test_support::zip_of;

    #[test]
    fn the_one_csv_file_is_unpacked() {
        let zip = zip_of(&[("readme.txt", b"read me"), ("Rates.CSV", b"Date,USD")]);
        assert!(is_zip(&zip));
        assert_eq!(unzip_csv(&zip).unwrap(), b"Date,USD");
    }

    #[test]
    fn none_or_two_csv_files_are_refused() {
        for files in [vec![], vec![("a.txt", &b"a"[..])], vec![("a.csv", &b"a"[..]), ("b.csv", &b"b"[..])]] {
            let error = unzip_csv(&zip_of(&files)).unwrap_err();
            assert_eq!(error.code(), "IMPORT_NOT_AN_ARCHIVE");
            assert!(error.to_string().contains("exactly one .csv file"), "{error}");
        }
    }

    /// A few bytes can unpack to terabytes.
    #[test]
    fn unpacking_stops_at_the_limit() {
        let zip = zip_of(&[("zeros.csv", &[b'0'; 10_000])]);
        assert!(zip.len() < 500);
        assert_eq!(unzip_csv_bounded(&zip, 10_000).unwrap().len(), 10_000);
        assert_eq!(unzip_csv_bounded(&zip, 9_999).unwrap_err().code(), "IMPORT_TOO_LARGE");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read(Path::new("no/such/file.csv")).unwrap_err();
        assert_eq!(error.code(), "IMPORT_UNREADABLE");
        assert!(error.to_string().contains("no/such/file.csv"), "{error}");
    }

    #[test]
    fn cells_are_shown_short_and_without_control_characters() {
        assert_eq!(quoted("1,5\u{1b}[2J"), r#""1,5\u{1b}[2J""#);
        assert_eq!(quoted(&"é".repeat(30)), format!("\"{}\"…", "é".repeat(24)));
    }
}

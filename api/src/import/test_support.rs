//! What the tests of the imports share.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use migration::Migrator;
use sea_orm::{ConnectOptions, Database, DatabaseConnection};
use sea_orm_migration::MigratorTrait;

use super::{ImportError, Refusal};

/// An empty database in memory, with the tables of today.
pub(crate) async fn empty_database() -> DatabaseConnection {
    // Every connection to `:memory:` is another database, so there must be one.
    let options = ConnectOptions::new("sqlite::memory:").max_connections(1).to_owned();
    let database = Database::connect(options).await.unwrap();
    Migrator::up(&database, None).await.unwrap();
    database
}

/// A moment by its RFC 3339 text.
pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A zip archive of these files.
pub(crate) fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A file that the repository carries, by its path in `api/data`.
pub(crate) fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(path)
}

/// A file from beside the repository; `None` where only the repository is.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(path);
    file.exists().then_some(file)
}

/// The refused lines, as `line: reason`.
pub(crate) fn refusals<T: std::fmt::Debug>(result: Result<T, ImportError>) -> Vec<String> {
    match result.unwrap_err() {
        ImportError::Refused { report, .. } => {
            report.refused.iter().map(|Refusal { line, reason }| format!("{line}: {reason}")).collect()
        }
        other => panic!("not a refusal of lines: {other:?}"),
    }
}

//! Brings published data in: currency rates, commodity codes, rules and prices of export duty, market prices, and what
//! the assistant searches.
//!
//! An import reads a whole file, says of every bad line what is wrong with it, and then changes all that the
//! file changes or nothing. The caller opens the transaction and commits it. Importing a file again changes
//! nothing. An import never deletes: what a newer file leaves out stays.

use std::io;
use std::path::PathBuf;

pub mod bank_rates;
pub mod duty_rules;
pub mod ecb;
pub mod harmonized_system;
pub mod prices;
pub mod prompts;
pub mod reference_prices;
pub mod regulations;
pub mod successions;
pub mod tax_rates;

mod cells;
mod input;
mod quotes;
mod report;
mod rows;
mod table;

pub use input::MAX_BYTES;
pub use report::{Counts, REFUSALS_KEPT, Refusal, Report, Subject};

/// The codes of [`ImportError::code`].
pub mod code {
    /// The file could not be read.
    pub const UNREADABLE: &str = "IMPORT_UNREADABLE";
    /// The file is larger than any such file is.
    pub const TOO_LARGE: &str = "IMPORT_TOO_LARGE";
    /// The archive is damaged, or does not hold one CSV file.
    pub const NOT_AN_ARCHIVE: &str = "IMPORT_NOT_AN_ARCHIVE";
    /// Lines of the file are wrong.
    pub const REFUSED_LINES: &str = "IMPORT_REFUSED_LINES";
    /// The database failed.
    pub const DATABASE: &str = "IMPORT_DATABASE";
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file could not be read.
    #[error("cannot read {}: check that the file exists and may be read", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The file, or what is packed in it, is larger than [`MAX_BYTES`].
    #[error("the file holds more than {} MiB: check that it is the right one", MAX_BYTES >> 20)]
    TooLarge,
    /// The archive is damaged, or does not hold one CSV file.
    #[error("the archive cannot be used: {reason}; fetch it again, or unpack it and import the CSV file")]
    NotAnArchive {
        /// What is wrong with it.
        reason: String,
    },
    /// Lines of the file are wrong, so none was imported.
    #[error("{what}: {report}")]
    Refused {
        /// Which kind of file it is.
        what: &'static str,
        /// The refused lines; everything else in it is zero.
        report: Box<Report>,
    },
    /// The database failed. Nothing is committed.
    #[error("the database failed during the import")]
    Database(#[from] sea_orm::DbErr),
}

impl ImportError {
    /// A name for the kind of error that stays the same in every release.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => code::UNREADABLE,
            Self::TooLarge => code::TOO_LARGE,
            Self::NotAnArchive { .. } => code::NOT_AN_ARCHIVE,
            Self::Refused { .. } => code::REFUSED_LINES,
            Self::Database(_) => code::DATABASE,
        }
    }
}

#[cfg(test)]
mod test_support;

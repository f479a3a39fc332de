//! Looks for stale answers of two servers over one database for as long as you like.
//!
//!     cargo run -p dermaga-tests --example staleness -- --database postgres --seconds 600
//!     cargo run -p dermaga-tests --example staleness -- --database sqlite --layer unguarded
//!
//! PostgreSQL is found by TEST_POSTGRES_URL, its programs for a standby by TEST_POSTGRES_PROGRAMS, Redis by
//! TEST_REDIS_SERVER or in the path.

#![allow(clippy::print_stdout, reason = "a report for a person")]

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use dermaga_tests::Backend;
use dermaga_tests::staleness::{self, Check, Layer};

/// Looks for stale answers.
#[derive(Parser)]
struct Options {
    /// Over which database.
    #[arg(long, value_enum, default_value = "postgres")]
    database: Database,
    /// With what before it.
    #[arg(long, value_enum, default_value = "on")]
    layer: Cache,
    /// For how long.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Without cutting and killing anything.
    #[arg(long)]
    calm: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Database {
    Postgres,
    Sqlite,
}

#[derive(Clone, Copy, ValueEnum)]
enum Cache {
    /// The cache as it is.
    On,
    /// The cache, and a standby that is read; over PostgreSQL.
    Standby,
    /// No cache.
    Off,
    /// The cache without its guard against late fills, which must be found wrong.
    Unguarded,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let check = Check {
        backend: match options.database {
            Database::Postgres => Backend::Postgres,
            Database::Sqlite => Backend::Sqlite,
        },
        layer: match options.layer {
            Cache::On => Layer::On,
            Cache::Standby => Layer::Standby,
            Cache::Off => Layer::Off,
            Cache::Unguarded => Layer::Unguarded,
        },
        time: Duration::from_secs(options.seconds),
        accidents: !options.calm,
    };
    let Some(report) = staleness::run(&check).await else {
        println!("TEST_POSTGRES_URL, for a standby TEST_POSTGRES_PROGRAMS, and a redis-server are needed");
        return ExitCode::from(2);
    };
    println!("{report}");
    if let Some(example) = &report.example {
        println!("  the first: {example}");
    }
    ExitCode::from(u8::from(report.stale > 0))
}

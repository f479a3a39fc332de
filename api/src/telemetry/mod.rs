//! What the server says of itself to those who run it: the log, as text for people on a terminal, and as lines of JSON
//! for machines elsewhere. Beside it, [`traces`].
//!
//! Messages are constant and what varies is a field. No field may hold a secret, a token, a document or a value of a
//! variable, whatever the level.

mod ecs;
mod filter;
pub mod traces;

use std::io::IsTerminal;
use std::panic;
use std::time::Duration;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use crate::clock::Clock;
use crate::config::LogFormat;

pub use filter::{BadFilter, LogFilter, Replacement};

/// Whether the log is text, and not JSON.
pub fn is_text(format: LogFormat) -> bool {
    match format {
        LogFormat::Text => true,
        LogFormat::Json => false,
        LogFormat::Auto => std::io::stderr().is_terminal(),
    }
}

/// Starts the log on standard error, and returns what decides what is in it.
///
/// # Errors
/// When the filter is not understood, in words.
pub fn start(filter: &str, format: LogFormat) -> Result<LogFilter, String> {
    let (filter, handle) = LogFilter::new(filter).map_err(|error| format!("log: {error}"))?;
    let log: Box<dyn Layer<Registry> + Send + Sync> = if is_text(format) {
        tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_target(false)
            .with_ansi(std::io::stderr().is_terminal())
            // Whoever collects the log may be gone. To complain about that on standard error would panic.
            .log_internal_errors(false)
            .boxed()
    } else {
        log_panics();
        ecs::EcsLayer::new(std::io::stderr, Clock::system()).boxed()
    };
    // The filter is the log's own: other layers beside it see what they need.
    let subscriber = tracing_subscriber::registry().with(log.with_filter(filter));
    // A second start, as in tests that share a process, keeps the first.
    let _ = subscriber.try_init();
    Ok(handle)
}

/// A time as fields have it: in whole microseconds.
pub fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Has panics written as every other line is, in place of the words of the standard library.
fn log_panics() {
    panic::set_hook(Box::new(|panicked| {
        let place = panicked.location().map(ToString::to_string);
        let cause = panicked.payload_as_str().unwrap_or("a panic without words");
        tracing::error!(cause, place = place.as_deref(), "a thread panicked");
    }));
}

//! What is wrong with the settings, gathered so that an operator sees all of it at once.

use std::fmt::{Debug, Display};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct BadValues(Vec<String>);

/// The bad values that were found so far.
#[derive(Default)]
pub(super) struct Problems(Vec<String>);

impl Problems {
    /// Notes something that is wrong.
    pub(super) fn note(&mut self, problem: String) {
        self.0.push(problem);
    }

    /// Whether there was nothing.
    pub(super) fn none(self) -> Result<(), BadValues> {
        if self.0.is_empty() { Ok(()) } else { Err(BadValues(self.0)) }
    }

    /// The value, or the default when it is missing. A bad one is noted, and the default stands in for it.
    pub(super) fn parse<T>(
        &mut self,
        name: &str,
        given: Option<String>,
        default: &'static str,
        valid: impl Fn(&T) -> bool,
        expected: impl Display,
    ) -> T
    where
        T: FromStr,
        T::Err: Debug,
    {
        let parsed = given.as_deref().map(|text| text.trim().parse::<T>().ok().filter(&valid));
        if let Some(Some(value)) = parsed {
            return value;
        }
        if let Some(text) = given {
            self.0.push(format!("{name}: expected {expected}, found {text:?}"));
        }
        default.parse().expect("the defaults are valid, which a test checks")
    }

    /// A whole number within a range.
    pub(super) fn count<T>(
        &mut self,
        name: &str,
        given: Option<String>,
        default: &'static str,
        range: RangeInclusive<T>,
    ) -> T
    where
        T: FromStr + PartialOrd + Display,
        T::Err: Debug,
    {
        let expected = format!("a number from {} to {}", range.start(), range.end());
        self.parse(name, given, default, |value| range.contains(value), expected)
    }

    /// A time in whole seconds within a range.
    pub(super) fn seconds(
        &mut self,
        name: &str,
        given: Option<String>,
        default: &'static str,
        range: RangeInclusive<u64>,
    ) -> Duration {
        let expected = format!("a number of seconds from {} to {}", range.start(), range.end());
        Duration::from_secs(self.parse(name, given, default, |value| range.contains(value), expected))
    }

    /// A time in whole milliseconds within a range.
    pub(super) fn milliseconds(
        &mut self,
        name: &str,
        given: Option<String>,
        default: &'static str,
        range: RangeInclusive<u64>,
    ) -> Duration {
        let expected = format!("a number of milliseconds from {} to {}", range.start(), range.end());
        Duration::from_millis(self.parse(name, given, default, |value| range.contains(value), expected))
    }

    /// Yes or no.
    pub(super) fn truth(&mut self, name: &str, given: Option<String>, default: &'static str) -> bool {
        self.parse(name, given, default, |_| true, "true or false")
    }

    /// On or off.
    pub(super) fn switch(&mut self, name: &str, given: Option<&str>, default: bool) -> bool {
        match given.map(str::trim) {
            None => default,
            Some("on" | "true") => true,
            Some("off" | "false") => false,
            Some(other) => {
                self.0.push(format!("{name}: expected on or off, found {other:?}"));
                default
            }
        }
    }

    /// Origins as browsers send them, separated by commas.
    pub(super) fn origins(&mut self, name: &str, given: Option<String>) -> Vec<String> {
        let texts = given.unwrap_or_default();
        let origins = texts.split(',').map(str::trim).filter(|text| !text.is_empty());
        let (good, bad): (Vec<_>, Vec<_>) = origins.map(str::to_ascii_lowercase).partition(|origin| {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', ' ', '@']))
        });
        for origin in bad {
            self.0.push(format!("{name}: expected SCHEME://HOST[:PORT], found {origin:?}"));
        }
        good
    }
}

//! What is logged, by module, while the server runs.

use tracing_subscriber::Registry;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::reload;

use crate::error::{Error, Result};

/// The filter of the log. All clones are one filter.
#[derive(Clone, Debug)]
pub struct LogFilter(reload::Handle<Targets, Registry>);

/// Why a text is no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected LEVEL or MODULE=LEVEL, separated by commas, of error, warn, info, debug, trace and off; found {0:?}")]
pub struct BadFilter(String);

impl LogFilter {
    /// A filter, and what it is changed through.
    pub(super) fn new(text: &str) -> Result<(reload::Layer<Targets, Registry>, Self), BadFilter> {
        let (filter, handle) = reload::Layer::new(parse(text)?);
        Ok((filter, Self(handle)))
    }

    /// The filter that counts now.
    ///
    /// # Errors
    /// When there is no log any more.
    pub fn text(&self) -> Result<String> {
        self.0.with_current(ToString::to_string).map_err(Error::internal)
    }

    /// Puts another filter in its place, and logs that, in whichever of the two lets it through.
    ///
    /// # Errors
    /// When there is no log any more.
    pub fn replace(&self, filter: Replacement) -> Result<()> {
        let Replacement(filter) = filter;
        let (old, new) = (self.text()?, filter.to_string());
        let told = || tracing::info!(old, new, "the log filter was changed");
        let seen = self.0.with_current(shows_info).map_err(Error::internal)?;
        if seen {
            told();
        }
        self.0.reload(filter).map_err(Error::internal)?;
        if !seen {
            told();
        }
        Ok(())
    }
}

/// A filter that was understood.
#[derive(Clone, Debug)]
pub struct Replacement(Targets);

impl std::str::FromStr for Replacement {
    type Err = BadFilter;

    fn from_str(text: &str) -> Result<Self, BadFilter> {
        parse(text).map(Self)
    }
}

/// Whether this module may log at the level `info`.
fn shows_info(filter: &Targets) -> bool {
    filter.would_enable(module_path!(), &tracing::Level::INFO)
}

/// A filter from its text. The library takes a word that is no level for a module of which everything is wanted, so
/// that a slip of the pen would silence all others; here it is refused.
fn parse(text: &str) -> Result<Targets, BadFilter> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let mut filter = Targets::new();
    for part in parts {
        let bad = || BadFilter(part.chars().take(100).collect());
        let (module, level) = match part.split_once('=') {
            Some((module, level)) => (Some(module.trim()), level.trim()),
            None => (None, part),
        };
        let level = level_of(level).ok_or_else(bad)?;
        filter = match module {
            None => filter.with_default(level),
            Some(module) if is_module(module) => filter.with_target(module, level),
            Some(_) => return Err(bad()),
        };
    }
    Ok(filter)
}

fn level_of(word: &str) -> Option<LevelFilter> {
    let levels = [
        LevelFilter::OFF,
        LevelFilter::ERROR,
        LevelFilter::WARN,
        LevelFilter::INFO,
        LevelFilter::DEBUG,
        LevelFilter::TRACE,
    ];
    levels.into_iter().find(|level| level.to_string().eq_ignore_ascii_case(word))
}

/// Whether it looks like a module of Rust, such as `dermaga_api::cache`.
fn is_module(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "_:-.".contains(letter))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    /// What counts can be asked for, kept and put back.
    #[test]
    fn a_filter_is_read_back_from_its_own_text() {
        for text in
            ["info", "off", "info,dermaga_api::cache=debug", " INFO , actix_server = warn,sea_orm_migration=off"]
        {
            let filter = parse(text).unwrap();
            assert_eq!(parse(&filter.to_string()).unwrap(), filter, "{text}: {filter}");
        }
    }

    /// A module's level is its own, and that of all below it.
    #[test]
    fn a_level_is_of_a_module_and_of_those_in_it() {
        let filter = parse("warn,dermaga_api::cache=debug").unwrap();
        for (module, level, shown) in [
            ("dermaga_api::cache", Level::DEBUG, true),
            ("dermaga_api::cache::memory", Level::DEBUG, true),
            ("dermaga_api::cache", Level::TRACE, false),
            ("dermaga_api::store", Level::INFO, false),
            ("dermaga_api::store", Level::WARN, true),
        ] {
            assert_eq!(filter.would_enable(module, &level), shown, "{module} {level}");
        }
    }

    /// A misspelt level does not silence the log.
    #[test]
    fn what_is_no_filter_is_refused() {
        for bad in [
            "",
            " ",
            "debgu",
            "info,",
            ",info",
            "dermaga_api",
            "dermaga_api=",
            "=debug",
            "a=colour",
            "a=b=debug",
            "a[{b}]=debug",
            "info dermaga_api=debug",
            "dermaga_api=debug;info",
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
        let long = "x".repeat(1_000);
        assert!(parse(&long).unwrap_err().to_string().len() < 300);
    }
}

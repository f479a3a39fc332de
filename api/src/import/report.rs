//! What an import did, in numbers and in words.

use std::fmt;

use super::ImportError;

/// How many refused lines a report keeps and shows. The others are counted.
pub const REFUSALS_KEPT: usize = 20;

/// What an import added, changed, left alone and refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What the numbers count.
    pub subject: Subject,
    /// Rates or codes that were not there.
    pub added: u64,
    /// Rates or codes that were there with other values.
    pub changed: u64,
    /// Rates or codes that were there as they are in the file.
    pub unchanged: u64,
    /// The first refused lines, at most [`REFUSALS_KEPT`]. Not empty only in [`ImportError::Refused`].
    pub refused: Vec<Refusal>,
    /// How many lines were refused in all.
    pub refused_lines: u64,
}

/// What a report counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subject {
    /// Currency rates. A day is added when it had no rate, and changed when it had some.
    Rates {
        /// The days they are from.
        days: Counts,
    },
    /// Commodity codes.
    Commodities {
        /// The sections above them.
        sections: Counts,
    },
    /// Rows of another kind, in groups of some kind.
    Listed {
        /// What a row is called.
        noun: &'static str,
        /// What a group is called.
        group: &'static str,
        /// The groups.
        groups: Counts,
    },
    /// Rows of another kind.
    One {
        /// What a row is called.
        noun: &'static str,
    },
    /// Nothing was imported.
    #[default]
    Nothing,
}

/// How many were added, changed and left alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Were not there.
    pub added: u64,
    /// Were there with other values.
    pub changed: u64,
    /// Were there as they are in the file.
    pub unchanged: u64,
}

/// A line that cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

impl Report {
    pub(super) fn new(subject: Subject, counts: Counts) -> Self {
        let Counts { added, changed, unchanged } = counts;
        Self { subject, added, changed, unchanged, ..Self::default() }
    }

    /// Whether the database is now other than before.
    pub fn is_change(&self) -> bool {
        let groups = match self.subject {
            Subject::Rates { days } => days,
            Subject::Commodities { sections } => sections,
            Subject::Listed { groups, .. } => groups,
            Subject::One { .. } | Subject::Nothing => Counts::default(),
        };
        self.counts().is_change() || groups.is_change()
    }

    fn counts(&self) -> Counts {
        Counts { added: self.added, changed: self.changed, unchanged: self.unchanged }
    }
}

impl Counts {
    pub(super) fn is_change(self) -> bool {
        self.added > 0 || self.changed > 0
    }
}

/// Collects refused lines, however many there are.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    first: Vec<Refusal>,
    lines: u64,
}

impl Refusals {
    pub(super) fn add(&mut self, line: u64, reason: impl Into<String>) {
        self.lines += 1;
        if self.first.len() < REFUSALS_KEPT {
            self.first.push(Refusal { line, reason: reason.into() });
        }
    }

    /// `value` if no line was refused.
    pub(super) fn unless_any<T>(self, what: &'static str, value: T) -> Result<T, ImportError> {
        if self.lines == 0 {
            return Ok(value);
        }
        let report = Report { refused: self.first, refused_lines: self.lines, ..Report::default() };
        Err(ImportError::Refused { what, report: Box::new(report) })
    }
}

/// A number and its noun, in the singular where that is right.
struct Count(u64, &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.0, self.1, if self.0 == 1 { "" } else { "s" })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.refused_lines > 0 {
            return self.fmt_refused(f);
        }
        if let Subject::One { noun } = self.subject {
            return self.fmt_one(f, noun);
        }
        let (one, counts, other, groups) = match self.subject {
            Subject::Rates { days } => ("day", days, "rate", self.counts()),
            Subject::Commodities { sections } => ("code", self.counts(), "section", sections),
            Subject::Listed { noun, group, groups } => (noun, self.counts(), group, groups),
            Subject::One { .. } | Subject::Nothing => return f.write_str("nothing was imported"),
        };
        if !self.is_change() {
            let (all, others) = (Count(counts.unchanged, one), Count(groups.unchanged, other));
            return write!(f, "nothing to change: {all} and {others} were there already");
        }
        for (counts, noun, end) in [(counts, one, "; "), (groups, other, "")] {
            let Counts { added, changed, unchanged } = counts;
            write!(f, "added {}, changed {changed}, left {unchanged} as they were{end}", Count(added, noun))?;
        }
        Ok(())
    }
}

impl Report {
    fn fmt_one(&self, f: &mut fmt::Formatter<'_>, noun: &'static str) -> fmt::Result {
        let Counts { added, changed, unchanged } = self.counts();
        if !self.is_change() {
            let were = if unchanged == 1 { "was" } else { "were" };
            return write!(f, "nothing to change: {} {were} there already", Count(unchanged, noun));
        }
        write!(f, "added {}, changed {changed}, left {unchanged} as they were", Count(added, noun))
    }

    fn fmt_refused(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = Count(self.refused_lines, "line");
        let are = if self.refused_lines == 1 { "is" } else { "are" };
        write!(f, "nothing was imported, because {lines} {are} wrong; correct the file and import it again")?;
        for Refusal { line, reason } in &self.refused {
            write!(f, "\n  line {line}: {reason}")?;
        }
        match self.refused_lines.saturating_sub(self.refused.len() as u64) {
            0 => Ok(()),
            rest => write!(f, "\n  and {rest} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(added: u64, changed: u64, unchanged: u64) -> Counts {
        Counts { added, changed, unchanged }
    }

    #[test]
    fn a_report_says_what_was_done() {
        let first = Report::new(Subject::Rates { days: counts(7126, 0, 0) }, counts(221_702, 0, 0));
        assert_eq!(
            first.to_string(),
            "added 7126 days, changed 0, left 0 as they were; added 221702 rates, changed 0, left 0 as they were"
        );
        let again = Report::new(Subject::Rates { days: counts(0, 0, 1) }, counts(0, 0, 31));
        assert_eq!(again.to_string(), "nothing to change: 1 day and 31 rates were there already");
        let codes = Report::new(Subject::Commodities { sections: counts(0, 0, 2) }, counts(1, 2, 3));
        assert_eq!(
            codes.to_string(),
            "added 1 code, changed 2, left 3 as they were; added 0 sections, changed 0, left 2 as they were"
        );
    }

    /// A file of the wrong kind has thousands of bad lines; they must fill neither memory nor screen.
    #[test]
    fn many_refusals_are_counted_and_the_first_are_shown() {
        let mut refusals = Refusals::default();
        for line in 1..=50_000 {
            refusals.add(line, "not a rate");
        }
        let error = refusals.unless_any("some file", ()).unwrap_err();
        assert_eq!(error.code(), "IMPORT_REFUSED_LINES");
        let text = error.to_string();
        assert!(text.starts_with("some file: nothing was imported, because 50000 lines are wrong;"), "{text}");
        assert!(text.contains("\n  line 20: not a rate\n  and 49980 more"), "{text}");
        assert!(!text.contains("line 21"), "{text}");
    }
}

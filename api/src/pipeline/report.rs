//! What the log is told of an operation: of those that were slow, and of those that were sampled.
//!
//! Nothing of what a caller said stands in it: no document, no value of a variable, no name of a person or an account.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::Name;
use entity::ids::AccountId;
use serde_json::Value;

use super::profile::Profile;
use crate::documents::Hash;
use crate::metrics::Outcome;
use crate::telemetry::microseconds;

/// Batches that a line has at the most.
const BATCHES: usize = 10;

/// Letters of an operation's name that a line has at the most. Names are letters, digits and underscores.
const MAX_NAME: usize = 64;

/// By what an operation is known again.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    /// The name that the document gives it.
    pub(super) name: Option<Name>,
    /// The text of the document, of which the log gets the hash.
    pub(super) text: Arc<str>,
    /// What its variables look like.
    pub(super) variables: Option<String>,
}

/// What is told of an operation, or of one event of a subscription.
pub(super) struct Report<'a> {
    pub(super) request_id: &'a str,
    pub(super) account: AccountId,
    /// Query, mutation or subscription.
    pub(super) operation: &'static str,
    pub(super) subject: &'a Subject,
    pub(super) profile: Profile,
    pub(super) took: Duration,
    pub(super) outcome: Outcome,
    /// The codes of its errors.
    pub(super) codes: BTreeSet<&'static str>,
}

/// Both lines have the same fields. The level and the words have to be known to the compiler.
macro_rules! tell {
    ($report:expr, $level:ident, $words:literal) => {{
        let Report { request_id, account, operation, subject, profile, took, outcome, codes } = $report;
        let name = subject.name.as_ref().map(|name| name.as_str().chars().take(MAX_NAME).collect::<String>());
        let codes = (!codes.is_empty()).then(|| codes.iter().copied().collect::<Value>().to_string());
        tracing::$level!(
            request_id,
            %account,
            operation,
            operation_name = name.as_deref(),
            document = %Hash::of(&subject.text),
            variables = subject.variables.as_deref(),
            took = microseconds(*took),
            outcome = outcome.label(),
            codes = codes.as_deref(),
            cost = profile.cost,
            statements = profile.statements,
            rows = profile.rows,
            batch_count = profile.batches.len(),
            batches = %profile.slowest_batches(BATCHES),
            microseconds = %profile.times(),
            $words
        );
    }};
}

impl Report<'_> {
    /// Says that it was slow.
    pub(super) fn slow(&self) {
        tell!(self, warn, "an operation was slow");
    }

    /// Says what it cost, as one of many.
    pub(super) fn sampled(&self) {
        tell!(self, info, "the profile of an operation");
    }
}

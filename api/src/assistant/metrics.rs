//! What Prometheus is told of the assistant.

use std::time::Duration;

use prometheus::{HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, histogram_opts};

use super::breaker::State;
use crate::error::{Error, Result};
use crate::metrics::Metrics;

/// From a millisecond, where a cached answer is, to the minute after which nobody waits.
const SECONDS: [f64; 12] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

/// The instruments.
#[derive(Clone, Debug)]
pub struct AssistantMetrics {
    calls: IntCounterVec,
    tokens: IntCounterVec,
    cost: IntCounter,
    stages: HistogramVec,
    caches: IntCounterVec,
    outcomes: IntCounterVec,
    breaker: IntGaugeVec,
}

/// What came of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Called {
    /// An answer.
    Answered,
    /// None.
    Failed,
    /// It was not made.
    Skipped,
}

impl AssistantMetrics {
    /// Instruments beside the others.
    ///
    /// # Errors
    /// When they are registered already.
    pub fn new(metrics: &Metrics) -> Result<Self> {
        let counter = |name: &str, help: &str, labels: &[&str]| -> Result<IntCounterVec> {
            metrics.added(IntCounterVec::new(Opts::new(name, help), labels).map_err(Error::internal)?)
        };
        let stages = histogram_opts!(
            "dermaga_assistant_stage_seconds",
            "Time that the stages of a question took (budget, embedding, quote, search, chat, check, whole).",
            SECONDS.to_vec()
        );
        Ok(Self {
            calls: counter(
                "dermaga_assistant_calls_total",
                "Calls of models by kind (embedding, chat) and outcome (answered, failed, skipped); each try counts.",
                &["kind", "outcome"],
            )?,
            tokens: counter(
                "dermaga_assistant_tokens_total",
                "Tokens that models say they read and wrote (embedding, prompt, completion).",
                &["kind"],
            )?,
            cost: metrics.added(
                IntCounter::new(
                    "dermaga_assistant_cost_micros_total",
                    "What answers cost by the configured prices, in millionths of a US dollar.",
                )
                .map_err(Error::internal)?,
            )?,
            stages: metrics.added(HistogramVec::new(stages, &["stage"]).map_err(Error::internal)?)?,
            caches: counter(
                "dermaga_assistant_cache_total",
                "Look-ups of what is kept (answer, embedding, chunks, prompts) by outcome (hit, joined, miss).",
                &["cache", "outcome"],
            )?,
            outcomes: counter(
                "dermaga_assistant_outcomes_total",
                "What came of questions: ANSWER, CLARIFICATION, UNAVAILABLE, BUDGET_EXCEEDED, or the reason of a refusal.",
                &["outcome"],
            )?,
            breaker: metrics.added(
                IntGaugeVec::new(
                    Opts::new(
                        "dermaga_assistant_breaker_state",
                        "Whether models are asked, by kind: 0 they are, 1 one call tries, 2 they are not.",
                    ),
                    &["kind"],
                )
                .map_err(Error::internal)?,
            )?,
        })
    }

    /// Notes a call.
    pub fn called(&self, kind: &'static str, called: Called) {
        let outcome = match called {
            Called::Answered => "answered",
            Called::Failed => "failed",
            Called::Skipped => "skipped",
        };
        self.calls.with_label_values(&[kind, outcome]).inc();
    }

    /// Notes tokens.
    pub fn used(&self, kind: &'static str, tokens: u64) {
        self.tokens.with_label_values(&[kind]).inc_by(tokens);
    }

    /// Notes a cost.
    pub fn cost(&self, micros: u64) {
        self.cost.inc_by(micros);
    }

    /// Notes the end of a stage.
    pub fn stage(&self, stage: &'static str, took: Duration) {
        self.stages.with_label_values(&[stage]).observe(took.as_secs_f64());
    }

    /// Notes a look-up.
    pub fn looked_up(&self, cache: &'static str, outcome: &'static str) {
        self.caches.with_label_values(&[cache, outcome]).inc();
    }

    /// Notes what came of a question.
    pub fn outcome(&self, outcome: &'static str) {
        self.outcomes.with_label_values(&[outcome]).inc();
    }

    /// Notes whether models are asked.
    pub fn breaker(&self, kind: &'static str, state: State) {
        let number = match state {
            State::Closed => 0,
            State::Trying => 1,
            State::Open => 2,
        };
        self.breaker.with_label_values(&[kind]).set(number);
    }
}

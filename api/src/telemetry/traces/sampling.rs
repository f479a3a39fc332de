//! Which traces are kept.

use opentelemetry::trace::{Link, SpanKind, TraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SamplingResult, ShouldSample};

/// Decides about traces that begin here: a share of them; of those that have their cause in another trace, the ones whose
/// cause is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Roots {
    /// From 0 to 1.
    pub(super) share: f64,
}

impl ShouldSample for Roots {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let chosen = match links {
            [] => Sampler::TraceIdRatioBased(self.share),
            links if links.iter().any(|link| link.span_context.is_sampled()) => Sampler::AlwaysOn,
            _ => Sampler::AlwaysOff,
        };
        chosen.should_sample(parent, trace, name, kind, attributes, links)
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceState};
    use opentelemetry_sdk::trace::SamplingDecision;

    use super::*;

    fn is_kept(share: f64, links: &[Link]) -> bool {
        let trace = TraceId::from(0x7fff_ffff_ffff_ffff);
        let result = Roots { share }.should_sample(None, trace, "", &SpanKind::Internal, &[], links);
        result.decision == SamplingDecision::RecordAndSample
    }

    /// The events of a subscription are traced if it is, whatever the share.
    #[test]
    fn a_cause_decides_before_the_share() {
        let cause = |flags| {
            let ids = SpanContext::new(TraceId::from(1), SpanId::from(1), flags, false, TraceState::default());
            [Link::with_context(ids)]
        };
        assert!(is_kept(1.0, &[]) && !is_kept(0.0, &[]));
        assert!(is_kept(0.0, &cause(TraceFlags::SAMPLED)));
        assert!(!is_kept(1.0, &cause(TraceFlags::default())));
    }
}

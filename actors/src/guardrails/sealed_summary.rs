//! Summaries of compacted conversations, which come out of their seals only on the way to a provider.

use std::sync::Arc;

use gateway_wire::clients::Sealer;

use super::replacer::PolicyReplacer;
use super::{Policy, Tally};

/// Opens summaries as guardrails let them go.
#[derive(Debug)]
pub struct GuardedSealer {
    inner: Arc<dyn Sealer>,
    policy: Policy,
}

impl GuardedSealer {
    /// A sealer whose summaries pass the guardrails of a request.
    pub fn new(inner: Arc<dyn Sealer>, policy: Policy) -> Self {
        Self { inner, policy }
    }
}

impl Sealer for GuardedSealer {
    fn seal(&self, summary: &str) -> Option<String> {
        self.inner.seal(summary)
    }

    /// None too for what is denied.
    fn open(&self, sealed: &str) -> Option<String> {
        let summary = self.inner.open(sealed)?;
        let mut tally = Tally::default();
        let mut replacer = PolicyReplacer::new(&self.policy.pii, &mut tally, None);
        let told = replacer.replace_all(&summary, "");
        (!replacer.is_denied).then(|| told.unwrap_or(summary))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::routing::read_floor;

    #[derive(Debug)]
    struct Open;

    impl Sealer for Open {
        fn seal(&self, summary: &str) -> Option<String> {
            Some(summary.to_owned())
        }

        fn open(&self, sealed: &str) -> Option<String> {
            Some(sealed.to_owned())
        }
    }

    /// D8: what a former request sealed leaves as this request's guardrails let it.
    #[test]
    fn d8_a_summary_passes_the_guardrails() {
        let opened = |action: &str| {
            let floor = read_floor(&[json!({"type": "pii_detection", "action": action})], &[]).unwrap();
            GuardedSealer::new(Arc::new(Open), Policy::new(floor.input)).open("Her CMND 123456789.")
        };
        assert_eq!(opened("redact").as_deref(), Some("Her CMND [CMND_REDACTED]."));
        assert_eq!(opened("flag").as_deref(), Some("Her CMND 123456789."));
        assert_eq!(opened("deny"), None);
    }
}

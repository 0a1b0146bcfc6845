//! Answers that were stored, on their way to whoever reads them later.

use chrono::{SecondsFormat, Utc};
use gateway_wire::ErrorBody;
use gateway_wire::guarding::{GuardSource, guarded_output};
use serde_json::Value;

use super::input_result::InputResult;
use super::report::outcomes;
use super::{GuardrailRules, OutputGuards, Policy, Told};
use crate::metrics::Metrics;

/// A stored response as it may go to a reader whose answers pass this policy.
///
/// # Errors
/// Where a guardrail denies it.
pub async fn guard_stored(
    response: Value,
    policy: Policy,
    rules: &GuardrailRules,
    metrics: &Metrics,
) -> Result<Value, ErrorBody> {
    if policy.is_empty() || response.get("output").is_none() {
        return Ok(response);
    }
    let told = Told { now: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true), in_streams: false };
    let guards = OutputGuards::new((policy, rules.limit, rules.engines.clone()), InputResult::default(), None, told);
    let guarded = loop {
        let mut guarded = response.clone();
        let done = guarded.get_mut("output").map_or(Ok(()), |output| guarded_output(output, &mut *guards.guard()));
        if done.is_err() || !guards.lacks_verdicts() {
            break done.map(|()| guarded);
        }
        guards.ask().await;
    };
    guards.settle(None).await;
    guards.each_side(|_, policy, tally| {
        for (kind, action, verdict) in outcomes(policy, tally) {
            metrics.guardrail_check(kind, action, verdict);
        }
        metrics.guardrails_ran(tally.spent);
    });
    guarded
}

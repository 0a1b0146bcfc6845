//! What is told of guardrails: types, actions, kinds and numbers, never a value.

use serde_json::{Map, Value, json};

use super::tally::{Finding, NO_VERDICT};
use super::{Action, Check, Guardrail, Policy, Rule, Side, Tally};

/// What came of the guardrails of one side, as the gateway's own metadata tell it.
pub fn metadata(side: Side, policy: &Policy, tally: &Tally) -> Vec<Value> {
    policy
        .checks()
        .enumerate()
        .map(|(at, (guardrail, check))| {
            let finding = tally.finding(at, check);
            json!({
                "side": side.as_str(),
                "type": check.rule.kind(),
                "action": action(guardrail, check).as_str(),
                "verdict": verdict(guardrail, check, &finding),
                "counts": counts(&finding),
            })
        })
        .collect()
}

/// What came of the guardrails of both sides, as Portkey's `hook_results` tell it.
pub fn hook_results(input: (&Policy, &Tally), output: (&Policy, &Tally), now: &str) -> Value {
    let list = |(policy, tally): (&Policy, &Tally)| -> Vec<Value> {
        let numbered = policy.numbered().enumerate();
        numbered.map(|(at, (first, guardrail))| result((at, first), guardrail, tally, now)).collect()
    };
    json!({"before_request_hooks": list(input), "after_request_hooks": list(output)})
}

fn result((at, first): (usize, usize), guardrail: &Guardrail, tally: &Tally, now: &str) -> Value {
    let numbered = || guardrail.checks.iter().enumerate().map(|(at, check)| (first + at, check));
    let checks: Vec<Value> = numbered().map(|(at, check)| check_result(guardrail, (at, check), tally, now)).collect();
    let holds = tally.holds(first, guardrail);
    let feedback = if holds { &guardrail.on_success } else { &guardrail.on_fail };
    let feedback = feedback.as_ref().and_then(|after| after.get("feedback"));
    let is_transformed = numbered().any(|(at, check)| tally.finding(at, check).is_transformed);
    json!({
        "verdict": holds,
        "id": guardrail.id.clone().unwrap_or_else(|| format!("guardrail_{at}")),
        "transformed": is_transformed,
        "checks": checks,
        "feedback": feedback,
        "deny": guardrail.deny,
        "async": guardrail.in_background,
        "execution_time": millis(tally),
        "skipped": false,
        "type": if guardrail.mutates { "mutator" } else { "guardrail" },
        "created_at": now,
    })
}

fn check_result(guardrail: &Guardrail, (at, check): (usize, &Check), tally: &Tally, now: &str) -> Value {
    let finding = tally.finding(at, check);
    let own = || {
        json!({
            "type": check.rule.kind(),
            "action": action(guardrail, check).as_str(),
            "verdict": verdict(guardrail, check, &finding),
            "counts": counts(&finding),
        })
    };
    json!({
        "id": check.id,
        "verdict": finding.verdict,
        "data": finding.data.clone().map_or_else(own, without_pattern),
        "error": finding.error.map(|why| json!({"name": "Error", "message": why})),
        "execution_time": millis(tally),
        "transformed": finding.is_transformed,
        "created_at": now,
        "log": null,
        "fail_on_error": check.fail_on_error,
    })
}

/// What a check tells without the pattern that it looks for, which may be the operator's own.
fn without_pattern(mut data: Value) -> Value {
    if let Some(data) = data.as_object_mut() {
        data.remove("regexPattern");
    }
    data
}

/// What is done with a text that a check finds something in.
pub(super) fn action(guardrail: &Guardrail, check: &Check) -> Action {
    match &check.rule {
        Rule::Pii(rule) => rule.action,
        Rule::Text(rule) if rule.check.is_transform() && !guardrail.denies() => Action::Redact,
        _ if guardrail.denies() => Action::Deny,
        _ => Action::Flag,
    }
}

/// What came of a check, in one word of metrics.
pub(super) fn verdict(guardrail: &Guardrail, check: &Check, finding: &Finding) -> &'static str {
    match (finding.verdict, action(guardrail, check)) {
        _ if finding.error == Some(NO_VERDICT) => "error",
        _ if finding.error.is_some() => "unchecked",
        _ if finding.has_media => "denied",
        (true, Action::Redact) if finding.is_transformed => "redacted",
        (true, Action::Tokenize) if finding.is_transformed => "tokenized",
        (true, _) => "passed",
        (false, Action::Deny) => "denied",
        (false, _) => "flagged",
    }
}

fn counts(finding: &Finding) -> Map<String, Value> {
    finding.counts.iter().map(|(kind, count)| ((*kind).to_owned(), Value::from(*count))).collect()
}

fn millis(tally: &Tally) -> u64 {
    u64::try_from(tally.spent.as_millis()).unwrap_or(u64::MAX)
}

/// What came of each check of one side: its type, its action, and what came of it.
pub fn outcomes(policy: &Policy, tally: &Tally) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    policy.checks().enumerate().map(|(at, (guardrail, check))| {
        let verdict = verdict(guardrail, check, &tally.finding(at, check));
        (check.rule.kind(), action(guardrail, check).as_str(), verdict)
    })
}

//! What guardrails make of one text, told in full to whoever has it already.

use gateway_guard::checks::Subject;
use gateway_guard::pii;
use gateway_guard::safety::Scores;
use gateway_guard::tokens::Vault;
use gateway_wire::guarding::TextKind;
use serde_json::{Map, Value, json};

use super::replacer::PolicyReplacer;
use super::report::metadata;
use super::text_guard::AnswerText;
use super::{Policy, Side, Tally};

/// What guardrails make of a text, as JSON; places are in characters.
pub fn check_text(text: &str, side: Side, policy: &Policy) -> Value {
    let mut tally = Tally::default();
    let told = match side {
        Side::Input => as_request(text, policy, &mut tally),
        Side::Output => as_answer(text, policy, &mut tally),
    };
    let is_denied = told.is_none() || tally.denies(policy);
    json!({
        "object": "guardrail.check",
        "side": side.as_str(),
        "denied": is_denied,
        "text": told.filter(|_| !is_denied),
        "findings": findings(text, policy),
        "scores": scores(&tally.scores),
        "guardrails": metadata(side, policy, &tally),
    })
}

fn as_request(text: &str, policy: &Policy, tally: &mut Tally) -> Option<String> {
    let mut vault = policy.tokenizes().then(Vault::new);
    let mut replacer = PolicyReplacer::new(&policy.pii, tally, vault.as_mut());
    let mut told = replacer.replace_all(text, "").unwrap_or_else(|| text.to_owned());
    tally.replace(policy, &mut told);
    tally.read(policy, &told);
    tally.judge(policy, &Subject { text: &told, ..Subject::default() });
    Some(told)
}

fn as_answer(text: &str, policy: &Policy, tally: &mut Tally) -> Option<String> {
    let mut told = String::with_capacity(text.len());
    let mut guard = AnswerText::new(policy, TextKind::Content, None);
    let taken = guard.take(Some(text), (policy, tally, None), &mut told);
    let taken = taken.and_then(|()| guard.take(None, (policy, tally, None), &mut told));
    taken.is_ok().then_some(told)
}

/// Where personal data stands.
fn findings(text: &str, policy: &Policy) -> Vec<Value> {
    let (mut at, mut characters) = (0, 0);
    let mut place = |byte: usize| {
        characters += text.get(at..byte).map_or(0, |part| part.chars().count());
        at = byte;
        characters
    };
    let found = pii::find(text, policy.pii.all, "").into_iter();
    let tell = |finding: pii::Finding| {
        let (start, end) = (place(finding.range.start), place(finding.range.end));
        json!({"type": "pii_detection", "category": finding.kind.as_str(), "start": start, "end": end})
    };
    found.map(tell).collect()
}

fn scores(scores: &Scores) -> Map<String, Value> {
    let above = scores.iter().filter(|(_, score)| *score > 0.0);
    above.map(|(category, score)| (category.as_str().to_owned(), json!(score))).collect()
}

//! What guardrails make of one text, told in full to whoever has it already.

use std::sync::Arc;

use gateway_guard::checks::Subject;
use gateway_guard::pii::{self, PiiKind};
use gateway_guard::safety::Scores;
use gateway_guard::tokens::Vault;
use gateway_wire::guarding::TextKind;
use serde_json::{Map, Value, json};

use super::engines::{EngineText, Judging, Passed};
use super::replacer::PolicyReplacer;
use super::report::metadata;
use super::text_guard::{AnswerText, TextPass};
use super::{GuardrailRules, Policy, Side, Tally};

/// What guardrails make of a text, as JSON; places are in characters. None where nobody has time for it.
pub async fn check_text(text: String, side: Side, policy: Policy, rules: &GuardrailRules) -> Option<Value> {
    let (text, policy) = (Arc::<str>::from(text), Arc::new(policy));
    let mut judging = Judging::new(rules.engines.clone());
    loop {
        let (own, known) = (text.clone(), policy.clone());
        let looked = rules.pool.run(text.len(), move || {
            let told = look(&own, side, &known, &mut judging);
            (told, judging)
        });
        let (told, left) = looked.await?;
        judging = left;
        if !judging.has_pending() {
            return Some(told);
        }
        judging.ask().await;
    }
}

fn look(text: &str, side: Side, policy: &Policy, judging: &mut Judging) -> Value {
    let mut tally = Tally::default();
    let told = match side {
        Side::Input => as_request(text, policy, &mut tally, judging),
        Side::Output => as_answer(text, policy, &mut tally, judging),
    };
    let is_denied = told.is_none() || tally.denies(policy);
    if is_denied {
        // What is denied already needs no further verdict.
        judging.take_pending();
        tally.skip_engines(policy);
    }
    json!({
        "object": "guardrail.check",
        "side": side.as_str(),
        "denied": is_denied,
        "text": told.filter(|_| !is_denied),
        "findings": findings(text, policy, judging),
        "scores": scores(&tally.all_scores()),
        "guardrails": metadata(side, policy, &tally),
    })
}

fn as_request(text: &str, policy: &Policy, tally: &mut Tally, judging: &mut Judging) -> Option<String> {
    let mut vault = policy.tokenizes().then(Vault::new);
    let mut replacer = PolicyReplacer::new(&policy.pii, tally, vault.as_mut());
    let mut told = replacer.replace_all(text, "").unwrap_or_else(|| text.to_owned());
    tally.replace(policy, &mut told);
    tally.read(policy, &told);
    tally.judge(policy, &Subject { text: &told, ..Subject::default() });
    if !policy.asks || tally.denies(policy) {
        return Some(told);
    }
    let (side, is_operators, vault) = (Side::Input, false, vault.as_mut());
    let passed = EngineText { policy, side, is_operators, tally, vault, judging }.pass(&told, false);
    Some(if let Passed::Free(Some(told)) = passed { told } else { told })
}

fn as_answer(text: &str, policy: &Policy, tally: &mut Tally, judging: &mut Judging) -> Option<String> {
    let mut told = String::with_capacity(text.len());
    let mut guard = AnswerText::new(policy, TextKind::Content, None);
    let pushed = guard.take(Some(text), TextPass { policy, tally, vault: None, judging }, &mut told);
    pushed.ok()?;
    guard.take(None, TextPass { policy, tally, vault: None, judging }, &mut told).ok()?;
    Some(told)
}

/// Where personal data stands. An engine sees what the built-in detectors have left: its places are those of the text
/// where these found nothing.
fn findings(text: &str, policy: &Policy, judging: &Judging) -> Vec<Value> {
    let mut found: Vec<(usize, usize, PiiKind)> = Vec::new();
    found.extend(pii::find(text, policy.pii.all, "").into_iter().map(|own| (own.range.start, own.range.end, own.kind)));
    for verdict in judging.on(text).flatten() {
        found.extend(verdict.findings.iter().map(|(kind, range)| (range.start, range.end, *kind)));
    }
    found.sort_by_key(|(start, end, _)| (*start, *end));
    found.dedup();
    let characters: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let place = |byte: usize| characters.partition_point(|at| *at < byte);
    let tell = |(start, end, kind): (usize, usize, PiiKind)| {
        let (start, end) = (place(start), place(end));
        json!({"type": "pii_detection", "category": kind.as_str(), "start": start, "end": end})
    };
    found.into_iter().map(tell).collect()
}

fn scores(scores: &Scores) -> Map<String, Value> {
    let above = scores.iter().filter(|(_, score)| *score > 0.0);
    above.map(|(category, score)| (category.as_str().to_owned(), json!(score))).collect()
}

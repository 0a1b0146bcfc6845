//! Personal data and unsafe content in texts: a stream gives what the whole text gives, and no part of a value leaves.

#![no_main]

use gateway_guard::injection;
use gateway_guard::pii::{self, PiiKinds};
use gateway_guard::safety::{Categories, SafetyGuard, SafetyVerdict, Thresholds, scores};
use gateway_guard::stream::TextGuard;
use gateway_guard_fuzz::{Input, Named, has_leak, whole};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(mut input) = Input::new(data) else { return };
    let (kinds, threshold) = (input.kinds(), [0.0, 0.5, 0.8, 1.0][input.choose(4)]);
    let text = input.text();
    let parts = input.parts(&text);
    personal_data(&text, &parts, kinds);
    unsafe_content(&text, &parts, threshold);
    assert!((0.0..=1.0).contains(&injection::score(&text)));
});

fn personal_data(text: &str, parts: &[&str], kinds: PiiKinds) {
    let mut guard = TextGuard::new(kinds, "");
    let mut out = String::new();
    parts.iter().for_each(|part| guard.push(part, &mut Named, &mut out));
    guard.finish(&mut Named, &mut out);
    assert_eq!(guard.held(), 0);
    assert_eq!(out, whole(text, kinds), "a stream differs from the whole text");

    let mut at = 0;
    for finding in pii::find(text, kinds, "") {
        assert!(kinds.has(finding.kind) && at <= finding.range.start && finding.range.start < finding.range.end);
        at = finding.range.end;
    }
    assert!(kinds != PiiKinds::ALL || !has_leak(text, &out), "a part of a value left");
}

fn unsafe_content(text: &str, parts: &[&str], threshold: f64) {
    let Some(thresholds) = Thresholds::new(threshold, Categories::ALL) else { return };
    let guarded = |parts: &[&str]| {
        let (mut guard, mut out) = (SafetyGuard::new(thresholds), String::new());
        parts.iter().for_each(|part| {
            guard.push(part, &mut out);
        });
        let verdict = guard.finish(&mut out);
        (verdict, out, guard.scores())
    };
    let in_parts = guarded(parts);
    assert_eq!(in_parts, guarded(&[text]), "a stream differs from the whole text");
    if in_parts.0 == SafetyVerdict::Clear {
        assert_eq!(in_parts.1, text);
        assert_eq!(in_parts.2, scores(text));
    }
}

//! Reversible tokens: what leaves as tokens comes back as it was, whole and in parts, as a text and in JSON.

#![no_main]

use gateway_guard::pii::{PiiKind, PiiKinds};
use gateway_guard::stream::TextGuard;
use gateway_guard::tokens::{Restorer, ValueForm, Vault};
use gateway_guard_fuzz::Input;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(mut input) = Input::new(data) else { return };
    // Credentials never come back.
    let kinds = (0..).map_while(PiiKind::from_index).filter(|kind| *kind != PiiKind::Secret);
    let kinds = kinds.fold(PiiKinds::NONE, PiiKinds::with);
    let (asked, answered) = input.texts();
    let mut vault = Vault::new();

    let mut escaped = String::new();
    vault.escape(&asked, &mut escaped);
    assert_eq!(vault.restore(&escaped), asked, "an escaped text comes back otherwise");

    let mut sent = String::new();
    let mut guard = TextGuard::new(kinds, "");
    input.parts(&escaped).iter().for_each(|part| guard.push(part, &mut vault, &mut sent));
    guard.finish(&mut vault, &mut sent);
    // What a link carries stays a token.
    if !asked.contains("//") && !asked.contains("](") {
        assert_eq!(vault.restore(&sent), asked, "a text comes back otherwise");
    }

    for text in [&sent, &answered] {
        for form in [ValueForm::Text, ValueForm::Json] {
            let parts = input.parts(text);
            assert_eq!(restored(&parts, &vault, form), restored(&[text], &vault, form));
        }
    }
    let arguments = serde_json::json!({"text": sent}).to_string();
    let arguments = restored(&input.parts(&arguments), &vault, ValueForm::Json);
    assert!(serde_json::from_str::<serde_json::Value>(&arguments).is_ok(), "no JSON: {arguments}");
});

fn restored(parts: &[&str], vault: &Vault, form: ValueForm) -> String {
    let (mut restorer, mut out) = (Restorer::new(form), String::new());
    parts.iter().for_each(|part| restorer.push(part, vault, &mut out));
    restorer.finish(vault, &mut out);
    assert_eq!(restorer.held(), 0);
    out
}

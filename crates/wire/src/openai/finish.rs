//! Finish reasons as clients rely on them.

use serde_json::value::RawValue;

/// Words of vendors for an end that the model chose itself.
const OWN_ENDS: [&str; 4] = ["stop", "end_turn", "eos", "eos_token"];

/// Whether a vendor's finish reason is one: null and an empty text are not.
pub(super) fn is_reason(raw: &RawValue) -> bool {
    !matches!(raw.get(), "null" | "\"\"")
}

/// The JSON text of the finish reason that is right in the place of the vendor's, where that is wrong: an empty one is
/// none, and one that names the model's own end is `tool_calls` where it called tools (I2).
pub(super) fn corrected(raw: &RawValue, has_calls: bool) -> Option<&'static str> {
    let word = raw.get().trim_matches('"');
    if word.is_empty() {
        return Some("null");
    }
    (has_calls && OWN_ENDS.iter().any(|end| word.eq_ignore_ascii_case(end))).then_some("\"tool_calls\"")
}

/// The same for a whole answer, in which a choice has ended in any case.
pub(super) fn corrected_whole(raw: &RawValue, has_calls: bool) -> Option<&'static str> {
    match is_reason(raw) {
        false if has_calls => Some("\"tool_calls\""),
        _ => corrected(raw, has_calls),
    }
}

//! What an answer says, as far as two of them are compared.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::Verdict;
use crate::cache::entry::CacheEntry;

/// The part of a text, in bytes, that stands for the whole one: a model's window is no longer than some two hundred words,
/// and an answer says the most important things first.
const OPENING: usize = 600;

/// Words that answer a question by themselves.
const YES: [&str; 4] = ["yes", "yeah", "có", "được"];
const NO: [&str; 3] = ["no", "nope", "không"];

/// The first choice of an answer.
#[derive(Debug, PartialEq)]
pub(super) struct AnswerText {
    text: String,
    calls: Vec<Value>,
}

impl AnswerText {
    /// What a stored answer says; none where what is stored makes no sense.
    pub(super) fn from_entry(entry: &CacheEntry) -> Option<Self> {
        let mut whole: Map<String, Value> = serde_json::from_slice(&entry.whole()?).ok()?;
        let message = whole.get_mut("choices")?.get_mut(0)?.get_mut("message")?.as_object_mut()?;
        let body = |name: &str| message.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let text = body("content").or_else(|| body("refusal")).unwrap_or_default().to_owned();
        let calls = match (message.remove("tool_calls"), message.remove("function_call")) {
            (Some(Value::Array(calls)), _) => calls.into_iter().map(canonical).collect(),
            (_, Some(call @ Value::Object(_))) => vec![canonical(call)],
            _ => Vec::new(),
        };
        Some(Self { text, calls })
    }

    /// The verdict on two answers that needs no vectors: calls of tools are equal or not; texts are equal, or one says yes
    /// where the other says no, or each begins with a number that the other has nowhere.
    pub(super) fn at_sight(&self, other: &Self) -> Option<Verdict> {
        if !self.calls.is_empty() || !other.calls.is_empty() {
            return Some(if self.calls == other.calls { Verdict::Agrees } else { Verdict::Differs });
        }
        if self.text.trim().is_empty() && other.text.trim().is_empty() {
            // Sounds, or thoughts alone.
            return Some(Verdict::Uncomparable);
        }
        if self.text.split_whitespace().eq(other.text.split_whitespace()) {
            return Some(Verdict::Agrees);
        }
        let denies = matches!((self.says_yes(), other.says_yes()), (Some(one), Some(other)) if one != other);
        let differs = denies || (self.has_own_number(other) && other.has_own_number(self));
        differs.then_some(Verdict::Differs)
    }

    /// Its beginning, up to the end of a word.
    pub(super) fn opening(&self) -> &str {
        let text = self.text.trim();
        if text.len() <= OPENING {
            return text;
        }
        let end = text.floor_char_boundary(OPENING);
        let cut = text.get(..end).unwrap_or_default();
        cut.rfind(char::is_whitespace).and_then(|at| cut.get(..at)).unwrap_or(cut)
    }

    fn says_yes(&self) -> Option<bool> {
        let first = self.text.split(|sign: char| !sign.is_alphabetic()).find(|word| !word.is_empty())?.to_lowercase();
        if YES.contains(&first.as_str()) { Some(true) } else { NO.contains(&first.as_str()).then_some(false) }
    }

    /// Whether its beginning has a number that the other answer has nowhere; the numbers of a list's lines are none.
    fn has_own_number(&self, other: &Self) -> bool {
        let others: HashSet<u64> = numbers(&other.text).collect();
        numbers(self.opening()).any(|number| !others.contains(&number))
    }
}

fn numbers(text: &str) -> impl Iterator<Item = u64> {
    text.lines().flat_map(|line| gateway_question_guard::numbers(without_place(line)))
}

/// A line without its number in a list.
fn without_place(line: &str) -> &str {
    let line = line.trim_start();
    let rest = line.trim_start_matches(|sign: char| sign.is_ascii_digit());
    if rest.len() < line.len() && (rest.starts_with(". ") || rest.starts_with(") ")) { rest } else { line }
}

/// A call of a tool without what changes each time: its id and its place, and the way its arguments are written.
fn canonical(mut call: Value) -> Value {
    if let Value::Object(fields) = &mut call {
        fields.retain(|name, _| !matches!(name.as_str(), "id" | "index" | "type"));
        for (name, value) in fields.iter_mut() {
            match value {
                Value::String(text) if name == "arguments" => {
                    if let Ok(read) = serde_json::from_str(text) {
                        *value = read;
                    }
                }
                Value::Object(_) => *value = canonical(value.take()),
                _ => {}
            }
        }
    }
    call
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cache::entry::CachedBody;

    fn spoken(message: &Value) -> Option<AnswerText> {
        let body = json!({ "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }] });
        AnswerText::from_entry(&entry(CachedBody::Whole(body.to_string())))
    }

    fn entry(body: CachedBody) -> CacheEntry {
        let name = || "x".to_owned();
        let (tenant, namespace, provider, model) = (name(), name(), name(), name());
        CacheEntry { tenant, namespace, provider, model, cost: None, stored_at: 0, expires_at: 1, body }
    }

    fn text(text: &str) -> AnswerText {
        spoken(&json!({ "role": "assistant", "content": text })).unwrap()
    }

    #[test]
    fn f3_some_answers_agree_or_differ_at_sight() {
        let (agrees, differs) = (Some(Verdict::Agrees), Some(Verdict::Differs));
        for (one, other, verdict) in [
            ("It is open.", "It  is\nopen.", agrees),
            ("", " ", Some(Verdict::Uncomparable)),
            ("Yes, it is.", "No, it is not.", differs),
            ("Có, bạn làm được.", "Không, bạn không làm được.", differs),
            ("**No.** It is closed.", "Yes.", differs),
            ("Yes, it is.", "Yes, you can.", None),
            ("Within 30 days.", "Within 14 days.", differs),
            ("Within 30 days.", "Within 30 days, which are 4 weeks.", None),
            ("Within 30 days.", "Within a month.", None),
            ("It costs $1,250.50.", "It costs 1250.50 dollars.", None),
            ("1. Open it.\n2. Close it after 5 minutes.", "Open it and close it after 5 minutes, or 10.", None),
            ("1. Open it.\n2. Close it after 5 minutes.", "Open it and close it after 10 minutes.", differs),
            ("Use 3.10.", "Use 3.1.", differs),
        ] {
            assert_eq!(text(one).at_sight(&text(other)), verdict, "{one} / {other}");
            assert_eq!(text(other).at_sight(&text(one)), verdict, "{other} / {one}");
        }
    }

    /// Calls are the same whatever their ids and the white space of their arguments, and whether they were streamed.
    #[test]
    fn f3_calls_of_tools_are_compared_by_what_they_ask_for() {
        let call = |id: &str, arguments: &str| {
            spoken(&json!({ "role": "assistant", "content": null, "tool_calls": [
                { "id": id, "type": "function", "function": { "name": "weather", "arguments": arguments } }] }))
            .unwrap()
        };
        let one = call("a", r#"{"city":"Hue","days":3}"#);
        assert_eq!(one.at_sight(&call("b", r#"{ "days": 3, "city": "Hue" }"#)), Some(Verdict::Agrees));
        assert_eq!(one.at_sight(&call("a", r#"{"city":"Hue","days":4}"#)), Some(Verdict::Differs));
        assert_eq!(one.at_sight(&text("It is warm.")), Some(Verdict::Differs));
        let chunks = [
            json!({ "choices": [{ "index": 0, "delta": { "tool_calls": [{ "index": 0, "id": "c", "type": "function",
                "function": { "name": "weather", "arguments": "{\"city\":\"Hue\"," } }] } }] }),
            json!({ "choices": [{ "index": 0, "delta": { "tool_calls": [{ "index": 0,
                "function": { "arguments": "\"days\":3}" } }] }, "finish_reason": "tool_calls" }] }),
        ];
        let body = CachedBody::Stream { chunks: chunks.iter().map(ToString::to_string).collect(), usage: None };
        assert_eq!(one.at_sight(&AnswerText::from_entry(&entry(body)).unwrap()), Some(Verdict::Agrees));
        let legacy = |arguments: &str| {
            spoken(&json!({ "content": null, "function_call": { "name": "f", "arguments": arguments } })).unwrap()
        };
        assert_eq!(legacy("{}").at_sight(&legacy("{ }")), Some(Verdict::Agrees));
        assert_eq!(legacy("{}").at_sight(&legacy("{\"a\":1}")), Some(Verdict::Differs));
    }

    #[test]
    fn a_long_text_is_cut_at_a_word() {
        let long = text(&"đây là một câu ".repeat(100));
        assert!(
            (OPENING - 10..=OPENING).contains(&long.opening().len()) && long.opening().ends_with(['y', 'à', 't', 'u'])
        );
        assert_eq!(text(&"x".repeat(700)).opening().len(), OPENING);
        assert_eq!(text(" short ").opening(), "short");
    }

    #[test]
    fn what_makes_no_sense_says_nothing() {
        assert_eq!(spoken(&json!("text")), None);
        assert_eq!(AnswerText::from_entry(&entry(CachedBody::Whole("{}".to_owned()))), None);
        assert_eq!(spoken(&json!({ "content": null, "refusal": "I cannot." })), Some(text("I cannot.")));
    }
}

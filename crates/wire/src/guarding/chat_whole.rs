//! Whole chat answers that pass as the vendor tells them.

use bytes::Bytes;
use serde_json::Value;

use super::json_texts::visit;
use super::{AnswerGuard, TextKind, TextPlace, whole};
use crate::json_object::JsonObject;
use crate::surrogates::replace_lone;
use crate::{ErrorBody, malformed};

/// All that a whole chat answer says, and the answer as it may go out. Log probabilities of choices that come out another
/// are left out: they repeat every word.
///
/// # Errors
/// Where it is denied, or is no chat answer.
pub fn guarded_chat(body: &Bytes, guard: &mut dyn AnswerGuard) -> (String, Result<Bytes, ErrorBody>) {
    let mut said = String::new();
    let told = guard_choices(body, guard, &mut said);
    (said, told)
}

fn guard_choices(body: &Bytes, guard: &mut dyn AnswerGuard, said: &mut String) -> Result<Bytes, ErrorBody> {
    let not_chat = || malformed("The provider answered a chat request with something that is no chat answer.");
    let object = JsonObject::parse(body.clone()).map_err(|_| not_chat())?;
    let choices = object.get("choices").unwrap_or("[]");
    let mut choices: Value = serde_json::from_slice(&replace_lone(choices.as_bytes())).map_err(|_| not_chat())?;
    // What is denied in one choice has been said, and is counted, in all.
    let mut denied = None;
    let mut is_altered = false;
    for (at, choice) in choices.as_array_mut().into_iter().flatten().enumerate() {
        let number = choice.get("index").and_then(Value::as_u64).unwrap_or(at as u64);
        let (mut texts, mut differs) = (0, false);
        let mut see = |path: &str, text: &mut String| {
            said.push_str(text);
            if denied.is_some() {
                return Ok(());
            }
            let place = TextPlace { choice: number, index: texts, kind: kind_of(path) };
            texts += 1;
            match whole(guard, place, text) {
                Ok(told) => {
                    differs |= told != *text;
                    *text = told;
                }
                Err(error) => denied = Some(error),
            }
            Ok(())
        };
        for field in ["message", "text"] {
            if let Some(value) = choice.get_mut(field) {
                visit(value, &mut field.to_owned(), &mut see)?;
            }
        }
        if differs && let Some(choice) = choice.as_object_mut() {
            choice.shift_remove("logprobs");
            is_altered = true;
        }
    }
    if let Some(error) = denied {
        return Err(error);
    }
    guard.end()?;
    Ok(if is_altered { object.edited(&[("choices", &choices.to_string())], &[]) } else { body.clone() })
}

/// What a text of a message or a delta is, by its path.
pub(super) fn kind_of(path: &str) -> TextKind {
    match path.split('.').next_back().unwrap_or_default() {
        "arguments" | "input" => TextKind::Arguments,
        "refusal" => TextKind::Refusal,
        "content" | "text" | "transcript" if !path.contains("reason") && !path.contains("think") => TextKind::Content,
        _ => TextKind::Reasoning,
    }
}

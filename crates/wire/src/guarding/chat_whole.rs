//! Whole chat answers that pass as the vendor tells them.

use bytes::Bytes;
use serde_json::Value;

use super::json_texts::{Step, guard_all, is_same, is_whole, kind_of, visit};
use super::{ASIDE, AnswerGuard, TextKind, TextPlace, whole};
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
    let told = guard_fields(body, guard, &mut said);
    (said, told)
}

fn guard_fields(body: &Bytes, guard: &mut dyn AnswerGuard, said: &mut String) -> Result<Bytes, ErrorBody> {
    let not_chat = || malformed("The provider answered a chat request with something that is no chat answer.");
    let object = JsonObject::parse(body.clone()).map_err(|_| not_chat())?;
    let read = |json: &str| serde_json::from_slice::<Value>(&replace_lone(json.as_bytes())).map_err(|_| not_chat());
    let mut choices = read(object.get("choices").unwrap_or("[]"))?;
    // What is denied in one choice has been said, and is counted, in all.
    let mut denied = None;
    let mut is_altered = false;
    for (at, choice) in choices.as_array_mut().into_iter().flatten().enumerate() {
        let number = choice.get("index").and_then(Value::as_u64).unwrap_or(at as u64);
        let logprobs = choice.as_object_mut().and_then(|choice| choice.shift_remove("logprobs"));
        let mut texts = Texts { guard: &mut *guard, number, outs: Vec::new(), open: Vec::new(), denied: denied.take() };
        let differs = texts.guard(choice, said)?;
        denied = texts.denied;
        is_altered |= differs;
        if let (false, Some(logprobs), Some(choice)) = (differs, logprobs, choice.as_object_mut()) {
            choice.insert("logprobs".to_owned(), logprobs);
        }
    }
    let mut edits = Vec::new();
    for (name, json) in object.fields().filter(|(name, _)| *name != "choices") {
        let mut value = serde_json::json!({name: read(json)?});
        if denied.is_none() && guard_all(&mut value, guard, ASIDE)? {
            edits.push((name, value.get(name).map(Value::to_string).unwrap_or_default()));
        }
    }
    if let Some(error) = denied {
        return Err(error);
    }
    guard.end()?;
    if is_altered {
        edits.push(("choices", choices.to_string()));
    }
    let edits: Vec<(&str, &str)> = edits.iter().map(|(name, json)| (*name, json.as_str())).collect();
    Ok(if edits.is_empty() { body.clone() } else { object.edited(&edits, &[]) })
}

/// An answer that is no conversation, with the texts of one field guarded: each is a whole.
///
/// # Errors
/// Where it is denied, or is no JSON object.
pub fn guarded_field(body: &Bytes, name: &str, guard: &mut dyn AnswerGuard) -> Result<Bytes, ErrorBody> {
    let not_json = || malformed("The provider's answer is not JSON.");
    let object = JsonObject::parse(body.clone()).map_err(|_| not_json())?;
    let Some(json) = object.get(name) else { return Ok(body.clone()) };
    let mut value = serde_json::from_slice::<Value>(&replace_lone(json.as_bytes())).map_err(|_| not_json())?;
    let is_altered = guard_all(&mut value, guard, ASIDE)?;
    Ok(if is_altered { object.edited(&[(name, &value.to_string())], &[]) } else { body.clone() })
}

/// Guards the items of a stored response, each text as a whole.
///
/// # Errors
/// Where it is denied.
pub fn guarded_output(output: &mut Value, guard: &mut dyn AnswerGuard) -> Result<(), ErrorBody> {
    for item in output.as_array_mut().into_iter().flatten() {
        let is_thought = item.get("type").and_then(Value::as_str) == Some("reasoning");
        let kind = if is_thought { TextKind::Reasoning } else { TextKind::Content };
        guard_all(item, guard, TextPlace { choice: 0, index: 0, kind })?;
    }
    guard.end()
}

/// The texts of one choice: those of one field are guarded as one, as clients join them.
struct Texts<'a> {
    guard: &'a mut dyn AnswerGuard,
    number: u64,
    /// What the texts come out as, in their order.
    outs: Vec<String>,
    /// The paths of the texts, with the last that each has.
    open: Vec<(Vec<Step>, TextPlace, usize)>,
    denied: Option<ErrorBody>,
}

impl Texts<'_> {
    /// Guards all texts of a choice; gives whether any came out another.
    fn guard(&mut self, choice: &mut Value, said: &mut String) -> Result<bool, ErrorBody> {
        visit(choice, &mut Vec::new(), &mut |path, text| {
            said.push_str(text);
            if self.denied.is_none() {
                self.denied = self.take(path, text).err();
            }
            Ok(())
        })?;
        for (_, place, last) in std::mem::take(&mut self.open) {
            if let (None, Some(out)) = (&self.denied, self.outs.get_mut(last)) {
                self.denied = self.guard.finish(place, out).err();
            }
        }
        let (mut differs, mut outs) = (false, std::mem::take(&mut self.outs).into_iter());
        if self.denied.is_none() && self.guard.changes() {
            visit(choice, &mut Vec::new(), &mut |_, text| {
                let told = outs.next().unwrap_or_default();
                differs |= told != *text;
                *text = told;
                Ok(())
            })?;
        }
        Ok(differs)
    }

    fn take(&mut self, path: &[Step], text: &str) -> Result<(), ErrorBody> {
        let at = self.outs.len();
        if is_whole(path) {
            self.outs.push(whole(self.guard, ASIDE, text)?);
            return Ok(());
        }
        let known = self.open.iter_mut().find(|(known, ..)| is_same(known, path));
        let place = match known {
            Some((_, place, last)) => {
                *last = at;
                *place
            }
            None => {
                let place = TextPlace { choice: self.number, index: at, kind: kind_of(path) };
                self.open.push((path.to_vec(), place, at));
                place
            }
        };
        let mut out = String::with_capacity(text.len());
        self.guard.push(place, text, &mut out)?;
        self.outs.push(out);
        Ok(())
    }
}

//! Parts of calls.

use super::ChatEvents;
use super::chunk::{CallPart, CustomPart, DeltaParts, raw_text};
use crate::clients::chat;
use crate::clients::chat::fields::{Fields, list};
use crate::common::{BlockHead, Delta, Event, ToolKind, ToolUse, call_id};
use crate::usage::Count;
use crate::vendors::openai_chat::answer::arguments;
use crate::{ErrorBody, TooLong, malformed, too_long};

/// The most calls of an answer.
const MOST_CALLS: usize = 4_096;

impl ChatEvents {
    pub(super) fn grow_calls(&mut self, delta: &DeltaParts<'_>, out: &mut Vec<Event>) -> Result<(), ErrorBody> {
        for raw in delta.tool_calls.and_then(|raw| list(raw.get())).unwrap_or_default() {
            if raw.trim_matches(['{', '}']).trim().is_empty() {
                continue;
            }
            let Ok(part) = serde_json::from_str::<CallPart<'_>>(raw) else { continue };
            self.grow_call(&part, out)?;
        }
        // The form before tool calls.
        if let Some(function) = delta.function_call.and_then(|raw| serde_json::from_str(raw.get()).ok()) {
            let part = CallPart { function: Some(function), ..CallPart::default() };
            self.grow_call(&part, out)?;
        }
        Ok(())
    }

    fn grow_call(&mut self, part: &CallPart<'_>, out: &mut Vec<Event>) -> Result<(), ErrorBody> {
        let told = part.index.and_then(|raw| serde_json::from_str::<Count>(raw.get()).ok()?.0);
        let id = raw_text(part.id).filter(|id| !id.is_empty());
        let custom = part.custom.as_ref();
        let name = raw_text(part.function.as_ref().map_or_else(|| custom.and_then(|part| part.name), |part| part.name));
        let number = match self.calls.find(told, id.as_deref()) {
            Some(number) => {
                if let Some(name) = name.filter(|name| !name.is_empty()) {
                    self.blocks.name(number, name, out);
                }
                number
            }
            None if self.calls.count() == MOST_CALLS => {
                return Err(malformed("The provider's answer has too many calls."));
            }
            None => {
                let call = ToolUse {
                    call_id: id.clone().unwrap_or_else(|| call_id(&self.head.id, self.calls.count())),
                    name: name.unwrap_or_default(),
                    kind: if custom.is_some() { ToolKind::Custom } else { ToolKind::Function },
                    ..ToolUse::default()
                };
                let number = self.blocks.begin(BlockHead::ToolUse(call), out);
                self.calls.add(told, id.as_deref(), number);
                number
            }
        };
        let more = match (&part.function, custom) {
            (Some(function), _) => function.arguments.map(|raw| arguments(raw.get())),
            (None, Some(CustomPart { input, .. })) => raw_text(*input),
            (None, None) => None,
        };
        let mut grow = |delta| self.blocks.grow(number, delta, out).map_err(|TooLong| too_long());
        if let Some(more) = more.filter(|more| !more.is_empty()) {
            grow(Delta::Arguments(more))?;
        }
        let seal = part.extra_content.and_then(|raw| chat::signature_in(&Fields::of(raw.get())?));
        seal.map_or(Ok(()), |token| grow(Delta::Token(token)))
    }
}

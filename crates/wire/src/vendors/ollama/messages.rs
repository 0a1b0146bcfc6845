//! Messages: images beside the text, arguments as objects, tool results named by their tool.

mod content;

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Serialize;

use self::content::Content;
use super::request::note;
use crate::BadRequest;
use crate::common::tool_ids::ANY_NAME;
use crate::common::{Conversation, JsonText, Role, ToolKind, ToolResult, ToolUse, Turn, custom_arguments};

/// A message as Ollama takes it.
#[derive(Default, Serialize)]
pub(super) struct Message<'a> {
    role: &'static str,
    content: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<&'a str>,
    #[serde(skip_serializing_if = "String::is_empty")]
    thinking: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct Call<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: Cow<'a, str>,
    arguments: JsonText,
}

/// The messages as far as they are told.
struct Messages<'a, 'd> {
    told: Vec<Message<'a>>,
    /// The names of the tools by the ids of their calls: Ollama names a result by its tool.
    names: HashMap<&'a str, Cow<'a, str>>,
    /// Images of tool results, which follow in a user message behind all results.
    late: Option<Message<'a>>,
    dropped: &'d mut Vec<String>,
}

/// The messages of a conversation; what is lost is named in `dropped` (I6).
pub(super) fn of<'a>(
    conversation: &'a Conversation,
    dropped: &mut Vec<String>,
) -> Result<Vec<Message<'a>>, BadRequest> {
    let mut messages = Messages { told: Vec::new(), names: HashMap::new(), late: None, dropped };
    let mut system = Content::default();
    for block in &conversation.system {
        system.instruct(block, messages.dropped)?;
    }
    if !system.is_empty() {
        messages.tell(system.into_message("system", "\n\n")?);
    }
    for turn in &conversation.turns {
        messages.turn(turn)?;
    }
    messages.tell_late();
    Ok(messages.told)
}

impl<'a> Messages<'a, '_> {
    fn turn(&mut self, turn: &'a Turn) -> Result<(), BadRequest> {
        let role = match turn.role {
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::System => "system",
        };
        let (mut content, mut results) = (Content::default(), 0);
        for block in &turn.blocks {
            match content::result(block) {
                Some(result) => {
                    results += 1;
                    if !content.is_empty() {
                        self.tell(std::mem::take(&mut content).into_message(role, "\n")?);
                    }
                    self.result(result, turn.name.as_deref())?;
                }
                None => content.take(block, self.dropped)?,
            }
        }
        if results == 0 && turn.name.is_some() {
            note("messages[].name", self.dropped);
        }
        // A turn that says nothing is still one, unless it was all results.
        if results == 0 || !content.is_empty() {
            for call in content.calls() {
                self.names.insert(&call.call_id, ANY_NAME.name(call.namespace.as_deref(), &call.name));
            }
            self.tell(content.into_message(role, "\n")?);
        }
        Ok(())
    }

    /// Tells a message that is no tool result.
    fn tell(&mut self, message: Message<'a>) {
        self.tell_late();
        match self.told.last_mut() {
            // Some clients tell the parts of one answer in turns of their own.
            Some(last) if message.role == "assistant" && last.role == "assistant" && last.goes_on_with(&message) => {
                last.content.push_str(&message.content);
                last.images.extend(message.images);
                last.tool_calls.extend(message.tool_calls);
            }
            _ => self.told.push(message),
        }
    }

    fn tell_late(&mut self) {
        self.told.extend(self.late.take());
    }

    fn result(&mut self, result: &'a ToolResult, speaker: Option<&'a str>) -> Result<(), BadRequest> {
        let mut content = Content::default();
        for block in &result.blocks {
            content.take(block, self.dropped)?;
        }
        let mut message = content.into_message("tool", "\n")?;
        let known = self.names.get(result.call_id.as_str()).cloned();
        message.tool_name = known.or_else(|| speaker.map(Cow::Borrowed));
        message.tool_call_id = Some(result.call_id.as_str()).filter(|id| !id.is_empty());
        if result.is_error && !message.content.starts_with("Error") {
            message.content.insert_str(0, "Error: ");
        }
        let images = std::mem::take(&mut message.images);
        if !images.is_empty() {
            let late = self.late.get_or_insert_with(|| Message { role: "user", ..Message::default() });
            if !late.content.is_empty() {
                late.content.push('\n');
            }
            let name = message.tool_name.as_deref().unwrap_or("tool");
            late.content.push_str(&format!("Image returned by {} ({name}):", result.call_id));
            late.images.extend(images);
        }
        self.told.push(message);
        Ok(())
    }
}

impl Message<'_> {
    /// Whether the next message of the same role is the same answer: its calls behind its words, or its words behind its
    /// reasoning.
    fn goes_on_with(&self, next: &Message<'_>) -> bool {
        let says_nothing_more = next.content.is_empty() && next.images.is_empty() && !next.tool_calls.is_empty();
        let only_thought = self.content.is_empty() && self.tool_calls.is_empty() && self.images.is_empty();
        next.thinking.is_empty() && ((only_thought && !self.thinking.is_empty()) || says_nothing_more)
    }
}

fn call(call: &ToolUse) -> Result<Call<'_>, BadRequest> {
    let id = Some(call.call_id.as_str()).filter(|id| !id.is_empty());
    let name = ANY_NAME.name(call.namespace.as_deref(), &call.name);
    let arguments = match call.kind {
        ToolKind::Custom => arguments(&custom_arguments(&call.arguments))?,
        _ => arguments(&call.arguments)?,
    };
    Ok(Call { id, function: Function { name, arguments } })
}

/// Arguments are text in the common form and an object with Ollama; their numbers stay as they were written.
fn arguments(text: &str) -> Result<JsonText, BadRequest> {
    let text = if text.trim().is_empty() { "{}" } else { text };
    JsonText::parse(text).ok().filter(JsonText::is_object).ok_or_else(|| {
        let message = "A tool call's arguments must be JSON text of an object.";
        BadRequest::new("messages[].tool_calls[].function.arguments", message)
    })
}

//! Ids and names of tools as each target takes them (J12).
//!
//! What a target takes stays as it is. Anything else is mapped by what it says alone, so that it is the same in every
//! turn and on every node, with no state: clients send ids back, and a call and its result must name the same one.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{Conversation, ToolDefinition, ToolKind};
use crate::BadRequest;

/// Which ids or names a target takes.
#[derive(Clone, Copy, Debug)]
pub struct IdRule {
    /// The most bytes; the exact number where `is_exact`.
    longest: usize,
    is_exact: bool,
    first: fn(u8) -> bool,
    allowed: fn(u8) -> bool,
}

/// Call ids of chat completions: at most 40 characters.
pub const CHAT_ID: IdRule = IdRule { longest: 40, is_exact: false, first: is_visible, allowed: is_visible };

/// Call ids of Responses: at most 64 letters, digits, underscores and dashes.
pub const RESPONSES_ID: IdRule = IdRule { longest: 64, is_exact: false, first: is_word, allowed: is_word };

/// Call ids of Messages: letters, digits, underscores and dashes.
pub const MESSAGES_ID: IdRule = IdRule { longest: usize::MAX, is_exact: false, first: is_word, allowed: is_word };

/// Call ids of Mistral: exactly nine letters and digits.
pub const MISTRAL_ID: IdRule = IdRule { longest: 9, is_exact: true, first: is_alphanumeric, allowed: is_alphanumeric };

/// Call ids of Bedrock's Converse.
pub const CONVERSE_ID: IdRule = IdRule { longest: 64, is_exact: false, first: is_path, allowed: is_path };

/// Names of tools with OpenAI, Anthropic and Converse.
pub const TOOL_NAME: IdRule = IdRule { longest: 64, is_exact: false, first: is_word, allowed: is_word };

/// Names of end users with OpenAI, which refuses longer ones.
pub const USER_ID: IdRule = IdRule { longest: 64, is_exact: false, first: is_visible, allowed: is_visible };

/// Names of tools with Gemini.
pub const GEMINI_NAME: IdRule = IdRule { longest: 128, is_exact: false, first: is_name_start, allowed: is_path };

/// Names of tools with vendors that take any, such as Ollama.
pub const ANY_NAME: IdRule = IdRule { longest: usize::MAX, is_exact: false, first: is_any, allowed: is_any };

/// The rules of all targets for names, by which an answered name is known again.
const NAME_RULES: [IdRule; 2] = [TOOL_NAME, GEMINI_NAME];

/// The longest id or name that is made here.
const LONGEST_MADE: usize = 64;

/// The digits that hold 64 bits to the base of 62.
const HASH_DIGITS: usize = 11;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fn is_any(_: u8) -> bool {
    true
}

fn is_visible(byte: u8) -> bool {
    byte.is_ascii_graphic()
}

fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn is_path(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'.' | b':')
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

impl IdRule {
    /// Whether the target takes it as it is.
    pub fn takes(&self, id: &str) -> bool {
        let fits = if self.is_exact { id.len() == self.longest } else { id.len() <= self.longest };
        fits && id.bytes().next().is_some_and(self.first) && id.bytes().all(self.allowed)
    }

    /// The id or name that the target takes in the place of this one: itself where that is valid.
    pub fn fit<'a>(&self, id: &'a str) -> Cow<'a, str> {
        if self.takes(id) { Cow::Borrowed(id) } else { Cow::Owned(self.made_of(id)) }
    }

    /// The name of a tool as the target takes it, its namespace in front.
    pub fn name<'a>(&self, namespace: Option<&str>, name: &'a str) -> Cow<'a, str> {
        match flat_name(namespace, name) {
            Cow::Borrowed(name) => self.fit(name),
            Cow::Owned(flat) => Cow::Owned(self.fit(&flat).into_owned()),
        }
    }

    /// What can be kept of it, and a hash of all of it.
    fn made_of(&self, id: &str) -> String {
        let hash = hash(id.as_bytes());
        if self.is_exact {
            return digits(hash).take(self.longest).collect();
        }
        let room = self.longest.min(LONGEST_MADE) - HASH_DIGITS - 1;
        let kept = |char| u8::try_from(char).ok().filter(|byte| (self.allowed)(*byte)).map_or('_', char::from);
        let needs_start = id.bytes().next().is_some_and(|byte| (self.allowed)(byte) && !(self.first)(byte));
        let start = needs_start.then_some('_');
        let mut made: String = start.into_iter().chain(id.chars().map(kept)).take(room).collect();
        made.push('_');
        made.extend(digits(hash));
        made
    }
}

/// A tool's name with the namespace that it is in before it, for targets without namespaces.
pub fn flat_name<'a>(namespace: Option<&str>, name: &'a str) -> Cow<'a, str> {
    match namespace.filter(|namespace| !namespace.is_empty()) {
        None => Cow::Borrowed(name),
        Some(namespace) if namespace.ends_with("__") => Cow::Owned(format!("{namespace}{name}")),
        Some(namespace) => Cow::Owned(format!("{namespace}__{name}")),
    }
}

/// Checks that no two tools of the client come to the same name at a target.
///
/// # Errors
/// Where they do; it names the second one.
pub fn check_names(conversation: &Conversation, rule: &IdRule) -> Result<(), BadRequest> {
    let mut seen: HashMap<Cow<'_, str>, (Option<&str>, &str)> = HashMap::new();
    for (at, tool) in conversation.tools.iter().enumerate() {
        let ToolDefinition::Client { name, namespace, .. } = &tool.definition else { continue };
        let own = (namespace.as_deref(), name.as_str());
        let told = rule.name(own.0, own.1);
        match seen.get(&told) {
            Some(other) if *other != own => {
                let message = format!("Two tools would have the name '{told}' at the provider: rename one of them.");
                return Err(BadRequest::new(format!("tools[{at}].name"), message));
            }
            _ => seen.insert(told, own),
        };
    }
    Ok(())
}

/// A tool as its client knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnTool<'a> {
    /// Its bare name.
    pub name: &'a str,
    /// The namespace that it is in.
    pub namespace: Option<&'a str>,
    /// The kind of its calls.
    pub kind: ToolKind,
}

/// The tool that a vendor means by a name in its answer; none where the client offered no such tool.
pub fn own_tool<'a>(conversation: &'a Conversation, told: &str) -> Option<OwnTool<'a>> {
    let own = |tool: &'a super::Tool| match &tool.definition {
        ToolDefinition::Client { kind, name, namespace, .. } => {
            Some(OwnTool { name, namespace: namespace.as_deref(), kind: *kind })
        }
        ToolDefinition::Hosted { .. } => None,
    };
    let tools = || conversation.tools.iter().filter_map(own);
    let is_same = |tool: &OwnTool<'_>| flat_name(tool.namespace, tool.name) == told;
    let is_made = |tool: &OwnTool<'_>| NAME_RULES.iter().any(|rule| rule.name(tool.namespace, tool.name) == told);
    tools().find(is_same).or_else(|| tools().find(is_made))
}

/// FNV-1a of 64 bits, its bits mixed once more so that every digit depends on every byte (MurmurHash3's finaliser).
fn hash(bytes: &[u8]) -> u64 {
    let mut hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    for factor in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53] {
        hash = (hash ^ (hash >> 33)).wrapping_mul(factor);
    }
    hash ^ (hash >> 33)
}

/// A hash to the base of 62.
fn digits(mut hash: u64) -> impl Iterator<Item = char> {
    let base = DIGITS.len() as u64;
    (0..HASH_DIGITS).filter_map(move |_| {
        let digit = DIGITS.get(usize::try_from(hash % base).ok()?)?;
        hash /= base;
        Some(char::from(*digit))
    })
}

#[cfg(test)]
mod tests;

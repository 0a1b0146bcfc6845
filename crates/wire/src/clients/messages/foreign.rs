//! Bodies of the Messages API on their way to Anthropic as they are: only its own reasoning may go along (J5).

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::blocks::list;
use crate::common::{Family, ReasoningToken};
use crate::json_object::{JsonObject, json_string};
use crate::splice::Splices;

/// Whether a body has reasoning that is not Anthropic's own, or has no seal.
pub fn has_foreign_thinking(body: &JsonObject) -> bool {
    without_foreign_thinking(body).is_some()
}

/// The body with Anthropic's own reasoning alone, all else as it stands; none where there is nothing to change.
///
/// Where a turn in mid tool use loses the reasoning that it must begin with, a budget for thinking is taken back too:
/// Anthropic refuses to think on after such a turn.
pub fn without_foreign_thinking(body: &JsonObject) -> Option<JsonObject> {
    let raw = body.get("messages")?;
    // A cheap look first: most bodies have no such block.
    if !is_worth_a_look(raw) {
        return None;
    }
    let edits: Vec<Edit<'_>> = list(raw)?.into_iter().map(message).collect();
    if edits.iter().all(|edit| matches!(edit, Edit::Same(..))) {
        return None;
    }
    let kept: Vec<&str> = edits.iter().filter_map(Edit::text).collect();
    let messages = format!("[{}]", kept.join(","));
    let lacks = edits.iter().rev().find_map(Edit::lacks_thinking).unwrap_or(false);
    if !lacks || !has_budget(body) {
        return Some(body.with(&[("messages", &messages)], &[]));
    }
    let clears = body.get("context_management").is_some_and(|edits| edits.contains("clear_thinking"));
    let remove: &[&str] = if clears { &["context_management"] } else { &[] };
    Some(body.with(&[("messages", &messages), ("thinking", r#"{"type":"disabled"}"#)], remove))
}

/// Whether a text may hold what is not Anthropic's: reasoning, or citations.
fn is_worth_a_look(text: &str) -> bool {
    text.contains("thinking") || text.contains("encrypted_index")
}

fn has_budget(body: &JsonObject) -> bool {
    let thinking: Option<Value> = body.read("thinking").ok().flatten();
    thinking.is_some_and(|thinking| thinking.get("type").is_some_and(|kind| kind == "enabled"))
}

/// A message, edited or not.
enum Edit<'a> {
    Same(&'a RawValue),
    Changed {
        text: String,
        lacks_thinking: bool,
    },
    /// One of nothing but foreign reasoning.
    Gone,
}

impl Edit<'_> {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Same(raw) => Some(raw.get()),
            Self::Changed { text, .. } => Some(text),
            Self::Gone => None,
        }
    }

    /// Whether this assistant's message calls a tool without the reasoning that led to it; none for other messages.
    fn lacks_thinking(&self) -> Option<bool> {
        match self {
            Self::Changed { lacks_thinking, .. } => Some(*lacks_thinking),
            Self::Same(raw) => {
                let message: Message<'_> = serde_json::from_str(raw.get()).ok()?;
                (message.role == "assistant").then_some(false)
            }
            Self::Gone => None,
        }
    }
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(default)]
    role: String,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Seal<'a> {
    #[serde(rename = "type", default, borrow)]
    kind: Cow<'a, str>,
    #[serde(default)]
    signature: Option<Cow<'a, str>>,
    #[serde(default)]
    data: Option<&'a RawValue>,
}

fn message(raw: &RawValue) -> Edit<'_> {
    let edited = || {
        let message: Message<'_> = serde_json::from_str(raw.get()).ok()?;
        let content = message.content.filter(|content| is_worth_a_look(content.get()))?;
        let blocks = list(content.get())?;
        let kept: Vec<Cow<'_, str>> = blocks.iter().filter_map(|block| own(block)).collect();
        let is_same = kept.len() == blocks.len() && kept.iter().all(|block| matches!(block, Cow::Borrowed(_)));
        (!is_same).then_some((content, kept))
    };
    let Some((content, kept)) = edited() else { return Edit::Same(raw) };
    if kept.is_empty() {
        return Edit::Gone;
    }
    let kind =
        |block: &str| serde_json::from_str::<Seal<'_>>(block).map(|seal| seal.kind.into_owned()).unwrap_or_default();
    let thinks = kept.first().is_some_and(|block| kind(block).contains("thinking"));
    let lacks_thinking = !thinks && kept.iter().any(|block| kind(block) == "tool_use");
    let start = (content.get().as_ptr() as usize).saturating_sub(raw.get().as_ptr() as usize);
    let (before, after) = (raw.get().get(..start), raw.get().get(start + content.get().len()..));
    let text = format!("{}[{}]{}", before.unwrap_or_default(), kept.join(","), after.unwrap_or_default());
    Edit::Changed { text, lacks_thinking }
}

/// A block as Anthropic may get it: none for reasoning that is not its own, and its own seal without what the gateway put
/// around it.
fn own(block: &RawValue) -> Option<Cow<'_, str>> {
    let same = Some(Cow::Borrowed(block.get()));
    let Ok(seal) = serde_json::from_str::<Seal<'_>>(block.get()) else { return same };
    let data = || seal.data.and_then(|data| serde_json::from_str::<String>(data.get()).ok()).unwrap_or_default();
    let told = match seal.kind.as_ref() {
        "thinking" => seal.signature.as_deref().unwrap_or_default().to_owned(),
        "redacted_thinking" => data(),
        "text" => return Some(own_citations(block).map_or(Cow::Borrowed(block.get()), Cow::Owned)),
        _ => return same,
    };
    let token = ReasoningToken::from_client(&told, Family::Anthropic)?;
    if token.family != Family::Anthropic {
        return None;
    }
    if token.text == told {
        return same;
    }
    // Written anew, as only the gateway's own wrapping has to be undone.
    Some(Cow::Owned(block.get().replacen(&json_string(&told), &json_string(&token.text), 1)))
}

/// A text without the citations that the gateway made of another vendor's, which have no index; none where it has none.
fn own_citations(block: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Cited<'a> {
        #[serde(borrow)]
        citations: &'a RawValue,
    }
    #[derive(Deserialize)]
    struct Index<'a> {
        #[serde(borrow)]
        encrypted_index: Option<Cow<'a, str>>,
    }
    let is_made = |raw: &RawValue| {
        serde_json::from_str::<Index<'_>>(raw.get())
            .is_ok_and(|index| index.encrypted_index.is_some_and(|index| index.is_empty()))
    };
    let cited: Cited<'_> = serde_json::from_str(block.get()).ok()?;
    let all = list(cited.citations.get())?;
    let kept: Vec<&str> = all.iter().filter(|raw| !is_made(raw)).map(|raw| raw.get()).collect();
    if kept.len() == all.len() {
        return None;
    }
    let mut splices = Splices::default();
    splices.replace(block.get().as_bytes(), cited.citations, format!("[{}]", kept.join(",")));
    String::from_utf8(splices.apply(block.get().as_bytes())).ok()
}

//! The talk: instructions apart, turns that alternate, results of tools before all else of their turn.

use serde::Serialize;

use super::content::{self, Place};
use super::draft::Draft;
use crate::BadRequest;
use crate::clients::messages::form::Part;
use crate::common::{Block, BlockKind, Conversation, JsonText, Role, Turn};

/// A talk in Anthropic's form.
pub(super) struct Talk<'a> {
    pub system: Vec<Part<'a>>,
    pub turns: Vec<Told<'a>>,
    /// Whether the last turn of the model calls a tool without the thinking that led to it, as turns of other vendors or
    /// of strict clients do: Anthropic refuses to think on after such a turn.
    pub lacks_thinking: bool,
}

/// A turn.
#[derive(Debug, Serialize)]
pub(super) struct Told<'a> {
    role: &'static str,
    content: Vec<Part<'a>>,
}

/// Translates the instructions and the turns.
pub(super) fn translate<'a>(draft: &mut Draft<'a>) -> Result<Talk<'a>, BadRequest> {
    let conversation = draft.conversation;
    let mut system = own_system(draft)?;
    for block in &conversation.system {
        system.extend(instruction(block, "system")?);
    }
    let mut turns: Vec<Told<'a>> = Vec::with_capacity(conversation.turns.len());
    for (at, turn) in conversation.turns.iter().enumerate() {
        let path = format!("messages[{at}].content");
        match turn.role {
            Role::System => late_instruction(turn, at, &path, draft, &mut turns)?,
            Role::User | Role::Assistant => {
                let role = if turn.role == Role::User { "user" } else { "assistant" };
                add(&mut turns, role, blocks(turn, &path, draft)?);
            }
        }
        if turn.name.is_some() {
            draft.note("messages[].name");
        }
    }
    check_end(conversation, &turns)?;
    for turn in &mut turns {
        results_first(&mut turn.content);
    }
    trim_end(&mut turns);
    let lacks_thinking = turns.iter().rfind(|turn| turn.role == "assistant").is_some_and(lacks_thinking);
    Ok(Talk { system, turns, lacks_thinking })
}

/// The extension `system` of other clients.
fn own_system<'a>(draft: &Draft<'a>) -> Result<Vec<Part<'a>>, BadRequest> {
    let Some(own) = draft.rest("system") else { return Ok(Vec::new()) };
    if let Ok(text) = own.read::<String>() {
        return Ok(if text.trim().is_empty() { Vec::new() } else { vec![Part::text(text)] });
    }
    let bad = |_| BadRequest::new("system", "'system' must be a text or an array of text blocks.");
    let blocks: Vec<JsonText> = own.read().map_err(bad)?;
    Ok(blocks.into_iter().map(Part::Owned).collect())
}

/// A block of the instructions; none where it is blank.
fn instruction<'a>(block: &'a Block, path: &str) -> Result<Option<Part<'a>>, BadRequest> {
    match &block.kind {
        BlockKind::Text { text, .. } if text.trim().is_empty() => Ok(None),
        BlockKind::Text { text, .. } => Ok(Some(content::text(text, &[], block.cache))),
        BlockKind::Hosted { raw, family: crate::common::Family::Anthropic } => Ok(Some(Part::Raw(raw))),
        _ => Err(BadRequest::new(path, "A system message can only hold text.")),
    }
}

/// Instructions behind the first turn stand where they are, so that they keep their meaning and the prompt's cache its
/// beginning: as a turn of their own where the model takes one there, and else as words in the user's turn.
fn late_instruction<'a>(
    turn: &'a Turn,
    at: usize,
    path: &str,
    draft: &Draft<'a>,
    turns: &mut Vec<Told<'a>>,
) -> Result<(), BadRequest> {
    let next = draft.conversation.turns.get(at + 1);
    let stands_well =
        turns.last().is_some_and(|last| last.role == "user") && next.is_none_or(|next| next.role == Role::Assistant);
    let is_turn = draft.abilities.system_turns && stands_well;
    let mut parts = Vec::with_capacity(turn.blocks.len());
    for block in &turn.blocks {
        match &block.kind {
            BlockKind::Text { text, .. } if !is_turn && !text.trim().is_empty() => {
                parts.push(content::text(format!("<system>\n{text}\n</system>"), &[], block.cache));
            }
            BlockKind::Hosted { .. } if !is_turn => {}
            _ => parts.extend(instruction(block, path)?),
        }
    }
    if is_turn && !parts.is_empty() {
        turns.push(Told { role: "system", content: parts });
    } else {
        add(turns, "user", parts);
    }
    Ok(())
}

fn blocks<'a>(turn: &'a Turn, path: &str, draft: &mut Draft<'a>) -> Result<Vec<Part<'a>>, BadRequest> {
    let mut parts = Vec::with_capacity(turn.blocks.len());
    for (at, block) in turn.blocks.iter().enumerate() {
        let place = Place { path: &format!("{path}[{at}]"), is_result: false };
        parts.extend(content::part(block, place, draft)?);
    }
    Ok(parts)
}

/// Adds a turn; blocks of the same role in a row are one turn, as results of parallel tools must be.
fn add<'a>(turns: &mut Vec<Told<'a>>, role: &'static str, parts: Vec<Part<'a>>) {
    if parts.is_empty() {
        return;
    }
    match turns.last_mut().filter(|turn| turn.role == role) {
        Some(last) => last.content.extend(parts),
        None => turns.push(Told { role, content: parts }),
    }
}

/// A talk needs a turn, and a blank last turn of the user must not leave the model's as the last.
fn check_end(conversation: &Conversation, turns: &[Told<'_>]) -> Result<(), BadRequest> {
    let Some(last) = turns.last() else {
        return Err(BadRequest::new("messages", "Anthropic needs at least one message of the user that is not blank."));
    };
    let asks = conversation.turns.last().is_some_and(|turn| turn.role == Role::User);
    if asks && last.role == "assistant" {
        let path = format!("messages[{}].content", conversation.turns.len() - 1);
        return Err(BadRequest::new(path, "Anthropic takes no message of nothing but white space."));
    }
    Ok(())
}

/// Results of tools stand before all else, or Anthropic misses them.
fn results_first(content: &mut [Part<'_>]) {
    let is_result = |part: &Part<'_>| part.kind() == "tool_result";
    let (mut seen_other, mut is_mixed) = (false, false);
    for part in content.iter() {
        is_mixed |= seen_other && is_result(part);
        seen_other |= !is_result(part);
    }
    if is_mixed {
        // The sort is stable.
        content.sort_by_key(|part| !is_result(part));
    }
}

/// The beginning of an answer that the client gives must not end with white space.
fn trim_end(turns: &mut Vec<Told<'_>>) {
    let Some(last) = turns.last_mut().filter(|turn| turn.role == "assistant") else { return };
    if let Some(Part::Made(made)) = last.content.last_mut()
        && let Some(text) = made.text.as_mut().filter(|_| made.kind == "text")
        && text.trim_end().len() < text.len()
    {
        *text = text.trim_end().to_owned().into();
    }
}

fn lacks_thinking(turn: &Told<'_>) -> bool {
    let thought = turn.content.first().is_some_and(|part| matches!(part.kind(), "thinking" | "redacted_thinking"));
    !thought && turn.content.iter().any(|part| part.kind() == "tool_use")
}

//! The input as turns: the items of one answer fold into one turn, and the results of its calls follow it at once.

use std::collections::{HashMap, HashSet};

use serde_json::value::RawValue;

use super::fields::{present, raw_list};
use super::item::{self, Piece};
use super::tools::Tools;
use crate::BadRequest;
use crate::common::{Block, BlockKind, ReasoningToken, Role, ToolResult, Turn};
use crate::json_object::JsonObject;

/// What a request says.
#[derive(Debug, Default)]
pub(super) struct Input {
    /// What stands before all turns.
    pub system: Vec<Block>,
    /// The turns.
    pub turns: Vec<Turn>,
    /// Results of calls that have a later one.
    pub superseded: Vec<ToolResult>,
    /// Whether the conversation is to be compacted.
    pub is_compaction: bool,
}

/// Reads `input`; tools that stand in it are added to `tools`.
///
/// # Errors
/// Where it is missing or has an item that is none.
pub(super) fn read(body: &JsonObject, tools: &mut Tools) -> Result<Input, BadRequest> {
    let missing = || BadRequest::new("input", "'input' must be a text or an array of items.");
    let text = present(body, "input").ok_or_else(missing)?;
    if let Ok(words) = serde_json::from_str::<String>(text) {
        let turns = vec![Turn::new(Role::User, vec![BlockKind::text(words).into()])];
        return Ok(Input { turns, ..Input::default() });
    }
    let items: Vec<&RawValue> = raw_list(text, "input").map_err(|_| missing())?;
    let mut pieces = Vec::with_capacity(items.len());
    let mut is_compaction = false;
    for (at, raw) in items.iter().enumerate() {
        let path = format!("input[{at}]");
        match item::read(raw, &path, tools)? {
            Piece::Trigger if at + 1 == items.len() => is_compaction = true,
            Piece::Trigger => {
                let message = "An item of type compaction_trigger must be the only one and stand last.";
                return Err(BadRequest::new(path, message));
            }
            piece => pieces.push(piece),
        }
    }
    if pieces.is_empty() {
        return Err(BadRequest::new("input", "'input' must have at least one item that says something."));
    }
    Ok(Input { is_compaction, ..Folder::new(pieces).fold() })
}

/// Folds items into turns.
struct Folder {
    pieces: Vec<Option<Piece>>,
    /// The calls that are there.
    calls: HashSet<String>,
    /// Where the result of each call stands; the last where there are several.
    results: HashMap<String, usize>,
    /// The parts of the answer that is being read.
    answer: Vec<Block>,
    input: Input,
}

impl Folder {
    fn new(pieces: Vec<Piece>) -> Self {
        let (mut calls, mut results) = (HashSet::new(), HashMap::new());
        for (at, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Assistant(blocks) => calls.extend(blocks.iter().filter_map(call_id)),
                Piece::Result(result) => {
                    results.insert(result.call_id.clone(), at);
                }
                _ => {}
            }
        }
        let pieces = pieces.into_iter().map(Some).collect();
        Self { pieces, calls, results, answer: Vec::new(), input: Input::default() }
    }

    fn fold(mut self) -> Input {
        for at in 0..self.pieces.len() {
            let goes_on =
                matches!(self.pieces.get(at), Some(Some(Piece::Assistant(_) | Piece::Seal(..) | Piece::Nothing)));
            if !goes_on {
                self.end_answer();
            }
            match self.pieces.get_mut(at).and_then(Option::take) {
                Some(Piece::Assistant(blocks)) => self.answer.extend(blocks),
                Some(Piece::Seal(id, token)) => seal(&mut self.answer, &id, token),
                Some(Piece::User(blocks)) => self.input.turns.push(Turn::new(Role::User, blocks)),
                Some(Piece::System(blocks)) if self.input.turns.is_empty() => self.input.system.extend(blocks),
                Some(Piece::System(blocks)) => self.input.turns.push(Turn::new(Role::System, blocks)),
                // A result of a call goes behind the call's turn; an earlier one of two is no more.
                Some(Piece::Result(result))
                    if self.results.get(&result.call_id) == Some(&at) && !self.calls.contains(&result.call_id) =>
                {
                    self.input.turns.push(Turn::new(Role::User, vec![BlockKind::ToolResult(result).into()]));
                }
                Some(Piece::Result(result)) => self.input.superseded.push(result),
                _ => {}
            }
        }
        self.end_answer();
        self.input
    }

    /// Ends the turn of the model, and puts the results of its calls behind it: whatever stood between moves on.
    fn end_answer(&mut self) {
        if self.answer.is_empty() {
            return;
        }
        let blocks = std::mem::take(&mut self.answer);
        let mut places: Vec<usize> =
            blocks.iter().filter_map(call_id).filter_map(|id| self.results.remove(&id)).collect();
        places.sort_unstable();
        self.input.turns.push(Turn::new(Role::Assistant, blocks));
        let take = |at: usize| match self.pieces.get_mut(at).and_then(Option::take) {
            Some(Piece::Result(result)) => Some(BlockKind::ToolResult(result).into()),
            _ => None,
        };
        let results: Vec<Block> = places.into_iter().filter_map(take).collect();
        if !results.is_empty() {
            self.input.turns.push(Turn::new(Role::User, results));
        }
    }
}

/// Gives a call of the answer its seal.
fn seal(answer: &mut [Block], id: &str, token: ReasoningToken) {
    let call = answer.iter_mut().rev().find_map(|block| match &mut block.kind {
        BlockKind::ToolUse(call) if call.call_id == id => Some(call),
        _ => None,
    });
    if let Some(call) = call {
        call.token = Some(token);
    }
}

fn call_id(block: &Block) -> Option<String> {
    match &block.kind {
        BlockKind::ToolUse(call) => Some(call.call_id.clone()),
        _ => None,
    }
}

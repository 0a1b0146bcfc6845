//! Ids of the calls of vendors that give them none.

use super::{Answer, BlockHead, BlockKind, Event, ToolUse};

/// The longest id of a call that every target takes is 40 characters; this leaves room around it.
const CORE: usize = 32;

/// Gives ids to the calls of one answer that have none, made of the request's id, so that no two calls share one.
#[derive(Clone, Debug)]
pub struct CallIds {
    core: String,
    calls: usize,
}

impl CallIds {
    /// For the answer to a request.
    pub fn new(request_id: &str) -> Self {
        Self { core: core(request_id).to_owned(), calls: 0 }
    }

    /// Sees to the next event of a stream.
    pub fn event(&mut self, event: &mut Event) {
        if let Event::BlockStart(_, BlockHead::ToolUse(call)) = event {
            self.call(call);
        }
    }

    /// Sees to a whole answer.
    pub fn answer(&mut self, answer: &mut Answer) {
        for block in &mut answer.blocks {
            if let BlockKind::ToolUse(call) = &mut block.kind {
                self.call(call);
            }
        }
    }

    fn call(&mut self, call: &mut ToolUse) {
        if call.call_id.is_empty() {
            call.call_id = call_id(&self.core, self.calls);
        }
        self.calls += 1;
    }
}

/// An id for the call at a place in the answer to a request.
pub(crate) fn call_id(request_id: &str, at: usize) -> String {
    format!("call_{}_{at}", core(request_id))
}

/// What tells an id from others: their ends differ.
fn core(id: &str) -> &str {
    let from = id.char_indices().rev().nth(CORE - 1).map_or(0, |(from, _)| from);
    id.get(from..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::Block;
    use crate::common::tool_ids::CHAT_ID;

    /// OpenAI refuses a conversation in which a call's id has more than 40 characters, as a later fallback may meet.
    #[test]
    fn j12_calls_without_ids_get_short_ones() {
        let call = |id: &str| Block::from(BlockKind::ToolUse(ToolUse { call_id: id.into(), ..ToolUse::default() }));
        let mut answer = Answer { blocks: vec![call(""), call("call_x"), call("")], ..Answer::default() };
        let request_id = "chatcmpl-0123456789abcdef0123456789abcdef";
        let mut events = answer.clone().into_events();
        CallIds::new(request_id).answer(&mut answer);
        let ids: Vec<&str> = answer
            .blocks
            .iter()
            .filter_map(|block| match &block.kind {
                BlockKind::ToolUse(call) => Some(call.call_id.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(
            ids,
            ["call_0123456789abcdef0123456789abcdef_0", "call_x", "call_0123456789abcdef0123456789abcdef_2"]
        );
        assert!(ids.iter().all(|id| CHAT_ID.takes(id)));
        let mut streamed = CallIds::new(request_id);
        events.iter_mut().for_each(|event| streamed.event(event));
        assert_eq!(events, answer.into_events());
        let mut long = ToolUse::default();
        CallIds { calls: 10, ..CallIds::new(&format!("chatcmpl-{}", "ế".repeat(50))) }.call(&mut long);
        assert_eq!(long.call_id.chars().count(), 40);
    }
}

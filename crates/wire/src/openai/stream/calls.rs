//! The numbers of the tool calls in a stream: clients glue together what has the same number (I3).

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::common::StreamedCalls;
use crate::splice::{Splices, present};
use crate::usage::Count;

/// The calls of one choice so far.
#[derive(Debug, Default)]
pub(super) struct Calls(StreamedCalls<u64>);

/// A part of a call, as far as it is read.
#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    index: Option<&'a RawValue>,
    #[serde(default)]
    id: Option<String>,
}

impl Calls {
    /// Whether any call was made.
    pub fn any(&self) -> bool {
        self.0.count() > 0
    }

    /// Takes in the `tool_calls` of a delta in `text`, and notes which numbers are to be others.
    pub fn take(&mut self, text: &[u8], tool_calls: &RawValue, splices: &mut Splices) {
        let parts: Vec<&RawValue> = serde_json::from_str(tool_calls.get()).unwrap_or_default();
        for raw in parts {
            let Ok(part) = serde_json::from_str::<Part<'_>>(raw.get()) else { continue };
            if raw.get().trim_matches(['{', '}']).trim_ascii().is_empty() {
                continue;
            }
            let told = part.index.and_then(|raw| serde_json::from_str::<Count>(raw.get()).ok()?.0);
            let index = self.index_of(told, part.id.as_deref().filter(|id| !id.is_empty()));
            match part.index {
                _ if told == Some(index) => {}
                Some(number) => splices.replace(text, number, index.to_string()),
                None => splices.prepend(text, raw, format!("\"index\":{index}")),
            }
        }
    }

    /// The number that the client sees.
    fn index_of(&mut self, told: Option<u64>, id: Option<&str>) -> u64 {
        if let Some(index) = self.0.find(told, id) {
            return index;
        }
        let next = self.0.numbers().max().map_or(0, |last| last.saturating_add(1));
        let index = told.filter(|told| self.0.numbers().all(|index| index != *told)).unwrap_or(next);
        self.0.add(told, id, index);
        index
    }
}

//! The numbers of the tool calls in a stream: clients glue together what has the same number (I3).

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::splice::{Splices, present};
use crate::usage::Count;

/// The calls of one choice so far.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Call>);

#[derive(Debug)]
struct Call {
    /// The vendor's number and id.
    told: Option<u64>,
    id: Option<String>,
    /// The number that the client sees.
    index: u64,
}

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
        !self.0.is_empty()
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
            let index = self.index_of(told, part.id.filter(|id| !id.is_empty()));
            match part.index {
                _ if told == Some(index) => {}
                Some(number) => splices.replace(text, number, index.to_string()),
                None => splices.prepend(text, raw, format!("\"index\":{index}")),
            }
        }
    }

    /// The number of the call that a part belongs to: another id under a known number is another call.
    fn index_of(&mut self, told: Option<u64>, id: Option<String>) -> u64 {
        let known = match &id {
            Some(id) => self.0.iter().rposition(|call| call.told == told && call.id.as_ref() == Some(id)),
            None => None,
        };
        let latest = || match told {
            Some(_) => self.0.iter().rposition(|call| call.told == told),
            None => self.0.len().checked_sub(1),
        };
        let known = known
            .or_else(|| latest().filter(|at| id.is_none() || self.0.get(*at).is_some_and(|call| call.id.is_none())));
        if let Some(call) = known.and_then(|at| self.0.get_mut(at)) {
            call.id = call.id.take().or(id);
            return call.index;
        }
        let next = self.0.iter().map(|call| call.index + 1).max().unwrap_or(0);
        let index = told.filter(|told| self.0.iter().all(|call| call.index != *told)).unwrap_or(next);
        self.0.push(Call { told, id, index });
        index
    }
}

//! Blocks of tools that Anthropic ran itself, told in a stream.

use bytes::{Bytes, BytesMut};
use serde_json::value::RawValue;

use super::form::Part;
use super::frames::{Frame, Growth};
use crate::common::JsonText;
use crate::json_object::JsonObject;

/// Appends a whole block; gives whether it is one. The input of a call is told in a delta, as clients expect it.
pub(super) fn write(raw: &JsonText, index: usize, out: &mut BytesMut) -> bool {
    let Ok(block) = JsonObject::parse(Bytes::copy_from_slice(raw.as_str().as_bytes())) else { return false };
    let is_call = block.get("type").is_some_and(|kind| kind.ends_with("_use\""));
    let input = block.get("input").filter(|input| is_call && serde_json::from_str::<&RawValue>(input).is_ok());
    let emptied =
        input.and_then(|_| JsonText::parse(std::str::from_utf8(&block.edited(&[("input", "{}")], &[])).ok()?).ok());
    Frame::ContentBlockStart { index, content_block: Part::Raw(emptied.as_ref().unwrap_or(raw)) }.write(out);
    if let Some(partial_json) = input.filter(|_| emptied.is_some()) {
        Frame::ContentBlockDelta { index, delta: Growth::InputJson { partial_json } }.write(out);
    }
    Frame::ContentBlockStop { index }.write(out);
    true
}

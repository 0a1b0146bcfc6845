//! x
#![allow(missing_docs)]
use crate::wire::*;
use serde_json::{Map, Value};
pub fn chat_request(_: &Map<String, Value>, _: &str) -> Result<VendorRequest, BadRequest> {
    Err(BadRequest::new("", ""))
}
pub fn error_body(s: u16, b: &[u8]) -> ErrorBody {
    openai::error_body(s, b)
}
pub struct ChatStream;
impl StreamDecoder for ChatStream {
    fn push(&mut self, _: Bytes, _: &mut Vec<StreamEvent>) {}
    fn finish(&mut self, _: &mut Vec<StreamEvent>) {}
}
pub fn chat_answer(b: &[u8], _: u64, _: bool) -> Result<WholeAnswer, ErrorBody> {
    Err(openai::error_body(1, b))
}
impl ChatStream {
    pub fn new(_: &str, _: u64, _: bool) -> Self {
        Self
    }
}

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
pub fn chat_answer(_: &[u8], _: &str, _: u64, _: bool) -> Result<WholeAnswer, String> {
    Err("".into())
}
impl ChatStream {
    pub fn new(_: &str, _: &str, _: u64, _: bool) -> Self {
        Self
    }
}
pub fn embeddings_request(b: &Map<String, Value>, m: &str) -> Result<VendorRequest, BadRequest> {
    chat_request(b, m)
}
pub fn embeddings_answer(_: &[u8], _: &str, _: bool) -> Result<WholeAnswer, String> {
    Err("".into())
}

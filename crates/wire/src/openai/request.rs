//! Requests: the client's bytes with the model in its final form, and usage asked for.

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::json_object::{JsonObject, json_string};
use crate::{BadRequest, VendorRequest};

/// What becomes of `stream_options`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamOptions {
    /// It stays as it is: no stream is asked for.
    Kept,
    /// Usage is asked for, so that tokens are known whether or not the client wants them (C4).
    WithUsage,
    /// It is left out: the vendor refuses it.
    LeftOut,
}

/// A chat request.
///
/// # Errors
/// Where `stream_options` is not an object.
pub fn chat_request(body: &JsonObject, model: &str, options: StreamOptions) -> Result<VendorRequest, BadRequest> {
    let mut set = Vec::with_capacity(2);
    let model_text = json_string(model);
    if body.get("model") != Some(&model_text) {
        set.push(("model", model_text.as_str()));
    }
    let stream_options;
    if options == StreamOptions::WithUsage {
        stream_options = with_usage(body)?;
        set.push(("stream_options", stream_options.as_str()));
    }
    let left_out: &[&str] = if options == StreamOptions::LeftOut { &["stream_options"] } else { &[] };
    Ok(request("/chat/completions", body.edited(&set, left_out)))
}

/// An embeddings request.
pub fn embeddings_request(body: &JsonObject, model: &str) -> VendorRequest {
    passed_request("/embeddings", body, model)
}

/// A request that is sent as it stands, but for the model's name.
pub fn passed_request(path: &str, body: &JsonObject, model: &str) -> VendorRequest {
    let model_text = json_string(model);
    let changed = body.get("model") != Some(&model_text);
    let set = [("model", model_text.as_str())];
    request(path, body.edited(if changed { &set } else { &[] }, &[]))
}

fn request(path: &str, body: Bytes) -> VendorRequest {
    VendorRequest { path: path.to_owned(), headers: Vec::new(), body, dropped_params: Vec::new() }
}

fn with_usage(body: &JsonObject) -> Result<String, BadRequest> {
    let options: Option<Map<String, Value>> = body
        .read("stream_options")
        .map_err(|_| BadRequest::new("stream_options", "'stream_options' must be an object."))?;
    match options {
        None => Ok(r#"{"include_usage":true}"#.to_owned()),
        Some(mut options) => {
            options.insert("include_usage".to_owned(), Value::Bool(true));
            Ok(Value::Object(options).to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &'static str) -> JsonObject {
        JsonObject::parse(Bytes::from_static(text.as_bytes())).unwrap()
    }

    #[test]
    fn a_whole_request_passes_untouched() {
        let text = r#"{ "model":"gpt-4o-mini", "messages":[], "vendor_extra": 1e3 }"#;
        assert_eq!(chat_request(&object(text), "gpt-4o-mini", StreamOptions::Kept).unwrap().body, text);
    }

    /// C4: usage is asked for, and what else the client put in `stream_options` stays.
    #[test]
    fn c4_streams_ask_for_usage() {
        let text = r#"{"model":"m","stream_options":{"include_usage":false,"x":1}}"#;
        let body = chat_request(&object(text), "m", StreamOptions::WithUsage).unwrap().body;
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["stream_options"], serde_json::json!({"include_usage": true, "x": 1}));
        assert_eq!(chat_request(&object(text), "m", StreamOptions::LeftOut).unwrap().body, r#"{"model":"m"}"#);
    }

    #[test]
    fn the_model_is_replaced() {
        assert_eq!(embeddings_request(&object(r#"{"model":"openai/e"}"#), "e").body, r#"{"model":"e"}"#);
    }
}

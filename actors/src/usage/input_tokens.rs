//! How many input tokens a request has, for clients that ask before they send it.

use bytes::Bytes;
use gateway_wire::Dialect;
use gateway_wire::json_object::{JsonObject, json_string};

use super::contents::Contents;
use super::token_count::{CounterPool, GeneratedText, Texts};

/// What a picture counts as: the most that Claude's models count for one, before they make it smaller.
const PER_PICTURE: u64 = 1_600;

/// What a page of a document counts as, and the bytes that come to one.
const PER_PAGE: u64 = 3_000;
const BYTES_PER_PAGE: u64 = 50_000;

/// What a vendor adds to a request that has tools.
const PER_TOOL_USE: u64 = 350;

/// Bytes of a token where nobody could count: less than in any usual text, since too small a number keeps clients from
/// compacting their conversation in time (J15).
const BYTES_PER_TOKEN: u64 = 2;

/// By how much a family of models makes more tokens of a text than what counts here, in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surplus(u64);

impl Surplus {
    /// That of a model; one of which nothing is known counts as the greediest.
    pub fn of(dialect: Option<Dialect>, model: &str) -> Self {
        let model = model.to_ascii_lowercase();
        let name = model.rsplit('/').next().unwrap_or_default();
        let is_own = ["gpt-4o", "gpt-4.1", "gpt-5", "gpt-oss", "chatgpt", "o1", "o3", "o4", "sim-"];
        match dialect {
            _ if name.contains("claude") => Self(20),
            Some(Dialect::OpenAi | Dialect::Responses | Dialect::Simulator)
                if is_own.iter().any(|start| name.starts_with(start)) =>
            {
                Self(2)
            }
            Some(Dialect::OpenAi | Dialect::Responses | Dialect::Simulator | Dialect::Ollama) => Self(15),
            Some(Dialect::Anthropic) | None => Self(20),
        }
    }

    fn on(self, tokens: u64) -> u64 {
        tokens.saturating_add(tokens.saturating_mul(self.0).div_ceil(100))
    }
}

/// The input tokens of a chat body: never fewer than the vendor counts, as far as that can be told.
pub async fn input_tokens(counter: &CounterPool, chat: &JsonObject, surplus: Surplus) -> u64 {
    let contents = Contents::from_body(chat);
    let text_bytes = (chat.text().len() as u64).saturating_sub(contents.media_bytes);
    // Tools are part of the prompt with all their names.
    let tools: Vec<String> =
        ["tools", "response_format"].iter().filter_map(|name| chat.get(name)).map(json_string).collect();
    let whole = chat.edited(&[("input", &format!("[{}]", tools.join(",")))], &["tools"]);
    let texts = Texts { body: Bytes::clone(&whole), generated: GeneratedText::default() };
    let counted = match counter.count(texts).await {
        Some(usage) => usage.prompt_tokens,
        None => text_bytes.div_ceil(BYTES_PER_TOKEN),
    };
    let document_bytes = contents.media_bytes.saturating_sub(contents.picture_bytes);
    let pages = contents.documents.saturating_add(contents.sounds).max(match document_bytes {
        0 => 0,
        bytes => bytes.div_ceil(BYTES_PER_PAGE),
    });
    let media = contents.pictures.saturating_mul(PER_PICTURE).saturating_add(pages.saturating_mul(PER_PAGE));
    let tool_use = if contents.has_tools { PER_TOOL_USE } else { 0 };
    surplus.on(counted).saturating_add(media).saturating_add(tool_use).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn counted(body: &str, surplus: Surplus) -> u64 {
        let body = JsonObject::parse(Bytes::from(body.to_owned())).unwrap();
        input_tokens(&CounterPool::default(), &body, surplus).await
    }

    /// J15: tools count with all their names, and pictures by their number.
    #[actix_rt::test]
    async fn j15_all_of_a_request_counts() {
        let exact = Surplus(0);
        let plain = counted(r#"{"messages":[{"role":"user","content":"Hello world"}]}"#, exact).await;
        assert!((8..16).contains(&plain), "{plain}");
        let tools = r#"{"messages":[{"role":"user","content":"Hello world"}],"tools":[{"type":"function","function":{
            "name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}]}"#;
        let with_tools = counted(tools, exact).await;
        assert!(with_tools > plain + PER_TOOL_USE + 25, "{with_tools}");
        let image = r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}"#;
        assert!((PER_PICTURE..PER_PICTURE + 40).contains(&counted(image, exact).await));
        let words = format!(r#"{{"messages":[{{"role":"user","content":"{}"}}]}}"#, "word ".repeat(1_000));
        let (exactly, greedy) = (counted(&words, exact).await, counted(&words, Surplus(20)).await);
        assert_eq!(greedy, exactly + exactly.div_ceil(5));
    }

    #[test]
    fn the_greediest_is_taken_where_nothing_is_known() {
        for (dialect, model, expected) in [
            (Some(Dialect::Anthropic), "m", 20),
            (None, "m", 20),
            (Some(Dialect::OpenAi), "anthropic/claude-x", 20),
            (Some(Dialect::OpenAi), "gpt-4o-mini", 2),
            (Some(Dialect::Ollama), "llama3", 15),
        ] {
            assert_eq!(Surplus::of(dialect, model), Surplus(expected), "{model}");
        }
    }
}

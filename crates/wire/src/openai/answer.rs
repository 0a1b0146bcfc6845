//! Whole answers: usage is read, the gateway's metadata is added, all else keeps its bytes.

use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memmem;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::error::{error_text, is_bare_error};
use super::finish::corrected_whole;
use super::{Finder, may_reason, strip_reasoning};
use crate::json_object::JsonObject;
use crate::splice::{Splices, present};
use crate::usage::Count;
use crate::{ErrorBody, ServiceTier, Usage, WholeAnswer, malformed};

static METADATA: Finder = LazyLock::new(|| memmem::Finder::new(br#""metadata""#));
static CHOICES: Finder = LazyLock::new(|| memmem::Finder::new(br#""choices""#));
static DATA: Finder = LazyLock::new(|| memmem::Finder::new(br#""data""#));
static TOOL_CALLS: Finder = LazyLock::new(|| memmem::Finder::new(b"tool_calls"));
static EMPTY_TEXT: Finder = LazyLock::new(|| memmem::Finder::new(b"\"\""));

/// Reads a whole chat or embeddings answer.
///
/// # Errors
/// Where it is not a JSON object, or is an error inside a 200 answer.
pub fn read_answer(body: Bytes) -> Result<WholeAnswer, ErrorBody> {
    // A list would pass for an object's values in their order.
    let object = Some(&body).filter(|body| body.trim_ascii_start().starts_with(b"{"));
    let head: Option<Head<'_>> = object.and_then(|body| serde_json::from_slice(body).ok());
    let not_object = || malformed("The provider answered with something that is not a JSON object.");
    let Some(head) = head else { return Err(listed_error(&body).unwrap_or_else(not_object)) };
    let is_answer = || [&CHOICES, &DATA].iter().any(|name| name.find(&body).is_some());
    let is_bare = || serde_json::from_slice(&body).is_ok_and(|object| is_bare_error(&object));
    if head.error.is_some_and(|error| error.get() != "null") || (!is_answer() && is_bare()) {
        return Err(error_text(&body));
    }
    let usage = head.usage();
    Ok(WholeAnswer { usage, body, text: None, replay: None, denied: None })
}

/// The error in a list, in which some vendors wrap it.
pub(crate) fn listed_error(text: &[u8]) -> Option<ErrorBody> {
    let items: Vec<Map<String, Value>> = serde_json::from_slice(text).ok()?;
    items.first()?.get("error").filter(|error| !error.is_null())?;
    Some(error_text(text))
}

/// What a body counts that is no answer, such as an error's.
pub fn usage_in(body: &[u8]) -> Option<Usage> {
    let head: Head<'_> = serde_json::from_slice(body).ok()?;
    head.usage()
}

/// Reads a whole chat answer; `strict` removes what OpenAI's own API does not have (I5).
///
/// # Errors
/// As [`read_answer`].
pub fn chat_answer(body: Bytes, strict: bool) -> Result<WholeAnswer, ErrorBody> {
    let mut answer = read_answer(body)?;
    if let Some(corrected) = with_right_ends(&answer.body) {
        answer.body = corrected;
    }
    if strict
        && may_reason(&answer.body)
        && let Ok(mut tree) = serde_json::from_slice::<Value>(&answer.body)
    {
        strip_reasoning(&mut tree, "message");
        answer.body = Bytes::from(tree.to_string());
    }
    Ok(answer)
}

/// The answer with the right finish reasons, where some are wrong.
fn with_right_ends(body: &[u8]) -> Option<Bytes> {
    // Few answers have anything to correct, and then one of these is in them.
    if TOOL_CALLS.find(body).is_none() && EMPTY_TEXT.find(body).is_none() {
        return None;
    }
    let choices = serde_json::from_slice::<Choices<'_>>(body).ok()?.choices;
    let mut splices = Splices::default();
    for Choice { finish_reason, message } in choices {
        let calls = message.and_then(|message| message.tool_calls).unwrap_or_default();
        if let Some(raw) = finish_reason
            && let Some(right) = corrected_whole(raw, !calls.is_empty())
        {
            splices.replace(body, raw, right);
        }
    }
    (!splices.is_empty()).then(|| Bytes::from(splices.apply(body)))
}

#[derive(Deserialize)]
struct Choices<'a> {
    #[serde(borrow)]
    choices: Vec<Choice<'a>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    finish_reason: Option<&'a RawValue>,
    #[serde(default)]
    message: Option<Message>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    tool_calls: Option<Vec<IgnoredAny>>,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    service_tier: Option<&'a RawValue>,
}

impl Head<'_> {
    fn usage(&self) -> Option<Usage> {
        let service_tier = self.service_tier.map_or(ServiceTier::Default, service_tier);
        self.usage.and_then(read_usage).map(|usage| Usage { service_tier, ..usage })
    }
}

/// The tier in a `service_tier` field, whose raw text costs nothing to read and may be of any type.
pub fn service_tier(raw: &RawValue) -> ServiceTier {
    ServiceTier::from_name(raw.get().trim_matches('"'))
}

/// What a `usage` field tells; one that cannot be read or has no numbers tells nothing, and is no reason to lose the
/// answer.
pub fn read_usage(raw: &RawValue) -> Option<Usage> {
    // A list would pass for an object's values in their order.
    let text = Some(raw.get()).filter(|text| text.starts_with('{'))?;
    let usage: WireUsage = serde_json::from_str(text).ok()?;
    let counts = [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens];
    counts.iter().any(|count| count.0.is_some()).then(|| usage.into())
}

/// OpenAI's `usage` object, with the fields that compatible vendors put beside it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireUsage {
    prompt_tokens: Count,
    completion_tokens: Count,
    total_tokens: Count,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
    /// DeepSeek: <https://api-docs.deepseek.com/api/create-chat-completion>
    prompt_cache_hit_tokens: Count,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PromptDetails {
    cached_tokens: Count,
    /// OpenRouter and this gateway's own Anthropic translation.
    cache_write_tokens: Count,
    audio_tokens: Count,
    image_tokens: Count,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CompletionDetails {
    reasoning_tokens: Count,
    audio_tokens: Count,
}

impl WireUsage {
    /// Input, output, and whether the former is the sum of both. A count that is not told is the rest of the total.
    fn split(&self) -> (u64, u64, bool) {
        match (self.prompt_tokens.0, self.completion_tokens.0, self.total_tokens.0) {
            (Some(prompt), Some(completion), _) => (prompt, completion, false),
            (Some(prompt), None, total) => (prompt, total.unwrap_or(0).saturating_sub(prompt), false),
            (None, Some(completion), total) => (total.unwrap_or(0).saturating_sub(completion), completion, false),
            (None, None, total) => (total.unwrap_or(0), 0, true),
        }
    }
}

impl From<WireUsage> for Usage {
    fn from(wire: WireUsage) -> Self {
        let (prompt, mut completion, is_sum) = wire.split();
        let output = wire.completion_tokens_details.unwrap_or_default();
        let reasoning = output.reasoning_tokens.0.unwrap_or(0);
        // xAI counts reasoning beside the completion, not inside it; the total tells the two apart.
        let beside = completion.saturating_add(reasoning);
        if reasoning > 0 && wire.total_tokens.0 == Some(prompt.saturating_add(beside)) {
            completion = beside;
        }
        let input = wire.prompt_tokens_details.unwrap_or_default();
        Self {
            prompt_tokens: prompt,
            completion_tokens: completion,
            cached_tokens: input.cached_tokens.0.or(wire.prompt_cache_hit_tokens.0).unwrap_or(0),
            cache_write_tokens: input.cache_write_tokens.0.unwrap_or(0),
            cache_write_1h_tokens: 0,
            reasoning_tokens: reasoning,
            audio_prompt_tokens: input.audio_tokens.0.unwrap_or(0),
            audio_completion_tokens: output.audio_tokens.0.unwrap_or(0),
            image_prompt_tokens: input.image_tokens.0.unwrap_or(0),
            is_sum,
            ..Self::default()
        }
    }
}

/// The answer with the gateway's fields in its `metadata` object; a vendor's own metadata stays beside them.
///
/// `metadata` is the JSON text of an object.
pub fn with_metadata(body: &Bytes, metadata: &str) -> Bytes {
    // `"metadata"` can only stand unescaped as a key; where it does not stand at all, splicing is enough.
    let Some(end) = body.iter().rposition(|byte| *byte == b'}') else { return body.clone() };
    let before = body.get(..end).unwrap_or_default();
    if METADATA.find(before).is_none() {
        let empty = before.trim_ascii_end().ends_with(b"{");
        let mut out = Vec::with_capacity(body.len() + metadata.len() + 16);
        out.extend_from_slice(before);
        out.extend_from_slice(if empty { br#""metadata":"# } else { br#","metadata":"# });
        out.extend_from_slice(metadata.as_bytes());
        out.push(b'}');
        return Bytes::from(out);
    }
    let Ok(object) = JsonObject::parse(body.clone()) else { return body.clone() };
    let ours: Map<String, Value> = serde_json::from_str(metadata).unwrap_or_default();
    match object.read::<Map<String, Value>>("metadata") {
        Ok(Some(mut theirs)) => {
            theirs.extend(ours);
            object.edited(&[("metadata", &Value::Object(theirs).to_string())], &[])
        }
        _ => object.edited(&[("metadata", metadata)], &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage_of(body: &'static str) -> Usage {
        read_answer(Bytes::from_static(body.as_bytes())).unwrap().usage.unwrap()
    }

    #[test]
    fn usage_is_read_with_its_details() {
        let usage = usage_of(
            r#"{"usage":{"prompt_tokens":10,"completion_tokens":15,"total_tokens":25,
            "prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":5}}}"#,
        );
        assert_eq!((usage.prompt_tokens, usage.completion_tokens), (10, 15));
        assert_eq!((usage.cached_tokens, usage.reasoning_tokens), (4, 5));
    }

    /// C2, C3: sound, pictures and the service tier are told apart; an unknown tier is the default.
    #[test]
    fn c2_c3_what_has_a_price_of_its_own_is_told_apart() {
        let usage = usage_of(
            r#"{"service_tier":"flex","usage":{"prompt_tokens":10,"completion_tokens":15,
            "prompt_tokens_details":{"audio_tokens":3,"image_tokens":2},"completion_tokens_details":{"audio_tokens":7}}}"#,
        );
        assert_eq!((usage.audio_prompt_tokens, usage.image_prompt_tokens, usage.audio_completion_tokens), (3, 2, 7));
        assert_eq!(usage.service_tier, ServiceTier::Flex);
        for other in [
            r#"{"service_tier":"scale","usage":{"prompt_tokens":1}}"#,
            r#"{"service_tier":{},"usage":{"prompt_tokens":1}}"#,
        ] {
            assert_eq!(usage_of(other).service_tier, ServiceTier::Default, "{other}");
        }
    }

    /// B12: a count that is not told is the rest of the total; a total alone is known to be one.
    #[test]
    fn b12_what_is_missing_is_the_rest_of_the_total() {
        for (usage, expected) in [
            (r#"{"total_tokens":1234}"#, (1234, 0, true)),
            (r#"{"prompt_tokens":34,"total_tokens":1234}"#, (34, 1200, false)),
            (r#"{"completion_tokens":34,"total_tokens":1234}"#, (1200, 34, false)),
            (r#"{"prompt_tokens":2000,"total_tokens":1234}"#, (2000, 0, false)),
            (r#"{"prompt_tokens":10,"completion_tokens":null}"#, (10, 0, false)),
        ] {
            let body = Bytes::from(format!(r#"{{"usage":{usage}}}"#));
            let usage = read_answer(body).unwrap().usage.unwrap();
            assert_eq!((usage.prompt_tokens, usage.completion_tokens, usage.is_sum), expected);
        }
    }

    /// J 25: the largest numbers there are do not wrap round.
    #[test]
    fn j25_sums_have_room() {
        let usage = usage_of(
            r#"{"usage":{"prompt_tokens":18446744073709551615,"completion_tokens":18446744073709551615,
            "total_tokens":18446744073709551615,"completion_tokens_details":{"reasoning_tokens":9}}}"#,
        );
        assert_eq!(usage.total_tokens(), u64::MAX);
    }

    /// C2: DeepSeek's own count of cached tokens holds where the details are absent.
    #[test]
    fn c2_deepseeks_cache_hits_are_cached_tokens() {
        let usage =
            usage_of(r#"{"usage":{"prompt_tokens":10,"prompt_cache_hit_tokens":8,"prompt_cache_miss_tokens":2}}"#);
        assert_eq!(usage.cached_tokens, 8);
    }

    #[test]
    fn reasoning_beside_the_completion_is_counted_in() {
        let usage = usage_of(
            r#"{"usage":{"prompt_tokens":10,"completion_tokens":15,"total_tokens":30,
            "completion_tokens_details":{"reasoning_tokens":5}}}"#,
        );
        assert_eq!(usage.completion_tokens, 20);
    }

    /// C4: usage that cannot be read is none, and the answer stays.
    #[test]
    fn c4_usage_that_cannot_be_read_is_none() {
        let usage = usage_of(r#"{"usage":{"prompt_tokens":12.0,"completion_tokens":3e0,"total_tokens":null}}"#);
        assert_eq!((usage.prompt_tokens, usage.completion_tokens), (12, 3));
        for other in [r#""12""#, "-1", "1.5", "1e300", "[]", "true"] {
            let body = format!(r#"{{"id":"x","usage":{{"prompt_tokens":{other}}}}}"#);
            assert_eq!(read_answer(Bytes::from(body)).unwrap().usage, None, "{other}");
        }
        for other in ["null", "[]", "{}", "7", r#"{"prompt_tokens":null}"#, r#"{"prompt_tokens_details":3}"#] {
            let body = format!(r#"{{"id":"x","usage":{other}}}"#);
            assert_eq!(read_answer(Bytes::from(body)).unwrap().usage, None, "{other}");
        }
    }

    /// D2: an error inside a 200 answer is an error.
    #[test]
    fn d2_an_error_inside_a_whole_answer_is_no_answer() {
        let error = read_answer(Bytes::from_static(br#"{"error":{"message":"boom","code":42}}"#)).unwrap_err();
        assert_eq!(error.message, "boom");
        for bare in
            [r#"{"object":"error","message":"boom"}"#, r#"{"detail":"boom"}"#, r#"[{"error":{"message":"boom"}}]"#]
        {
            let error = chat_answer(Bytes::from_static(bare.as_bytes()), false).unwrap_err();
            assert_eq!(error.message, "boom", "{bare}");
        }
        for other in ["<html>", "[]", "[null]", "1", ""] {
            assert!(read_answer(Bytes::from_static(other.as_bytes())).is_err(), "{other}");
        }
    }

    /// I5: strict answers lose reasoning and never gain it as content.
    #[test]
    fn i5_strict_answers_drop_reasoning() {
        let body = r#"{"choices":[{"message":{"content":"a","reasoning_content":"hm"}}]}"#;
        let told = |strict| chat_answer(Bytes::from(body), strict).unwrap().body;
        assert_eq!(
            (told(false), told(true)),
            (Bytes::from(body), Bytes::from(r#"{"choices":[{"message":{"content":"a"}}]}"#))
        );
    }

    /// M-10, I2: calls end with `tool_calls`; an empty finish reason is none. All else keeps its bytes.
    #[test]
    fn i2_whole_answers_have_the_right_finish_reasons() {
        let answer = |reason: &str, calls: &str| {
            format!(
                r#"{{"choices":[{{"finish_reason": {reason}, "message":{{"content":"", "tool_calls":{calls}}}, "x":1.50}}]}}"#
            )
        };
        let call = r#"[{"id":"a","function":{"name":"f","arguments":"{}"}}]"#;
        for (reason, calls, right) in [
            (r#""stop""#, call, r#""tool_calls""#),
            (r#""STOP""#, call, r#""tool_calls""#),
            (r#""""#, call, r#""tool_calls""#),
            ("null", call, r#""tool_calls""#),
            (r#""length""#, call, r#""length""#),
            (r#""stop""#, "[]", r#""stop""#),
            (r#""stop""#, "null", r#""stop""#),
            (r#""""#, "null", "null"),
        ] {
            let told = chat_answer(Bytes::from(answer(reason, calls)), false).unwrap().body;
            assert_eq!(told, answer(right, calls), "{reason} {calls}");
        }
    }

    #[test]
    fn metadata_is_added_or_merged() {
        let ours = r#"{"cache_hit":false}"#;
        let cases = [
            (r#"{"id":"x"} "#, r#"{"id":"x","metadata":{"cache_hit":false}}"#),
            ("{}", r#"{"metadata":{"cache_hit":false}}"#),
            (r#"{"metadata":{"a":1}}"#, r#"{"metadata":{"a":1,"cache_hit":false}}"#),
            (r#"{"metadata":null}"#, r#"{"metadata":{"cache_hit":false}}"#),
            (r#"{"c":[{"metadata":1}]}"#, r#"{"c":[{"metadata":1}],"metadata":{"cache_hit":false}}"#),
        ];
        for (body, expected) in cases {
            assert_eq!(with_metadata(&Bytes::from_static(body.as_bytes()), ours), expected, "{body}");
        }
    }
}

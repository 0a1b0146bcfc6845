//! The texts of a request, without its media.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use gateway_wire::surrogates::replace_lone;
use memchr::memchr;
use memchr::memmem::Finder;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::encoding;

/// What OpenAI adds to each message, and to the beginning of the answer
/// (<https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken>, 2025-05).
const PER_MESSAGE: u64 = 3;

/// Fields of a request that hold texts.
const TEXTS: [&str; 7] = ["messages", "system", "instructions", "input", "tools", "query", "documents"];

/// Fields inside of them that do not.
const NO_TEXTS: [&str; 4] = ["image_url", "input_audio", "file", "type"];

/// What media in a body begin with.
static MEDIA: LazyLock<[Finder<'static>; 2]> = LazyLock::new(|| [r#""data:"#, r#""data""#].map(Finder::new));

/// Input tokens of a chat or embeddings request; media count nothing. None once `give_up` says so.
pub(super) fn count(body: &[u8], give_up: &dyn Fn() -> bool) -> Option<u64> {
    let body = replace_lone(body);
    let mut texts = Texts::default();
    let mut json = serde_json::Deserializer::from_slice(&body);
    // What was gathered until then is counted; the error's text may hold the user's.
    if let Err(error) = json.deserialize_any(Request(&mut texts)) {
        log::debug!("a request cannot be read for counting, from column {}", error.column());
    }
    let overhead = texts.messages.map_or(0, |messages| PER_MESSAGE * (messages + 1));
    Some(overhead + encoding::count_unless(give_up, &texts.text)?)
}

/// Input tokens by bytes alone, without media as far as they stand in the body.
pub(super) fn estimate(body: &[u8]) -> u64 {
    let media = MEDIA.iter().flat_map(|name| name.find_iter(body).map(|at| medium_at(body, at))).sum();
    super::estimate(body.len().saturating_sub(media))
}

/// Bytes of the medium whose name or beginning is at this place.
fn medium_at(body: &[u8], at: usize) -> usize {
    let text = |quoted: &[u8]| memchr(b'"', quoted).unwrap_or(quoted.len());
    let rest = body.get(at + 1..).unwrap_or_default();
    match rest.strip_prefix(br#"data""#).map(<[u8]>::trim_ascii_start) {
        None => text(rest),
        Some(after) => {
            let value = after.strip_prefix(b":").map(<[u8]>::trim_ascii_start);
            value.and_then(|value| value.strip_prefix(b"\"")).map_or(0, text)
        }
    }
}

/// What was gathered.
#[derive(Default)]
struct Texts {
    text: String,
    /// How many messages there are, where the request has any.
    messages: Option<u64>,
}

/// Reads a whole request.
struct Request<'a>(&'a mut Texts);

impl<'de> Visitor<'de> for Request<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a request")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(name) = fields.next_key::<Cow<'_, str>>()? {
            if !TEXTS.contains(&&*name) {
                fields.next_value::<IgnoredAny>()?;
                continue;
            }
            let mut items = 0;
            fields.next_value_seed(Gather { text: &mut self.0.text, items: &mut items })?;
            if name == "messages" {
                self.0.messages = Some(items);
            }
        }
        Ok(())
    }
}

/// Gathers all texts of a value but those that stand for media, and counts its items.
struct Gather<'a> {
    text: &'a mut String,
    items: &'a mut u64,
}

impl<'de> DeserializeSeed<'de> for Gather<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Gather<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if !text.starts_with("data:") {
            self.text.push_str(text);
            self.text.push('\n');
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Gather { text: self.text, items: &mut 0 })?.is_some() {
            *self.items += 1;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let (mut data, mut is_medium) = (None, false);
        while let Some(name) = fields.next_key::<Cow<'_, str>>()? {
            if NO_TEXTS.contains(&&*name) {
                fields.next_value::<IgnoredAny>()?;
                continue;
            }
            let start = self.text.len();
            fields.next_value_seed(Gather { text: self.text, items: &mut 0 })?;
            match &*name {
                "data" => data = Some(start..self.text.len()),
                // A document of Anthropic's may be a text.
                "media_type" => is_medium = self.text.get(start..).is_some_and(|kind| kind.trim_end() != "text/plain"),
                _ => {}
            }
        }
        if let Some(data) = data.filter(|_| is_medium) {
            // Of words nothing is taken out, whatever stands beside them.
            let has_words =
                self.text.get(data.clone()).is_none_or(|text| text.trim_end().contains(char::is_whitespace));
            if !has_words {
                self.text.drain(data);
            }
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(body: &str) -> u64 {
        count(body.as_bytes(), &|| false).unwrap()
    }

    #[test]
    fn texts_of_a_request_are_counted_and_media_are_not() {
        let hello = r#"{"model":"m","messages":[{"role":"user","content":"Hello world"}],"n":1,"stop":null}"#;
        // "user", "Hello world" and their ends; three for the message, three for the beginning of the answer.
        assert_eq!(counted(hello), encoding::count("user\nHello world\n") + 6);
        let image =
            r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:AAAA"}}]}]}"#;
        assert!(counted(image) < 10);
        assert_eq!(counted(r#"{"input":["a",{"x":[1,-1,0.5,true]},"data:x"]}"#), encoding::count("a\n"));
        assert_eq!(counted(r#"{"system":"a","instructions":"b"}"#), encoding::count("a\nb\n"));
        let source = |source: &str| counted(&format!(r#"{{"messages":[{{"content":[{{"source":{{{source}}}}}]}}]}}"#));
        assert!(source(&format!(r#""data":"{}","media_type":"image/png""#, "some words ".repeat(100))) > 200);
        let base64 = "QUJD".repeat(1_000);
        assert!(source(&format!(r#""type":"base64","data":"{base64}","media_type":"image/png""#)) < 20);
        assert!(source(&format!(r#""type":"text","media_type":"text/plain","data":"{base64}""#)) > 1_000);
        assert_eq!(counted("[1,2]") + counted("") + counted(r#"{"messages":"#), 0);
    }

    /// H-1: what waits for its count is told by its bytes, of which media are none.
    #[test]
    fn h1_an_estimate_knows_media_from_text() {
        let base64 = "A".repeat(100_000);
        for medium in [
            format!(r#"{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{base64}"}}}}"#),
            format!(r#"{{"type":"input_audio","input_audio":{{"data": "{base64}","format":"wav"}}}}"#),
            format!(r#"{{"type":"file","file":{{"file_data":"data:application/pdf;base64,{base64}"}}}}"#),
        ] {
            let body = format!(r#"{{"messages":[{{"role":"user","content":[{medium}]}}]}}"#);
            assert!(estimate(body.as_bytes()) < 60, "{} for {:.60}", estimate(body.as_bytes()), medium);
        }
        let words = format!(r#"{{"messages":[{{"role":"user","content":"{}"}}]}}"#, "some words ".repeat(1_000));
        let (estimated, exact) = (estimate(words.as_bytes()), counted(&words));
        assert!(estimated > exact / 2 && estimated < exact * 2, "{estimated} for {exact}");
        assert_eq!(estimate(br#"{"data":1,"data"#), 4);
    }
}

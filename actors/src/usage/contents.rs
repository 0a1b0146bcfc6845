//! What a request holds besides text: media, tools, and whatever makes the vendor add input of its own (H-2, B4).
//!
//! The values are read as a vendor's parser reads them, so that no spelling hides a part. No tree is built.

use std::borrow::Cow;

use gateway_wire::json_object::JsonObject;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::part::{Part, PartKind};

/// Fields that make a vendor add input: tools that it runs, searches, stored prompts, and documents that it looks up.
const ADDING_FIELDS: [&str; 22] = [
    "agent_id",
    "attachments",
    "compound_custom",
    "connectors",
    "container",
    "conversation",
    "data_sources",
    "enable_search",
    "file_ids",
    "mcp_servers",
    "plugins",
    "preset",
    "previous_response_id",
    "prompt",
    "prompt_id",
    "search_options",
    "search_parameters",
    "search_settings",
    "thread_id",
    "tool_resources",
    "web_search",
    "web_search_options",
];

/// How deep parts may stand inside parts.
const MAX_DEPTH: u32 = 4;

/// What a request holds besides text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Pictures.
    pub pictures: u64,
    /// Sounds that are part of the request; their bytes are more than their tokens.
    pub sounds: u64,
    /// Documents and videos that are part of the request, whose tokens their bytes do not tell.
    pub documents: u64,
    /// Bytes of pictures, sounds, documents and videos that are part of the request.
    pub media_bytes: u64,
    /// The part of these bytes that are pictures.
    pub picture_bytes: u64,
    /// Whether tools are declared.
    pub has_tools: bool,
    /// The first field, as a path, that makes the vendor add input that the request does not show.
    pub added_by: Option<String>,
}

impl Contents {
    /// Reads a request in OpenAI's shape. What cannot be read counts as input that the vendor adds.
    pub fn from_body(body: &JsonObject) -> Self {
        let mut contents = Self::default();
        for (name, text) in body.fields() {
            match name {
                "messages" => contents.messages(text),
                "system" | "input" | "inputs" | "images" | "gateway_unsaid" => {
                    contents.parts(text, &|| name.to_owned(), 0)
                }
                "tools" => contents.tools(text),
                "functions" => contents.has_tools |= is_set(text),
                _ if ADDING_FIELDS.contains(&name) && is_set(text) => contents.add(|| name.to_owned()),
                _ => {}
            }
        }
        contents
    }

    fn messages(&mut self, text: &str) {
        let Ok(messages) = serde_json::from_str::<Vec<Message<'_>>>(text) else {
            return self.add(|| "messages".to_owned());
        };
        for (at, message) in messages.iter().enumerate() {
            let path = |name: &str| format!("messages[{at}].{name}");
            let parts = [("content", message.content), ("content_blocks", message.content_blocks)];
            for (name, raw) in parts.into_iter().chain([("images", message.images)]) {
                if let Some(raw) = raw {
                    self.parts(raw.get(), &|| path(name), 0);
                }
            }
            // A sound of an earlier answer, or files that the vendor keeps.
            let kept = [("audio", message.audio), ("attachments", message.attachments), ("file_ids", message.file_ids)];
            for (name, _) in kept.iter().filter(|(_, raw)| raw.is_some_and(|raw| is_set(raw.get()))) {
                self.add(|| path(name));
            }
        }
    }

    /// Reads a text, a part, or a list of these.
    fn parts(&mut self, text: &str, path: &dyn Fn() -> String, depth: u32) {
        match text.as_bytes().first() {
            Some(b'[') if depth < MAX_DEPTH => {
                let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(text) else { return self.add(path) };
                for (at, item) in items.iter().enumerate() {
                    self.parts(item.get(), &|| format!("{}[{at}]", path()), depth + 1);
                }
            }
            Some(b'{') if depth < MAX_DEPTH => match serde_json::from_str::<Part<'_>>(text) {
                Ok(part) => self.part(&part, path, depth),
                Err(_) => self.add(path),
            },
            Some(b'[' | b'{') => self.add(path),
            // Texts, and numbers of tokens.
            _ => {}
        }
    }

    fn part(&mut self, part: &Part<'_>, path: &dyn Fn() -> String, depth: u32) {
        match part.kind() {
            PartKind::Text => {}
            PartKind::Nested(raw) => self.parts(raw.get(), &|| format!("{}.content", path()), depth + 1),
            PartKind::Picture { bytes } => {
                self.pictures += 1;
                self.media_bytes += bytes;
                self.picture_bytes += bytes;
            }
            PartKind::Sound { bytes } => {
                self.sounds += 1;
                self.media_bytes += bytes;
            }
            PartKind::Document { bytes } => {
                self.documents += 1;
                self.media_bytes += bytes;
            }
            PartKind::Unknown => self.add(path),
        }
    }

    fn tools(&mut self, text: &str) {
        if !is_set(text) {
            return;
        }
        self.has_tools = true;
        let Ok(tools) = serde_json::from_str::<Vec<&RawValue>>(text) else { return self.add(|| "tools".to_owned()) };
        for (at, tool) in tools.iter().enumerate() {
            let known = serde_json::from_str::<Tool<'_>>(tool.get());
            if !known.is_ok_and(|tool| tool.is_the_clients()) {
                self.add(|| format!("tools[{at}]"));
            }
        }
    }

    fn add(&mut self, path: impl Fn() -> String) {
        self.added_by.get_or_insert_with(path);
    }
}

/// Whether a value says anything: `null`, `false` and what is empty do not.
fn is_set(text: &str) -> bool {
    !matches!(text, "null" | "false" | "\"\"")
        && !matches!(text.as_bytes(), [b'[', inner @ .., b']'] | [b'{', inner @ .., b'}'] if inner.trim_ascii().is_empty())
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    content_blocks: Option<&'a RawValue>,
    #[serde(borrow, default)]
    images: Option<&'a RawValue>,
    #[serde(borrow, default)]
    audio: Option<&'a RawValue>,
    #[serde(borrow, default)]
    attachments: Option<&'a RawValue>,
    #[serde(borrow, default)]
    file_ids: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Tool<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    function: Option<&'a RawValue>,
    #[serde(borrow, default)]
    input_schema: Option<&'a RawValue>,
}

impl Tool<'_> {
    /// Whether the client runs the tool. Every type that is not known to be so is taken for one that the vendor runs.
    fn is_the_clients(&self) -> bool {
        match self.kind.as_deref() {
            Some("function" | "custom") => true,
            None => self.function.is_some() || self.input_schema.is_some(),
            Some(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn contents(text: &str) -> Contents {
        Contents::from_body(&JsonObject::parse(Bytes::from(text.to_owned())).unwrap())
    }

    fn part(text: &str) -> Contents {
        contents(&format!(r#"{{"messages":[{{"role":"user","content":[{text}]}}]}}"#))
    }

    fn added(contents: &Contents) -> Option<&str> {
        contents.added_by.as_deref()
    }

    #[test]
    fn text_and_the_clients_own_tools_add_nothing() {
        for text in [
            r#"{"messages":[{"role":"user","content":"image_url input_audio \"type\":\"file\""}]}"#,
            r#"{"messages":[{"content":[{"type":"text","text":"a"},{"type":"thinking","thinking":"b"},{"text":"c"}]}]}"#,
            r#"{"messages":[{"content":[{"type":"tool_result","content":[{"type":"text","text":"a"}]}]}]}"#,
            r#"{"messages":[{"content":null,"tool_calls":[{"type":"function","function":{}}]}],"plugins":[ ]}"#,
            r#"{"input":["a",[1,2],"b"],"mcp_servers":null,"enable_search":false}"#,
        ] {
            assert_eq!(contents(text), Contents::default(), "{text}");
        }
        for tool in
            [r#"{"type":"function","function":{}}"#, r#"{"name":"a","input_schema":{}}"#, r#"{"type":"custom"}"#]
        {
            let contents = contents(&format!(r#"{{"tools":[{tool}]}}"#));
            assert_eq!((contents.has_tools, added(&contents)), (true, None), "{tool}");
        }
    }

    /// H-2: tools of the vendor, also of types that nobody knows yet, and fields that make it search.
    #[test]
    fn h2_what_makes_the_vendor_add_input_is_named() {
        for (text, path) in [
            (r#"{"tools":[{"type":"function"},{"type":"web_search_20250305","name":"web_search"}]}"#, "tools[1]"),
            (r#"{"tools":[{"type":"mcp","server_url":"https://a.example"}]}"#, "tools[0]"),
            (r#"{"tools":[{"name":"web_search"}]}"#, "tools[0]"),
            (r#"{"tools":[7]}"#, "tools[0]"),
            (r#"{"tools":{"type":"function"}}"#, "tools"),
            (r#"{"web_search_options":{"a":1}}"#, "web_search_options"),
            (r#"{"plug\u0069ns":[{"id":"web"}]}"#, "plugins"),
            (r#"{"container":"c_1"}"#, "container"),
            (
                r#"{"messages":[{"content":"a"},{"content":[{"type":"text"},{"type":"new_kind"}]}]}"#,
                "messages[1].content[1]",
            ),
            (r#"{"messages":[{"audio":{"id":"a_1"}}]}"#, "messages[0].audio"),
            (
                r#"{"gateway_unsaid":["a",{"type":"input_image","file_id":"i"},{"type":"file","file_url":"b"}]}"#,
                "gateway_unsaid[2]",
            ),
            (r#"{"gateway_unsaid":[{"type":"compaction","encrypted_content":"a"}]}"#, "gateway_unsaid[0]"),
            (r#"{"messages":[{"content":"a","content":[]}]}"#, "messages"),
            (
                r#"{"messages":[{"content":[{"type":"tool_result","content":[{"type":"file","file":{"file_id":"f"}}]}]}]}"#,
                "messages[0].content[0].content[0]",
            ),
        ] {
            assert_eq!(added(&contents(text)), Some(path), "{text}");
        }
    }

    /// B4, B15: media are known by what a parser reads, however they are spelled.
    #[test]
    fn b4_media_are_known_in_every_spelling() {
        let data = "A".repeat(4_000);
        for (text, pictures, sounds, documents) in [
            (r#"{"type":"image_url","image_url":{"url":"https://a.example/b.png"}}"#.to_owned(), 1, 0, 0),
            (r#"{"t\u0079pe":"\u0069mage_url","image_url":{"url":"https://a.example/b.png"}}"#.to_owned(), 1, 0, 0),
            (r#"{"image":"https://a.example/b.png"}"#.to_owned(), 1, 0, 0),
            (format!(r#"{{"type":"image_url","image_url":"data:image/png;base64,{data}"}}"#), 1, 0, 0),
            (r#"{"type":"image","source":{"type":"url","url":"https://a.example/b.png"}}"#.to_owned(), 1, 0, 0),
            (format!(r#"{{"type":"input_audio","input_audio":{{"data":"{data}","format":"mp3"}}}}"#), 0, 1, 0),
            (format!(r#"{{"type":"file","file":{{"file_data":"data:application/pdf;base64,{data}"}}}}"#), 0, 0, 1),
            (
                format!(
                    r#"{{"type":"document","source":{{"type":"base64","media_type":"application/pdf","data":"{data}"}}}}"#
                ),
                0,
                0,
                1,
            ),
            (format!(r#"{{"type":"video_url","video_url":{{"url":"data:video/mp4;base64,{data}"}}}}"#), 0, 0, 1),
            // What calls itself a picture and is none.
            (format!(r#"{{"type":"image_url","image_url":{{"url":"data:application/pdf;base64,{data}"}}}}"#), 0, 0, 1),
        ] {
            let found = part(&text);
            assert_eq!((found.pictures, found.sounds, found.documents), (pictures, sounds, documents), "{text}");
            assert_eq!(found.media_bytes > 0, text.len() > 1_000, "{text}");
            assert_eq!(added(&found), None, "{text}");
        }
        let elsewhere = [
            r#"{"type":"video_url","video_url":{"url":"https://a.example/b.mp4"}}"#,
            r#"{"type":"file","file":{"file_id":"file-1"}}"#,
            r#"{"type":"document","source":{"type":"url","url":"https://a.example/b.pdf"}}"#,
            r#"{"type":"document","source":{"type":"file","file_id":"file-1"}}"#,
            r#"{"type":"audio_url","audio_url":{"url":"https://a.example/b.mp3"}}"#,
            r#"{"type":"text","text":"a","video_url":"https://a.example/b.mp4"}"#,
        ];
        for text in elsewhere {
            assert_eq!(added(&part(text)), Some("messages[0].content[0]"), "{text}");
        }
        assert_eq!(
            part(r#"{"type":"document","source":{"type":"text","media_type":"text/plain","data":"a"}}"#),
            Contents::default()
        );
        assert_eq!(contents(r#"{"input":[{"image":"https://a.example/b.png"}]}"#).pictures, 1);
    }
}

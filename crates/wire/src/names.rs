//! One reading of a body: a name that another parser may read otherwise than this gateway is refused.
//!
//! Of a doubled name some parsers take the first value and some the last, and some match names whatever their case. What
//! is authorised, priced, limited and cached here must be what a provider reads.

use std::borrow::Cow;

use memchr::memchr2;

use super::BadRequest;
use super::json_object::JsonObject;

/// Top-level fields that the gateway reads, of all endpoints and dialects.
const BODY: &[&str] = &[
    "audio",
    "background",
    "best_of",
    "cache_control",
    "client_metadata",
    "container",
    "context_management",
    "conversation",
    "dimensions",
    "echo",
    "encoding_format",
    "fallback_models",
    "frequency_penalty",
    "function_call",
    "functions",
    "include",
    "inference_geo",
    "input",
    "instructions",
    "keep_alive",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_output_tokens",
    "max_tokens",
    "max_tool_calls",
    "mcp_servers",
    "messages",
    "metadata",
    "modalities",
    "model",
    "models",
    "n",
    "options",
    "output_config",
    "output_format",
    "parallel_tool_calls",
    "plugins",
    "prediction",
    "presence_penalty",
    "preset",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "provider",
    "reasoning",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "search_parameters",
    "seed",
    "service_tier",
    "speed",
    "stop",
    "stop_sequences",
    "store",
    "stream",
    "stream_options",
    "suffix",
    "system",
    "temperature",
    "text",
    "think",
    "thinking",
    "thread",
    "tool_choice",
    "tools",
    "top_k",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
    "verbosity",
    "web_search_options",
];
const STREAM_OPTIONS: &[&str] = &["include_usage"];
const MESSAGE: &[&str] = &[
    "role",
    "content",
    "tool_calls",
    "tool_call_id",
    "name",
    "type",
    "call_id",
    "output",
    "encrypted_content",
    "tools",
];
const PART: &[&str] = &[
    "type",
    "text",
    "content",
    "image_url",
    "video_url",
    "audio_url",
    "input_audio",
    "file",
    "file_id",
    "file_url",
    "file_data",
    "source",
];
const TOOL: &[&str] = &["type", "function", "name", "max_uses"];

/// The most objects and arrays inside one another.
const MAX_DEPTH: usize = 128;

/// The most names of an object, with those of the objects around it.
const MAX_NAMES: usize = 65_536;

/// The longest path that an error tells, in bytes; a last name may stand beyond it.
const MAX_PATH: usize = 300;

/// Where a value stands, as far as the gateway looks for names of its own there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Body,
    StreamOptions,
    Messages,
    Message,
    Parts,
    Part,
    Tools,
    Tool,
    Other,
}

impl Place {
    /// The names that the gateway reads in an object here.
    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Body => BODY,
            Self::StreamOptions => STREAM_OPTIONS,
            Self::Message => MESSAGE,
            Self::Part => PART,
            Self::Tool => TOOL,
            Self::Messages | Self::Parts | Self::Tools | Self::Other => &[],
        }
    }

    /// Where the value of a field of an object here stands.
    fn of_field(self, name: &[u8]) -> Self {
        match (self, name) {
            (Self::Body, b"stream_options") => Self::StreamOptions,
            (Self::Body, b"messages" | b"input") => Self::Messages,
            (Self::Body | Self::Message, b"tools") => Self::Tools,
            (Self::Body, b"system") | (Self::Message | Self::Part, b"content") | (Self::Message, b"output") => {
                Self::Parts
            }
            _ => Self::Other,
        }
    }

    /// Where an element of an array here stands.
    fn of_element(self) -> Self {
        match self {
            Self::Messages => Self::Message,
            Self::Parts => Self::Part,
            Self::Tools => Self::Tool,
            _ => Self::Other,
        }
    }
}

/// Checks a request's body.
///
/// # Errors
/// Where an object anywhere in it has a name twice, or a look-alike by case of a name that the gateway reads; also where
/// it is nested too deep or has too many names.
pub fn check_body(body: &JsonObject) -> Result<(), BadRequest> {
    if body.has_plain_names() {
        return Ok(());
    }
    Scan::new(body.text(), Place::Body).run()
}

/// Checks any text that is JSON.
///
/// # Errors
/// Where an object anywhere in it has a name twice; also where it is nested too deep or has too many names.
pub fn check_doubled(json: &[u8]) -> Result<(), BadRequest> {
    Scan::new(json, Place::Other).run()
}

/// An object or array that is not closed yet.
struct Open<'a> {
    place: Place,
    is_object: bool,
    /// Whether a string that comes next is a name.
    awaits_name: bool,
    /// Its first name among those of all open objects.
    first: usize,
    /// The name, or the number of elements so far, that leads to what is open inside.
    name: Cow<'a, [u8]>,
    at: usize,
}

/// Walks over a text that is known to be JSON, name by name.
struct Scan<'a> {
    text: &'a [u8],
    start: Place,
    open: Vec<Open<'a>>,
    names: Vec<Cow<'a, [u8]>>,
}

impl<'a> Scan<'a> {
    fn new(text: &'a [u8], start: Place) -> Self {
        Self { text, start, open: Vec::with_capacity(8), names: Vec::with_capacity(16) }
    }

    fn run(mut self) -> Result<(), BadRequest> {
        let mut at = 0;
        while let Some(byte) = self.text.get(at) {
            match byte {
                b'"' => {
                    let (end, is_escaped) = self.string_end(at + 1);
                    self.string(at, end, is_escaped)?;
                    at = end;
                }
                b'{' | b'[' => self.enter(*byte == b'{')?,
                b'}' | b']' => self.leave()?,
                b',' => {
                    if let Some(open) = self.open.last_mut() {
                        open.awaits_name = open.is_object;
                        open.at += 1;
                    }
                }
                _ => {}
            }
            at += 1;
        }
        Ok(())
    }

    /// The place of the quote that ends a string, and whether anything in it is escaped.
    fn string_end(&self, mut at: usize) -> (usize, bool) {
        let mut is_escaped = false;
        loop {
            let rest = self.text.get(at..).unwrap_or_default();
            match memchr2(b'"', b'\\', rest) {
                None => return (self.text.len(), is_escaped),
                Some(found) if rest.get(found) == Some(&b'"') => return (at + found, is_escaped),
                Some(found) => (at, is_escaped) = (at + found + 2, true),
            }
        }
    }

    fn string(&mut self, start: usize, end: usize, is_escaped: bool) -> Result<(), BadRequest> {
        let Some(open) = self.open.last_mut().filter(|open| open.awaits_name) else { return Ok(()) };
        open.awaits_name = false;
        let name = decoded(self.text.get(start..=end).unwrap_or_default(), is_escaped);
        if !is_plain(&name)
            && let Some(meant) = look_alike(&String::from_utf8_lossy(&name), open.place.fields())
        {
            let path = self.path(&name);
            let message = format!("'{path}' is spelt like '{meant}', and some providers take it for that: rename it.");
            return Err(BadRequest::new(path, message));
        }
        if self.names.len() == MAX_NAMES {
            return Err(self.beyond(&format!("has more than {MAX_NAMES} names in one object")));
        }
        open.name = name.clone();
        self.names.push(name);
        Ok(())
    }

    fn enter(&mut self, is_object: bool) -> Result<(), BadRequest> {
        if self.open.len() == MAX_DEPTH {
            return Err(self.beyond(&format!("is nested deeper than {MAX_DEPTH} levels")));
        }
        let place = match self.open.last() {
            None => self.start,
            Some(open) if open.is_object => open.place.of_field(&open.name),
            Some(open) => open.place.of_element(),
        };
        let first = self.names.len();
        self.open.push(Open { place, is_object, awaits_name: is_object, first, name: Cow::Borrowed(b""), at: 0 });
        Ok(())
    }

    fn leave(&mut self) -> Result<(), BadRequest> {
        let Some(first) = self.open.last().map(|open| open.first) else { return Ok(()) };
        let names = self.names.get_mut(first..).unwrap_or_default();
        let doubled = match names {
            [] | [_] => None,
            [one, other] => (one == other).then(|| one.clone()),
            _ => {
                names.sort_unstable();
                let mut pairs = names.iter().zip(names.iter().skip(1));
                pairs.find(|(one, other)| one == other).map(|(one, _)| one.clone())
            }
        };
        if let Some(name) = doubled {
            let path = self.path(&name);
            let message = format!("'{path}' is given twice, which providers read in different ways: give it once.");
            return Err(BadRequest::new(path, message));
        }
        self.names.truncate(first);
        self.open.pop();
        Ok(())
    }

    /// The complaint about a field of the outermost object that is larger than it may be.
    fn beyond(&self, what: &str) -> BadRequest {
        let field = self.open.first().map(|open| shown(&open.name)).unwrap_or_default();
        let message = format!("'{field}' {what}: send less.");
        BadRequest::new(field, message)
    }

    /// The path of a name in the innermost object: `messages[0].content`.
    fn path(&self, name: &[u8]) -> String {
        let mut path = String::new();
        let outer = self.open.len().saturating_sub(1);
        for open in self.open.iter().take(outer) {
            if path.len() > MAX_PATH {
                path.push('…');
                break;
            }
            if open.is_object {
                push_name(&mut path, &open.name);
            } else {
                path.push_str(&format!("[{}]", open.at));
            }
        }
        push_name(&mut path, name);
        path
    }
}

fn push_name(path: &mut String, name: &[u8]) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(&shown(name));
}

/// A name as it is told in an error.
fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).chars().take(64).map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// The text that a JSON string stands for; what is no valid Unicode stays as it is written.
fn decoded(quoted: &[u8], is_escaped: bool) -> Cow<'_, [u8]> {
    let written = quoted.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(quoted);
    if is_escaped && let Ok(text) = serde_json::from_slice::<String>(quoted) {
        return Cow::Owned(text.into_bytes());
    }
    Cow::Borrowed(written)
}

/// Whether a name has lower case alone, as nearly every one does.
fn is_plain(name: &[u8]) -> bool {
    name.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_' || byte.is_ascii_digit())
}

/// The field that a name differs from by its case alone.
fn look_alike(name: &str, fields: &[&'static str]) -> Option<&'static str> {
    let folded: String =
        name.chars().flat_map(char::to_lowercase).map(folded).filter(|c| *c != COMBINING_DOT).collect();
    fields.iter().copied().find(|field| folded == *field && name != *field)
}

/// What is left of a dotted capital I in lower case.
const COMBINING_DOT: char = '\u{307}';

/// Letters beyond ASCII that Unicode's folding, or an upper case in between, makes ASCII letters.
fn folded(c: char) -> char {
    match c {
        'ſ' => 's',
        'ı' => 'i',
        // The full-width forms.
        '\u{ff41}'..='\u{ff5a}' => char::from_u32(u32::from(c) - 0xff41 + u32::from('a')).unwrap_or(c),
        _ => c,
    }
}

#[cfg(test)]
mod tests;

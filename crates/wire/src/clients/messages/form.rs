//! The blocks of the Messages API as they are written, in requests and answers.

use std::borrow::Cow;

use serde::Serialize;

use crate::common::{CacheMark, JsonText};

/// A content block.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Part<'a> {
    /// One that is written here.
    Made(Box<Made<'a>>),
    /// One that passes as it stands.
    Raw(&'a JsonText),
    /// The same.
    Owned(JsonText),
}

/// The fields of a block, in the order that they are written in.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Made<'a> {
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<JsonText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_use_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_error: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub citations: Option<Citations>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<CacheControl>,
}

/// The content of a tool's result.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Content<'a> {
    Text(&'a str),
    Parts(Vec<Part<'a>>),
}

/// The citations of a text, or whether a document is to be cited.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Citations {
    Given(Vec<JsonText>),
    Wanted { enabled: bool },
}

/// Where the bytes of a picture or document are.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Source<'a> {
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_id: Option<&'a str>,
}

/// A mark that ends what is to be cached.
#[derive(Debug, Serialize)]
pub(crate) struct CacheControl {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'static str>,
}

impl From<CacheMark> for CacheControl {
    fn from(mark: CacheMark) -> Self {
        let ttl = match mark {
            CacheMark::FiveMinutes => None,
            CacheMark::OneHour => Some("1h"),
        };
        Self { kind: "ephemeral", ttl }
    }
}

impl<'a> Part<'a> {
    /// A block of these fields.
    pub fn made(fields: Made<'a>) -> Self {
        Self::Made(Box::new(fields))
    }

    /// A text.
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::made(Made { kind: "text", text: Some(text.into()), ..Made::default() })
    }

    /// Its `type`; empty for one that passes as it stands.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Made(made) => made.kind,
            Self::Raw(_) | Self::Owned(_) => "",
        }
    }
}

/// The input of a call for its arguments: an object as it stands, and an empty one where there are none.
///
/// # Errors
/// Where the arguments are no JSON object.
pub(crate) fn input_of(arguments: &str) -> Result<JsonText, NoObject> {
    if arguments.trim().is_empty() {
        return JsonText::parse("{}").map_err(|_| NoObject);
    }
    JsonText::parse(arguments).ok().filter(JsonText::is_object).ok_or(NoObject)
}

/// The arguments of a call are no JSON object.
#[derive(Debug)]
pub(crate) struct NoObject;

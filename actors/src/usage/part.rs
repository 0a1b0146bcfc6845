//! One part of a message, as far as it tells what it costs.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// A part in the shapes of OpenAI, Anthropic and the vendors compatible with them.
#[derive(Deserialize)]
pub(super) struct Part<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    image_url: Option<&'a RawValue>,
    #[serde(borrow, default)]
    image: Option<&'a RawValue>,
    #[serde(borrow, default)]
    video_url: Option<&'a RawValue>,
    #[serde(borrow, default)]
    video: Option<&'a RawValue>,
    #[serde(borrow, default)]
    input_audio: Option<&'a RawValue>,
    #[serde(borrow, default)]
    audio_url: Option<&'a RawValue>,
    #[serde(borrow, default)]
    audio: Option<&'a RawValue>,
    #[serde(borrow, default)]
    file: Option<&'a RawValue>,
    #[serde(borrow, default)]
    file_url: Option<&'a RawValue>,
    #[serde(borrow, default)]
    file_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    document_url: Option<&'a RawValue>,
    #[serde(borrow, default)]
    source: Option<&'a RawValue>,
}

/// What a part costs by.
pub(super) enum PartKind<'a> {
    /// Its bytes.
    Text,
    /// The parts in it.
    Nested(&'a RawValue),
    /// A picture, of so many bytes where it is part of the request.
    Picture { bytes: u64 },
    /// A sound that is part of the request.
    Sound { bytes: u64 },
    /// A document or a video that is part of the request.
    Document { bytes: u64 },
    /// Something that the vendor fetches, or that is not known.
    Unknown,
}

/// Where a medium is.
enum Place {
    /// In the request, with its media type and its bytes.
    Here { media_type: String, bytes: u64 },
    /// In the request, as text.
    Text,
    /// At an address, or at the vendor.
    Elsewhere,
}

impl<'a> Part<'a> {
    pub(super) fn kind(&self) -> PartKind<'a> {
        let media = [self.image_url, self.image].into_iter().flatten();
        let sounds = [self.input_audio, self.audio_url, self.audio].into_iter().flatten();
        let others = [self.video_url, self.video, self.file, self.file_url, self.file_id, self.document_url];
        let other = others.into_iter().flatten().next();
        let (picture, sound) = (media.last(), sounds.last());
        match (self.kind.as_deref(), picture, sound, other, self.source) {
            (None | Some("image_url" | "image" | "input_image"), Some(raw), None, None, None) => picture_at(place(raw)),
            (Some("image" | "input_image"), None, None, None, Some(raw)) => picture_at(place(raw)),
            // A picture that the vendor keeps is no dearer than another.
            (Some("input_image"), None, None, Some(_), None) if self.file_id.is_some() => {
                PartKind::Picture { bytes: 0 }
            }
            (None | Some("input_audio" | "audio" | "audio_url"), None, Some(raw), None, None) => match place(raw) {
                Place::Here { bytes, .. } => PartKind::Sound { bytes },
                _ => PartKind::Unknown,
            },
            (
                None | Some("video_url" | "video" | "input_video" | "file" | "input_file" | "document"),
                None,
                None,
                Some(raw),
                None,
            )
            | (Some("document"), None, None, None, Some(raw)) => match place(raw) {
                Place::Here { bytes, .. } => PartKind::Document { bytes },
                Place::Text => PartKind::Text,
                Place::Elsewhere => PartKind::Unknown,
            },
            (_, Some(_), ..) | (_, _, Some(_), ..) | (_, _, _, Some(_), _) => PartKind::Unknown,
            (Some("tool_result" | "search_result"), ..) => self.content.map_or(PartKind::Text, PartKind::Nested),
            (Some(kind), None, None, None, None) if is_text(kind) => PartKind::Text,
            (None, None, None, None, None) if self.text.is_some() => PartKind::Text,
            _ => PartKind::Unknown,
        }
    }
}

/// Whether parts of this type hold nothing but what can be read in them.
fn is_text(kind: &str) -> bool {
    matches!(
        kind,
        "text"
            | "input_text"
            | "output_text"
            | "refusal"
            | "thinking"
            | "redacted_thinking"
            | "reasoning"
            | "reasoning_text"
            | "summary_text"
            | "tool_use"
    )
}

fn picture_at<'a>(place: Place) -> PartKind<'a> {
    match place {
        Place::Here { media_type, bytes } if media_type.is_empty() || media_type.starts_with("image/") => {
            PartKind::Picture { bytes }
        }
        Place::Here { bytes, .. } => PartKind::Document { bytes },
        Place::Text => PartKind::Text,
        Place::Elsewhere => PartKind::Picture { bytes: 0 },
    }
}

/// A medium in one of its shapes: an address, or an object with one, with data, or with the id of a file.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Medium<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    media_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    url: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<Cow<'a, str>>,
    #[serde(borrow)]
    file_data: Option<Cow<'a, str>>,
}

/// A text that is not copied where nothing in it is escaped: media are large.
#[derive(Deserialize)]
struct Address<'a>(#[serde(borrow)] Cow<'a, str>);

fn place(raw: &RawValue) -> Place {
    if let Ok(Address(address)) = serde_json::from_str(raw.get()) {
        return data_url(&address).unwrap_or(Place::Elsewhere);
    }
    let Ok(medium) = serde_json::from_str::<Medium<'_>>(raw.get()) else { return Place::Elsewhere };
    if medium.kind.as_deref() == Some("text") && medium.url.is_none() {
        return Place::Text;
    }
    match (&medium.url, medium.data.as_ref().or(medium.file_data.as_ref())) {
        (Some(url), None) => data_url(url).unwrap_or(Place::Elsewhere),
        (None, Some(data)) => data_url(data).unwrap_or_else(|| match data.starts_with("http") {
            true => Place::Elsewhere,
            false => Place::Here {
                media_type: medium.media_type.as_deref().unwrap_or_default().to_owned(),
                bytes: data.len() as u64,
            },
        }),
        _ => Place::Elsewhere,
    }
}

/// A `data:` URL; none for any other text.
fn data_url(text: &str) -> Option<Place> {
    let scheme = text.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("data:"))?;
    let rest = text.get(scheme.len()..).unwrap_or_default();
    let media_type = rest.split([';', ',']).next().unwrap_or_default().to_ascii_lowercase();
    Some(match media_type.starts_with("text/") {
        true => Place::Text,
        false => Place::Here { media_type, bytes: text.len() as u64 },
    })
}

//! The parts of a message and of a tool's output.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::fields::raw_list;
use crate::BadRequest;
use crate::common::{Block, BlockKind, Family, JsonText, Media, MediaSource};

/// A part of a message.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Part<'a> {
    #[serde(rename = "type")]
    kind: Option<String>,
    text: Option<String>,
    refusal: Option<String>,
    #[serde(borrow)]
    image_url: Option<&'a RawValue>,
    detail: Option<String>,
    file_id: Option<String>,
    file_data: Option<String>,
    file_url: Option<String>,
    filename: Option<String>,
    input_audio: Option<Audio>,
    annotations: Option<Vec<JsonText>>,
}

#[derive(Deserialize)]
struct Audio {
    data: String,
    format: String,
}

/// Reads content: a text, or parts.
///
/// # Errors
/// Where it is neither; the message names the part.
pub(super) fn read(content: Option<&RawValue>, path: &str) -> Result<Vec<Block>, BadRequest> {
    let Some(content) = content else { return Ok(Vec::new()) };
    if let Ok(text) = serde_json::from_str::<String>(content.get()) {
        return Ok(vec![BlockKind::text(text).into()]);
    }
    let parts = raw_list(content.get(), path)?;
    parts.into_iter().enumerate().map(|(at, raw)| part(raw, &format!("{path}[{at}]"))).collect()
}

fn part(raw: &RawValue, path: &str) -> Result<Block, BadRequest> {
    let part: Part<'_> = serde_json::from_str(raw.get())
        .map_err(|error| BadRequest::new(path, format!("'{path}' is not a part of a message: {error}.")))?;
    let missing = |name: &str| BadRequest::new(format!("{path}.{name}"), format!("'{path}.{name}' is missing."));
    let kind = match part.kind.as_deref() {
        Some("input_text" | "output_text" | "text" | "summary_text" | "reasoning_text") => {
            let text = part.text.ok_or_else(|| missing("text"))?;
            BlockKind::Text { text, annotations: part.annotations.unwrap_or_default() }
        }
        Some("refusal") => BlockKind::Refusal(part.refusal.ok_or_else(|| missing("refusal"))?),
        Some("input_image") => image(part).ok_or_else(|| missing("image_url"))?,
        Some("input_file") => file(part).ok_or_else(|| missing("file_data"))?,
        Some("input_audio") => audio(part.input_audio.ok_or_else(|| missing("input_audio"))?),
        kind => {
            let told = kind.unwrap_or("none");
            let message = format!(
                "'{path}.type' is {told}; it must be input_text, input_image, input_file, input_audio, output_text or \
                 refusal."
            );
            return Err(BadRequest::new(format!("{path}.type"), message));
        }
    };
    Ok(kind.into())
}

fn image(part: Part<'_>) -> Option<BlockKind> {
    let url = part.image_url.and_then(|raw| serde_json::from_str::<ImageUrl>(raw.get()).ok());
    let source = match (url, part.file_id) {
        (Some(ImageUrl::Plain(url) | ImageUrl::Chat { url }), _) => source_of(&url),
        (None, Some(id)) => MediaSource::FileId(id, Family::OpenAi),
        (None, None) => return None,
    };
    Some(BlockKind::Image(Media { source, ..Media::default() }, part.detail))
}

/// The address of a picture, bare or in the form of chat completions.
#[derive(Deserialize)]
#[serde(untagged)]
enum ImageUrl {
    Plain(String),
    Chat { url: String },
}

fn file(part: Part<'_>) -> Option<BlockKind> {
    let source = match (part.file_data, part.file_url, part.file_id) {
        (Some(data), _, _) => match source_of(&data) {
            // Bytes without a word on what they are.
            MediaSource::Url(base64) => MediaSource::Inline { mime: "application/pdf".to_owned(), base64 },
            source => source,
        },
        (None, Some(url), _) => source_of(&url),
        (None, None, Some(id)) => MediaSource::FileId(id, Family::OpenAi),
        (None, None, None) => return None,
    };
    Some(BlockKind::File(Media { source, name: part.filename, ..Media::default() }))
}

fn audio(audio: Audio) -> BlockKind {
    let source = MediaSource::Inline { mime: format!("audio/{}", audio.format), base64: audio.data };
    BlockKind::Audio(Media { source, ..Media::default() })
}

/// Where a URL says that the bytes are: a `data:` URL has them in itself.
fn source_of(url: &str) -> MediaSource {
    let inline = || {
        let (head, base64) = url.strip_prefix("data:")?.split_once(',')?;
        let mime = head.strip_suffix(";base64")?;
        let mime = mime.split(';').next().filter(|mime| !mime.is_empty()).unwrap_or("application/octet-stream");
        Some(MediaSource::Inline { mime: mime.to_owned(), base64: base64.to_owned() })
    };
    inline().unwrap_or_else(|| MediaSource::Url(url.to_owned()))
}

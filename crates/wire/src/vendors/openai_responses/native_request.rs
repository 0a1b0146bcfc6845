//! A Responses client's request for a vendor of the same format: its bytes, but for what other vendors and this gateway
//! put into the history.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::common::{Family, JsonText, ReasoningToken};
use crate::json_object::{JsonObject, json_string};
use crate::{BadRequest, VendorRequest};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Item {
    #[serde(rename = "type")]
    kind: Option<String>,
    id: Option<String>,
    encrypted_content: Option<String>,
}

/// The request for a model. Answers are not stored at the vendor unless `is_stored`; then reasoning has to travel with
/// the client. `opened` gives the summary of a conversation that this gateway compacted.
///
/// # Errors
/// Where the history has a compacted conversation that cannot be opened.
pub fn native_request(
    body: &JsonObject,
    model: &str,
    is_stored: bool,
    opened: impl Fn(&str) -> Option<String>,
) -> Result<VendorRequest, BadRequest> {
    let model = json_string(model);
    let include = include(body, is_stored);
    let input = input(body, is_stored, opened)?;
    let mut set = vec![("model", model.as_str())];
    set.extend(include.as_deref().map(|include| ("include", include)));
    set.extend(input.as_deref().map(|input| ("input", input)));
    let mut remove = Vec::new();
    if !is_stored {
        set.push(("store", "false"));
        // What it stands for was put into the input.
        remove.push("previous_response_id");
    }
    let body = body.edited(&set, &remove);
    Ok(VendorRequest { path: "/responses".to_owned(), headers: Vec::new(), body, dropped_params: Vec::new() })
}

/// What is to be included: sealed reasoning too, where no one else keeps it.
fn include(body: &JsonObject, is_stored: bool) -> Option<String> {
    const SEALED: &str = "reasoning.encrypted_content";
    let mut include: Vec<String> = body.read("include").ok().flatten().unwrap_or_default();
    if is_stored || include.iter().any(|word| word == SEALED) {
        return None;
    }
    include.push(SEALED.to_owned());
    serde_json::to_string(&include).ok()
}

/// The input as the vendor takes it; none where it is that already.
fn input(
    body: &JsonObject,
    is_stored: bool,
    opened: impl Fn(&str) -> Option<String>,
) -> Result<Option<String>, BadRequest> {
    let Some(text) = body.get("input").filter(|text| text.starts_with('[')) else { return Ok(None) };
    // Only ids and seals are looked at, so that most requests pass without being taken apart.
    if !text.contains("_gw") && !text.contains("gw1.") && (is_stored || !text.contains("\"reasoning\"")) {
        return Ok(None);
    }
    let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(text) else { return Ok(None) };
    let mut out: Vec<String> = Vec::with_capacity(items.len());
    for raw in items {
        out.extend(item(raw, is_stored, &opened)?);
    }
    Ok(Some(format!("[{}]", without_orphans(out).join(","))))
}

/// An item as the vendor takes it; none where it cannot.
fn item(
    raw: &RawValue,
    is_stored: bool,
    opened: &impl Fn(&str) -> Option<String>,
) -> Result<Option<String>, BadRequest> {
    let same = Ok(Some(raw.get().to_owned()));
    let Ok(item) = serde_json::from_str::<Item>(raw.get()) else { return same };
    let is_own = item.id.as_deref().is_some_and(|id| id.contains("_gw"));
    let sealed = item.encrypted_content.as_deref().unwrap_or_default();
    let token = ReasoningToken::from_client(sealed, Family::OpenAi);
    match (item.kind.as_deref(), token) {
        (Some("reasoning"), Some(token)) if token.family == Family::OpenAi => {
            let id = token.item_id.or(item.id.filter(|_| !is_own));
            let (text, id) = (json_string(&token.text), id.map(|id| json_string(&id)));
            if token.text == sealed && !is_own {
                return same;
            }
            let mut set = vec![("encrypted_content", text.as_str())];
            set.extend(id.as_deref().map(|id| ("id", id)));
            Ok(edited(raw, &set, &["id", "encrypted_content"]))
        }
        // Reasoning of another vendor, or of an answer that the vendor does not keep.
        (Some("reasoning"), Some(_)) => Ok(None),
        (Some("reasoning"), None) if is_own || !is_stored => Ok(None),
        (Some("compaction"), Some(token)) if token.family == Family::Other => {
            let wrong = || BadRequest::new("input", "A compacted conversation in 'input' is not one of this client's.");
            let summary = json_string(&opened(&token.text).ok_or_else(wrong)?);
            let part = format!(r#"[{{"type":"input_text","text":{summary}}}]"#);
            Ok(Some(format!(r#"{{"type":"message","role":"user","content":{part}}}"#)))
        }
        _ if is_own => Ok(edited(raw, &[], &["id"])),
        _ => same,
    }
}

fn edited(raw: &RawValue, set: &[(&str, &str)], remove: &[&str]) -> Option<String> {
    let object = JsonObject::parse(raw.get().to_owned().into()).ok()?;
    String::from_utf8(object.edited(set, remove).to_vec()).ok()
}

/// The items without reasoning that leads to nothing the model said, which the vendor refuses (J7).
fn without_orphans(items: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::with_capacity(items.len());
    let mut leads = false;
    for text in items.into_iter().rev() {
        let parsed = JsonText::parse(&text).ok().and_then(|json| json.read::<Kind>().ok()).unwrap_or_default();
        let is_reasoning = parsed.kind.as_deref() == Some("reasoning");
        if !is_reasoning {
            let kind = parsed.kind.as_deref().unwrap_or("message");
            leads = parsed.role.as_deref() == Some("assistant") || kind.ends_with("_call");
        }
        if !is_reasoning || leads {
            kept.push(text);
        }
    }
    kept.reverse();
    kept
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Kind {
    #[serde(rename = "type")]
    kind: Option<String>,
    role: Option<String>,
}

//! One item of the input.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::content;
use super::fields::{object, raw_list};
use super::ids::is_own;
use super::mark::Mark;
use super::tools::Tools;
use crate::BadRequest;
use crate::common::{Block, BlockKind, Family, JsonText, ReasoningToken, ToolKind, ToolResult, ToolUse};

/// What an item is in the conversation.
#[derive(Debug)]
pub(super) enum Piece {
    /// Words of the operator.
    System(Vec<Block>),
    /// Words of the user.
    User(Vec<Block>),
    /// A part of what the model answered.
    Assistant(Vec<Block>),
    /// What a tool answered.
    Result(ToolResult),
    /// The vendor's seal on a call, by the id of the call.
    Seal(String, ReasoningToken),
    /// Nothing that is said: it only adds tools, or nothing is left of it.
    Nothing,
    /// The client wants the conversation compacted.
    Trigger,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Item<'a> {
    #[serde(rename = "type")]
    kind: Option<String>,
    role: Option<String>,
    id: Option<String>,
    call_id: Option<String>,
    name: Option<String>,
    namespace: Option<String>,
    status: Option<String>,
    execution: Option<String>,
    encrypted_content: Option<String>,
    input: Option<String>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    output: Option<&'a RawValue>,
    #[serde(borrow)]
    summary: Option<&'a RawValue>,
    #[serde(borrow)]
    tools: Option<&'a RawValue>,
    #[serde(borrow)]
    action: Option<&'a RawValue>,
    #[serde(borrow)]
    operation: Option<&'a RawValue>,
}

/// Reads an item.
///
/// # Errors
/// Where it is none, or is one that only a stored conversation could resolve.
pub(super) fn read(raw: &RawValue, path: &str, tools: &mut Tools) -> Result<Piece, BadRequest> {
    let item: Item<'_> = object(raw.get(), path)?;
    let kind = item.kind.clone().unwrap_or_else(|| if item.role.is_some() { "message" } else { "" }.to_owned());
    match kind.as_str() {
        "message" => message(&item, path),
        "reasoning" => reasoning(item, path),
        "function_call" | "custom_tool_call" | "tool_search_call" | "local_shell_call" | "shell_call"
        | "apply_patch_call" => call(item, &kind, raw, path),
        "function_call_output" | "custom_tool_call_output" => plain_output(item, &kind, path),
        "local_shell_call_output" | "shell_call_output" | "apply_patch_call_output" => shell_output(item, path),
        "tool_search_output" => found_tools(item, raw, path, tools),
        "additional_tools" => {
            if let Some(list) = item.tools {
                tools.add_list(list.get(), &format!("{path}.tools"))?;
            }
            Ok(Piece::Nothing)
        }
        "compaction" | "compaction_summary" | "context_compaction" => compaction(item, path),
        "compaction_trigger" => Ok(Piece::Trigger),
        "item_reference" => {
            let message = "This gateway does not keep the item that is referred to: send the item itself.";
            Err(BadRequest::new(format!("{path}.id"), message))
        }
        "" => Err(BadRequest::new(path, format!("'{path}' has neither a type nor a role."))),
        kind if is_hosted(kind) => Ok(Piece::Assistant(vec![hosted(raw)])),
        kind => Err(BadRequest::new(format!("{path}.type"), format!("'{path}.type' is not known: {kind}."))),
    }
}

/// Items of tools that OpenAI runs itself.
fn is_hosted(kind: &str) -> bool {
    ["web_search_", "file_search_", "mcp_", "code_interpreter_", "image_generation_", "computer_"]
        .iter()
        .any(|start| kind.starts_with(start))
}

fn hosted(raw: &RawValue) -> Block {
    BlockKind::Hosted { raw: raw.into(), family: Family::OpenAi }.into()
}

fn message(item: &Item<'_>, path: &str) -> Result<Piece, BadRequest> {
    let blocks = content::read(item.content, &format!("{path}.content"))?;
    match item.role.as_deref() {
        Some("user") => Ok(Piece::User(blocks)),
        Some("system" | "developer") => Ok(Piece::System(blocks)),
        Some("assistant") => Ok(Piece::Assistant(blocks.into_iter().filter(says_something).collect())),
        _ => {
            let message = format!("'{path}.role' must be user, assistant, system or developer.");
            Err(BadRequest::new(format!("{path}.role"), message))
        }
    }
}

fn says_something(block: &Block) -> bool {
    !matches!(&block.kind, BlockKind::Text { text, .. } | BlockKind::Refusal(text) if text.is_empty())
}

/// A reasoning item; nothing is left of one that has neither words nor a token, since it was kept by its vendor alone.
fn reasoning(item: Item<'_>, path: &str) -> Result<Piece, BadRequest> {
    let raw = words(item.content, "", &format!("{path}.content"))?;
    let summary = words(item.summary, "\n\n", &format!("{path}.summary"))?;
    let token = item.encrypted_content.as_deref().and_then(|text| ReasoningToken::from_client(text, Family::OpenAi));
    let mut token = token;
    if let Some(token) = &mut token {
        if token.family != Family::OpenAi {
            match token.item_id.take().as_deref().map(Mark::read) {
                Some(Mark::Redacted) => return Ok(Piece::Assistant(vec![BlockKind::Redacted(token.clone()).into()])),
                Some(Mark::Call(id)) => return Ok(Piece::Seal(id.to_owned(), token.clone())),
                Some(Mark::None) | None => {}
            }
        }
        if token.family == Family::OpenAi && token.item_id.is_none() {
            token.item_id = item.id.filter(|id| !is_own(id));
        }
    }
    let is_summary = raw.is_empty();
    let text = if is_summary { summary } else { raw };
    if text.is_empty() && token.is_none() {
        return Ok(Piece::Nothing);
    }
    Ok(Piece::Assistant(vec![BlockKind::Thinking { text, is_summary, token }.into()]))
}

/// The texts of a list of parts, joined.
fn words(parts: Option<&RawValue>, between: &str, path: &str) -> Result<String, BadRequest> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Part {
        text: Option<String>,
    }
    let Some(parts) = parts else { return Ok(String::new()) };
    let parts = raw_list(parts.get(), path)?;
    let texts: Result<Vec<String>, BadRequest> =
        parts.iter().map(|part| Ok(object::<Part>(part.get(), path)?.text.unwrap_or_default())).collect();
    Ok(texts?.join(between))
}

fn call(item: Item<'_>, kind: &str, raw: &RawValue, path: &str) -> Result<Piece, BadRequest> {
    let missing = |name: &str| BadRequest::new(format!("{path}.{name}"), format!("'{path}.{name}' is missing."));
    if kind == "tool_search_call" && item.execution.as_deref() == Some("server") {
        return Ok(Piece::Assistant(vec![hosted(raw)]));
    }
    // Older calls of the local shell are known by the id of their item.
    let call_id = item.call_id.or_else(|| item.id.clone()).ok_or_else(|| missing("call_id"))?;
    let text_of = |raw: Option<&RawValue>| raw.map(text_or_json).unwrap_or_default();
    let (tool, name, arguments) = match kind {
        "custom_tool_call" => (ToolKind::Custom, item.name, item.input.unwrap_or_default()),
        "tool_search_call" => (ToolKind::ToolSearch, Some("tool_search".to_owned()), text_of(item.arguments)),
        "local_shell_call" => (ToolKind::Shell, Some("local_shell".to_owned()), text_of(item.action)),
        "shell_call" => (ToolKind::Shell, Some("shell".to_owned()), text_of(item.action)),
        "apply_patch_call" => (ToolKind::Shell, Some("apply_patch".to_owned()), text_of(item.operation)),
        _ => (ToolKind::Function, item.name, text_of(item.arguments)),
    };
    let name = name.ok_or_else(|| missing("name"))?;
    let call =
        ToolUse { call_id, item_id: item.id, name, namespace: item.namespace, kind: tool, arguments, token: None };
    Ok(Piece::Assistant(vec![BlockKind::ToolUse(call).into()]))
}

/// The text that a JSON string says; of any other value its JSON text.
fn text_or_json(raw: &RawValue) -> String {
    serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().to_owned())
}

fn call_id(item: &Item<'_>, path: &str) -> Result<String, BadRequest> {
    let id = item.call_id.clone().or_else(|| item.id.clone());
    id.ok_or_else(|| BadRequest::new(format!("{path}.call_id"), format!("'{path}.call_id' is missing.")))
}

fn plain_output(item: Item<'_>, kind: &str, path: &str) -> Result<Piece, BadRequest> {
    let kind = if kind.starts_with("custom") { ToolKind::Custom } else { ToolKind::Function };
    let blocks = match item.output {
        Some(raw) if raw.get().starts_with(['"', '[']) => content::read(Some(raw), &format!("{path}.output"))?,
        Some(raw) => vec![BlockKind::text(raw.get()).into()],
        None => Vec::new(),
    };
    Ok(Piece::Result(ToolResult { call_id: call_id(&item, path)?, kind, blocks, is_error: false }))
}

/// The output of a shell is kept as the text that it is, in JSON where it has parts.
fn shell_output(item: Item<'_>, path: &str) -> Result<Piece, BadRequest> {
    let call_id = call_id(&item, path)?;
    let blocks = item.output.map(|raw| vec![BlockKind::text(text_or_json(raw)).into()]).unwrap_or_default();
    let is_error = item.status.as_deref() == Some("failed");
    Ok(Piece::Result(ToolResult { call_id, kind: ToolKind::Shell, blocks, is_error }))
}

/// What a client's search for tools found: words for the model, the tools for the request, and the list as it stands for
/// a vendor that knows it.
fn found_tools(item: Item<'_>, raw: &RawValue, path: &str, tools: &mut Tools) -> Result<Piece, BadRequest> {
    let list = item.tools.map_or("[]", RawValue::get);
    let names = tools.add_list(list, &format!("{path}.tools"))?;
    if item.execution.as_deref() == Some("server") {
        return Ok(Piece::Assistant(vec![hosted(raw)]));
    }
    let words = match names.as_slice() {
        [] => "No tool was found.".to_owned(),
        names => format!("These tools were found and can be called now: {}.", names.join(", ")),
    };
    let list = JsonText::parse(list).map_err(|_| BadRequest::new(path, format!("'{path}.tools' is not JSON.")))?;
    let blocks = vec![BlockKind::text(words).into(), BlockKind::Hosted { raw: list, family: Family::OpenAi }.into()];
    Ok(Piece::Result(ToolResult {
        call_id: call_id(&item, path)?,
        kind: ToolKind::ToolSearch,
        blocks,
        is_error: false,
    }))
}

fn compaction(item: Item<'_>, path: &str) -> Result<Piece, BadRequest> {
    let sealed = item.encrypted_content.as_deref().unwrap_or_default();
    let field = || format!("{path}.encrypted_content");
    let Some(mut token) = ReasoningToken::from_client(sealed, Family::OpenAi) else {
        return Err(BadRequest::new(field(), format!("'{}' is not a sealed conversation.", field())));
    };
    if token.family == Family::OpenAi {
        token.item_id = item.id;
    }
    Ok(Piece::User(vec![BlockKind::Compaction(token).into()]))
}

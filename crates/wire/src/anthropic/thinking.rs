//! How much the model thinks, and the bound on the answer that thinking is a part of.
//!
//! <https://platform.claude.com/docs/en/build-with-claude/extended-thinking>

use serde_json::{Map, Value, json};

use super::model::Abilities;
use super::request::{present, set_output};
use crate::BadRequest;

/// Anthropic needs a bound on the answer; OpenAI's clients rarely give one. Thinking comes on top.
const DEFAULT_MAX_TOKENS: u64 = 4096;

/// The least budget that Anthropic takes.
const MIN_BUDGET: u64 = 1024;

/// OpenAI's `reasoning_effort`, as a budget of thinking tokens and as Anthropic's effort.
struct Effort {
    budget: u64,
    level: &'static str,
}

/// Adds `max_tokens`, `thinking` and `output_config.effort`. An explicit `thinking` passes as it is.
pub(super) fn translate(
    body: &Map<String, Value>,
    abilities: Abilities,
    out: &mut Map<String, Value>,
    dropped: &mut Vec<String>,
) -> Result<(), BadRequest> {
    let bound = bound(body)?;
    let effort = effort(body)?;
    if let Some(thinking) = present(body, "thinking") {
        let budget = thinking.get("budget_tokens").and_then(Value::as_u64).unwrap_or(0);
        match effort {
            Some(effort) if thinking["type"] == "adaptive" => set_output(out, "effort", json!(effort.level))?,
            Some(_) => dropped.push("reasoning_effort".to_owned()),
            None => {}
        }
        out.insert("thinking".to_owned(), thinking.clone());
        out.insert("max_tokens".to_owned(), json!(bound.unwrap_or(DEFAULT_MAX_TOKENS.saturating_add(budget))));
        return Ok(());
    }
    let forced = out.get("tool_choice").is_some_and(|choice| choice["type"] == "any" || choice["type"] == "tool");
    let mut max_tokens = bound.unwrap_or(DEFAULT_MAX_TOKENS);
    match effort {
        None => {}
        Some(effort) if abilities.adaptive_thinking => {
            // Anthropic refuses to think before a tool that is forced; the effort counts there too.
            if !forced {
                out.insert("thinking".to_owned(), json!({"type": "adaptive"}));
                max_tokens = bound.unwrap_or(DEFAULT_MAX_TOKENS + effort.budget);
            }
            let newest = abilities.fixed_sampling;
            set_output(out, "effort", json!(if effort.level == "xhigh" && !newest { "high" } else { effort.level }))?;
        }
        Some(effort) => {
            // A bound that the client gave is kept, since it is what the answer may cost: thinking gets at most three
            // quarters of it.
            let budget = bound.map_or(effort.budget, |bound| effort.budget.min(bound / 4 * 3));
            if forced || budget < MIN_BUDGET || lacks_thinking(out) {
                dropped.push("reasoning_effort".to_owned());
            } else {
                out.insert("thinking".to_owned(), json!({"type": "enabled", "budget_tokens": budget}));
                max_tokens = bound.unwrap_or(DEFAULT_MAX_TOKENS + budget);
            }
        }
    }
    out.insert("max_tokens".to_owned(), json!(max_tokens));
    Ok(())
}

fn bound(body: &Map<String, Value>) -> Result<Option<u64>, BadRequest> {
    for name in ["max_completion_tokens", "max_tokens"] {
        if let Some(value) = present(body, name) {
            let bad = || BadRequest::new(name, format!("'{name}' must be a whole number."));
            return value.as_u64().map(Some).ok_or_else(bad);
        }
    }
    Ok(None)
}

fn effort(body: &Map<String, Value>) -> Result<Option<Effort>, BadRequest> {
    let Some(effort) = present(body, "reasoning_effort") else { return Ok(None) };
    let (budget, level) = match effort.as_str() {
        Some("none") => return Ok(None),
        Some("minimal" | "low") => (MIN_BUDGET, "low"),
        Some("medium") => (4096, "medium"),
        Some("high") => (16_384, "high"),
        Some("xhigh") => (32_768, "xhigh"),
        Some("max") => (32_768, "max"),
        _ => {
            let message = "'reasoning_effort' must be none, minimal, low, medium, high, xhigh or max.";
            return Err(BadRequest::new("reasoning_effort", message));
        }
    };
    Ok(Some(Effort { budget, level }))
}

/// Whether the last assistant turn called a tool without the thinking that led to it, as turns of other vendors or of
/// strict clients do: Anthropic refuses to think on after such a turn.
fn lacks_thinking(out: &Map<String, Value>) -> bool {
    let turns = out.get("messages").and_then(Value::as_array);
    let last = turns.and_then(|turns| turns.iter().rfind(|turn| turn["role"] == "assistant"));
    let Some(blocks) = last.and_then(|turn| turn["content"].as_array()) else { return false };
    let thought =
        blocks.first().is_some_and(|block| block["type"] == "thinking" || block["type"] == "redacted_thinking");
    !thought && blocks.iter().any(|block| block["type"] == "tool_use")
}

//! How much the model thinks, and the bound on the answer that thinking is a part of.
//!
//! <https://platform.claude.com/docs/en/build-with-claude/extended-thinking>

use serde_json::{Value, json};

use super::draft::Draft;
use super::model::{Off, Thinking};
use super::request::{kind_of, thinking_of};
use crate::BadRequest;
use crate::common::{Effort, Reasoning};

/// Anthropic needs a bound on the answer; OpenAI's clients rarely give one. Thinking comes on top.
const DEFAULT_MAX_TOKENS: u64 = 4096;

/// The least budget that Anthropic takes.
const LEAST_BUDGET: u64 = 1024;

/// Adds `max_tokens`, `thinking` and `output_config.effort`; gives whether the model is made to think.
pub(super) fn translate(draft: &mut Draft<'_>, forces_tool: bool, lacks_thinking: bool) -> Result<bool, BadRequest> {
    let bound = bound(draft);
    let reasoning = draft.conversation.reasoning.clone().unwrap_or_default();
    if let Some(thinking) = draft.rest("thinking") {
        return Ok(explicit(draft, &thinking.value(), &reasoning, bound));
    }
    let plan = plan(draft, &reasoning, bound, forces_tool, lacks_thinking);
    let mut thinks = false;
    let room = match &plan {
        Plan::Nothing => room_by_default(draft),
        Plan::Off(kind) => {
            draft.set("thinking", &thinking_of(kind));
            0
        }
        Plan::Budget(budget) => {
            thinks = true;
            draft.set("thinking", &shown(draft, json!({"type": "enabled", "budget_tokens": budget}), &reasoning));
            *budget
        }
        Plan::Adaptive => {
            thinks = true;
            draft.set("thinking", &shown(draft, thinking_of("adaptive"), &reasoning));
            reasoning.effort.unwrap_or(Effort::High).budget_tokens()
        }
    };
    let most = draft.most_output.unwrap_or(u64::MAX);
    draft.set("max_tokens", &bound.unwrap_or(DEFAULT_MAX_TOKENS.saturating_add(room).min(most)));
    Ok(thinks)
}

/// What `thinking` is to say.
enum Plan {
    Nothing,
    Off(&'static str),
    Budget(u64),
    Adaptive,
}

/// The client's bound on the answer, as far as the model goes (J13).
fn bound(draft: &mut Draft<'_>) -> Option<u64> {
    let bound = draft.conversation.max_output_tokens?;
    match draft.most_output.filter(|most| bound > *most) {
        Some(most) => {
            draft.note(draft.named("max_tokens", "max_completion_tokens"));
            Some(most)
        }
        None => Some(bound),
    }
}

/// Room for thinking of models that think unless told otherwise.
fn room_by_default(draft: &Draft<'_>) -> u64 {
    if draft.abilities.off == Off::Default { 0 } else { Effort::High.budget_tokens() }
}

fn plan(draft: &mut Draft<'_>, reasoning: &Reasoning, bound: Option<u64>, forces: bool, lacks: bool) -> Plan {
    let abilities = draft.abilities;
    let wants_budget = reasoning.budget_tokens.is_some();
    let name = draft.named("thinking", "reasoning_effort");
    if reasoning.effort == Some(Effort::None) && !wants_budget && !reasoning.adaptive {
        return off(draft, name);
    }
    let is_asked = wants_budget || reasoning.adaptive || (!draft.is_native && reasoning.effort.is_some());
    let can_adapt = matches!(abilities.thinking, Thinking::Adaptive | Thinking::Either);
    set_effort(draft, reasoning, can_adapt);
    if !is_asked {
        return Plan::Nothing;
    }
    match abilities.thinking {
        Thinking::Never => {
            draft.note(name);
            Plan::Nothing
        }
        Thinking::Either | Thinking::Adaptive if !wants_budget || abilities.thinking == Thinking::Adaptive => {
            // Anthropic refuses to think before a tool that is forced; the effort counts there too.
            if forces && !draft.is_native { Plan::Nothing } else { Plan::Adaptive }
        }
        _ => match budget(reasoning, bound, draft.most_output).filter(|_| !lacks && (!forces || draft.is_native)) {
            Some(budget) => Plan::Budget(budget),
            None => {
                draft.note(name);
                Plan::Nothing
            }
        },
    }
}

fn off(draft: &mut Draft<'_>, name: &str) -> Plan {
    match draft.abilities.off {
        Off::By(kind) => return Plan::Off(kind),
        Off::Never => draft.note(name),
        Off::Default if draft.is_native && draft.abilities.thinking != Thinking::Never => return Plan::Off("disabled"),
        Off::Default => {}
    }
    Plan::Nothing
}

/// The effort, for models that know one; where the client gave a budget alone to one that takes none, what it stands for.
fn set_effort(draft: &mut Draft<'_>, reasoning: &Reasoning, can_adapt: bool) {
    let takes_no_budget = draft.abilities.thinking == Thinking::Adaptive;
    let implied = reasoning.budget_tokens.filter(|_| takes_no_budget).map(Effort::from_budget_tokens);
    let Some(effort) = reasoning.effort.or(implied) else { return };
    if !draft.abilities.effort || !(can_adapt || draft.is_native) {
        // Elsewhere a budget says the same, where there is none of the client's own.
        let is_lost = draft.is_native && !reasoning.adaptive || reasoning.budget_tokens.is_some();
        if reasoning.effort.is_some() && is_lost {
            draft.note(draft.named("output_config.effort", "reasoning_effort"));
        }
        return;
    }
    let level = match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::XHigh if !draft.abilities.highest_effort => "high",
        other => other.as_str(),
    };
    draft.set_output("effort", &level);
}

/// A budget below the bound: one that the client gave is kept, since it is what the answer may cost, and thinking gets at
/// most three quarters of it. None where that is too little.
fn budget(reasoning: &Reasoning, bound: Option<u64>, most: Option<u64>) -> Option<u64> {
    let wanted = match (reasoning.budget_tokens, reasoning.effort) {
        (Some(budget), _) => budget,
        (None, Some(effort)) => effort.budget_tokens(),
        (None, None) => Effort::Medium.budget_tokens(),
    };
    let is_own = reasoning.budget_tokens.is_some();
    let fits = |limit: u64| if is_own && wanted < limit { wanted } else { wanted.min(limit / 4 * 3) };
    let budget = match (bound, most) {
        (Some(bound), _) => fits(bound),
        (None, Some(most)) if wanted.saturating_add(DEFAULT_MAX_TOKENS) > most => fits(most),
        _ => wanted,
    };
    (budget >= LEAST_BUDGET).then_some(budget)
}

/// With what is to be shown of the thinking, where the client says so and the model knows of it.
fn shown(draft: &Draft<'_>, mut thinking: Value, reasoning: &Reasoning) -> Value {
    match reasoning.summary.as_deref() {
        Some(display) if draft.is_native || matches!(display, "omitted" | "summarized") => {
            thinking["display"] = json!(display)
        }
        Some("auto" | "concise" | "detailed") if draft.abilities.thinking == Thinking::Adaptive => {
            thinking["display"] = json!("summarized");
        }
        _ => {}
    }
    thinking
}

/// `thinking` that a client set as an extension passes as it is.
fn explicit(draft: &mut Draft<'_>, thinking: &Value, reasoning: &Reasoning, bound: Option<u64>) -> bool {
    let budget = thinking.get("budget_tokens").and_then(Value::as_u64).unwrap_or(0);
    match reasoning.effort {
        Some(effort) if kind_of(thinking) == "adaptive" || draft.is_native => {
            set_effort(draft, &Reasoning { effort: Some(effort), ..Reasoning::default() }, true);
        }
        Some(_) => draft.note("reasoning_effort"),
        None => {}
    }
    draft.set("thinking", thinking);
    let most = draft.most_output.unwrap_or(u64::MAX);
    draft.set("max_tokens", &bound.unwrap_or(DEFAULT_MAX_TOKENS.saturating_add(budget).min(most)));
    kind_of(thinking) != "disabled"
}

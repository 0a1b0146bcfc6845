//! What OpenAI's names of models tell of reasoning.

use crate::common::{Effort, Reasoning};

fn bare(model: &str) -> &str {
    model.rsplit('/').next().unwrap_or(model)
}

/// Whether a model of OpenAI's reasons, so that it takes an effort and no sampling fields.
pub(super) fn reasons(model: &str) -> bool {
    let name = bare(model);
    let is_o = name.strip_prefix('o').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    (is_o || generation(name).is_some_and(|(major, _)| major >= 5)) && !name.contains("chat")
}

/// The generation of a GPT model: 5 and 1 of `gpt-5.1-codex`.
fn generation(name: &str) -> Option<(u32, u32)> {
    let number = name.strip_prefix("gpt-")?.split('-').next()?;
    let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Whether a model is one of OpenAI's that never reason, and refuse every field of reasoning.
pub(super) fn never_reasons(model: &str) -> bool {
    ["gpt-3.5", "gpt-4", "chatgpt-"].iter().any(|prefix| bare(model).starts_with(prefix))
}

/// Whether the effort that a client of another format asks for may be sent. Coding agents ask for one on every model:
/// as a wish beside adaptive thinking, and as none where thinking is off. Models that do not reason refuse both, so that
/// these go only to models that are known to take them.
pub(super) fn takes_effort(reasoning: &Reasoning, effort: Effort, model: &str) -> bool {
    if effort == Effort::None {
        return generation(bare(model)).is_some_and(|generation| generation > (5, 0)) && reasons(model);
    }
    !never_reasons(model) && (!reasoning.adaptive || reasons(model) || bare(model).starts_with("gpt-oss"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// J4: what an agent wishes on every model reaches those alone that take it; what is asked for outright goes along.
    #[test]
    fn wishes_reach_models_that_take_them() {
        let wish = Reasoning { adaptive: true, ..Reasoning::default() };
        let asked = Reasoning::default();
        for (reasoning, effort, model, expected) in [
            (&wish, Effort::High, "gpt-5.1", true),
            (&wish, Effort::High, "openai/o3-mini", true),
            (&wish, Effort::High, "gpt-6-astra", true),
            (&wish, Effort::High, "openai/gpt-oss-120b", true),
            (&wish, Effort::High, "gpt-4o-mini", false),
            (&wish, Effort::High, "some-model", false),
            (&asked, Effort::High, "some-model", true),
            (&asked, Effort::High, "gpt-4.1", false),
            (&asked, Effort::None, "gpt-5.1", true),
            (&asked, Effort::None, "gpt-6-astra", true),
            (&asked, Effort::None, "gpt-5-mini", false),
            (&asked, Effort::None, "gpt-4o", false),
            (&asked, Effort::None, "some-model", false),
        ] {
            assert_eq!(takes_effort(reasoning, effort, model), expected, "{effort:?} {model}");
        }
    }
}

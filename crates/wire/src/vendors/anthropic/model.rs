//! What a model takes, as data, read by the family and version in its name.
//!
//! <https://platform.claude.com/docs/en/about-claude/models/migration-guide>, as of 2026-11.

/// How a model can be made to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinking {
    /// Not at all.
    Never,
    /// Within a budget of tokens.
    Budget,
    /// As much as it sees fit, steered by an effort; a budget is taken too.
    Either,
    /// As much as it sees fit alone.
    Adaptive,
}

/// How thinking is turned off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Off {
    /// It is off unless it is asked for.
    Default,
    /// By this `type` of `thinking`; it is on unless that is said.
    By(&'static str),
    /// It cannot be.
    Never,
}

/// The parameters that depend on a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Abilities {
    pub thinking: Thinking,
    pub off: Off,
    /// Whether `output_config.effort` is known.
    pub effort: bool,
    /// Whether the effort `xhigh` is known.
    pub highest_effort: bool,
    /// Whether `temperature` and `top_p` exclude each other.
    pub one_sampling: bool,
    /// Whether any `temperature`, `top_p` and `top_k` is refused.
    pub fixed_sampling: bool,
    /// Whether there are structured outputs: formats of answers and strict tools.
    pub structured: bool,
    /// Whether a turn of the role `system` is taken.
    pub system_turns: bool,
    /// Whether a tool may be forced.
    pub forced_tools: bool,
    /// The most output tokens; the price list may know better.
    pub most_output: Option<u64>,
}

/// A model without a version in its name, such as one of another vendor behind the same API.
const UNKNOWN: Abilities = Abilities {
    thinking: Thinking::Budget,
    off: Off::Default,
    effort: false,
    highest_effort: false,
    one_sampling: false,
    fixed_sampling: false,
    structured: true,
    system_turns: false,
    forced_tools: true,
    most_output: None,
};

/// The same, asked in this API's own words, by a client that knows what it asks for.
const UNKNOWN_BUT_ASKED: Abilities =
    Abilities { thinking: Thinking::Either, effort: true, highest_effort: true, system_turns: true, ..UNKNOWN };

const OLDEST: Abilities =
    Abilities { thinking: Thinking::Never, structured: false, most_output: Some(4_096), ..UNKNOWN };
const V3_5: Abilities = Abilities { most_output: Some(8_192), ..OLDEST };
const V3_7: Abilities = Abilities { thinking: Thinking::Budget, most_output: Some(64_000), ..OLDEST };
const V4_OPUS: Abilities = Abilities { most_output: Some(32_000), ..V3_7 };
const V4_1: Abilities = Abilities { structured: true, one_sampling: true, ..V4_OPUS };
const V4_5: Abilities = Abilities { most_output: Some(64_000), ..V4_1 };
const V4_5_OPUS: Abilities = Abilities { effort: true, ..V4_5 };
const V4_6: Abilities = Abilities { thinking: Thinking::Either, effort: true, most_output: Some(128_000), ..V4_5 };
const V4_7: Abilities = Abilities { thinking: Thinking::Adaptive, fixed_sampling: true, highest_effort: true, ..V4_6 };
const V4_8: Abilities = Abilities { system_turns: true, ..V4_7 };
const V5: Abilities = Abilities { off: Off::By("disabled"), ..V4_8 };
const V5_5: Abilities = Abilities { off: Off::By("between_tools"), forced_tools: false, ..V5 };
const ALWAYS: Abilities = Abilities { off: Off::Never, ..V5_5 };

/// The abilities from a version of a family on (an empty name is any); the first row that fits counts.
const TABLE: [(&str, (u32, u32), Abilities); 16] = [
    ("opus", (5, 5), ALWAYS),
    ("fable", (5, 1), ALWAYS),
    ("mythos", (5, 1), ALWAYS),
    ("", (5, 5), V5_5),
    ("", (5, 0), V5),
    ("", (4, 8), V4_8),
    ("", (4, 7), V4_7),
    ("", (4, 6), V4_6),
    ("opus", (4, 5), V4_5_OPUS),
    ("", (4, 5), V4_5),
    ("opus", (4, 1), V4_1),
    ("opus", (4, 0), V4_OPUS),
    ("", (4, 0), V3_7),
    ("", (3, 7), V3_7),
    ("", (3, 5), V3_5),
    ("", (0, 0), OLDEST),
];

/// The abilities of a model; of one that is unknown, those that a client in this API's own words asks for.
pub(super) fn abilities(model: &str, is_explicit: bool) -> Abilities {
    let unknown = if is_explicit { UNKNOWN_BUT_ASKED } else { UNKNOWN };
    let Some(version) = version(model) else { return unknown };
    let row = TABLE.iter().find(|(family, from, _)| model.contains(family) && version >= *from);
    row.map_or(unknown, |(_, _, abilities)| *abilities)
}

/// Major and minor version: the first number after `claude`, and the one right behind it (eight digits are a date).
fn version(model: &str) -> Option<(u32, u32)> {
    let (_, name) = model.split_once("claude")?;
    let mut words = name.split(['-', '.', '@', ':', '_']).map(|word| word.parse().ok().filter(|number| *number < 1000));
    let major = words.find_map(|number| number)?;
    Some((major, words.next().flatten().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_names() {
        let cases = [
            ("claude-3-7-sonnet-20250219", Some((3, 7))),
            ("claude-3-haiku-20240307", Some((3, 0))),
            ("claude-sonnet-4-20250514", Some((4, 0))),
            ("claude-haiku-4-5-20251001", Some((4, 5))),
            ("claude-opus-4.6", Some((4, 6))),
            ("us.anthropic.claude-opus-4-7-v1:0", Some((4, 7))),
            ("claude-sonnet-5", Some((5, 0))),
            ("claude-x", None),
            ("gpt-4.1", None),
        ];
        for (model, expected) in cases {
            assert_eq!(version(model), expected, "{model}");
        }
    }

    #[test]
    fn every_model_has_its_abilities() {
        let cases = [
            ("claude-3-haiku-20240307", OLDEST),
            ("claude-3-5-haiku-20241022", V3_5),
            ("claude-3-7-sonnet-20250219", V3_7),
            ("claude-sonnet-4-20250514", V3_7),
            ("claude-opus-4-20250514", V4_OPUS),
            ("claude-opus-4-1-20250805", V4_1),
            ("claude-sonnet-4-5-20250929", V4_5),
            ("claude-opus-4-5", V4_5_OPUS),
            ("us.anthropic.claude-opus-4-6-v1:0", V4_6),
            ("claude-opus-4-7", V4_7),
            ("claude-opus-4-8", V4_8),
            ("claude-sonnet-5", V5),
            ("claude-fable-5", V5),
            ("claude-fable-5-1", ALWAYS),
            ("claude-opus-5-5", ALWAYS),
            ("claude-sonnet-5-5", V5_5),
            ("claude-x", UNKNOWN),
            ("deepseek-chat", UNKNOWN),
        ];
        for (model, expected) in cases {
            assert_eq!(abilities(model, false), expected, "{model}");
        }
        assert_eq!(abilities("claude-opus-4-1-20250805", true).most_output, Some(32_000));
    }
}

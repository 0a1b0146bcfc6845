//! What a model takes, read from the version in its name.

/// The parameters that depend on a model's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Abilities {
    /// From 4.6 on a model thinks as much as it sees fit, steered by `output_config.effort`; older ones take a budget.
    pub adaptive_thinking: bool,
    /// From 4.7 on any `temperature`, `top_p` or `top_k` is refused:
    /// <https://platform.claude.com/docs/en/about-claude/models/migration-guide>
    pub fixed_sampling: bool,
}

/// The abilities of a model; one without a version in its name is taken for an old one.
pub(super) fn abilities(model: &str) -> Abilities {
    let version = version(model).unwrap_or_default();
    Abilities { adaptive_thinking: version >= (4, 6), fixed_sampling: version >= (4, 7) }
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
        assert_eq!(abilities("claude-opus-4-6"), Abilities { adaptive_thinking: true, fixed_sampling: false });
        assert_eq!(abilities("claude-x"), Abilities { adaptive_thinking: false, fixed_sampling: false });
    }
}

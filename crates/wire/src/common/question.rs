//! What two conversations have in common that are to get the same answer.

use super::{BlockKind, Conversation, Identity, is_billing_line, without_billing_line};

/// Fields that change nothing in an answer: who asks, what is logged, and how the answer is kept and sent.
pub const WITHOUT_EFFECT: [&str; 8] = [
    "user",
    "safety_identifier",
    "metadata",
    "store",
    "stream",
    "stream_options",
    "prompt_cache_key",
    "prompt_cache_retention",
];

/// The conversation without what changes nothing in its answer: who asks, what is logged, how the answer is sent, and the
/// line that Claude Code writes anew for each request (J17).
pub fn asked(conversation: &Conversation) -> Conversation {
    let mut asked = conversation.clone();
    asked.identity = Identity::default();
    asked.metadata = None;
    (asked.stream, asked.include_usage) = (false, false);
    asked.echo.clear();
    asked.rest.retain(|(name, _)| !WITHOUT_EFFECT.contains(&name.as_str()));
    asked.rest.sort_by(|(one, _), (other, _)| one.cmp(other));
    if asked.rest.is_empty() {
        asked.rest_family = None;
    }
    asked.system.retain(|block| !matches!(&block.kind, BlockKind::Text { text, .. } if is_billing_line(text)));
    if let Some(BlockKind::Text { text, .. }) = asked.system.first_mut().map(|block| &mut block.kind) {
        let kept = without_billing_line(text);
        if kept.len() < text.len() {
            *text = kept.to_owned();
        }
    }
    asked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::JsonText;

    /// F2, J17: who asks, how the answer is sent, and the billing line do not make another question; all else does.
    #[test]
    fn f2_j17_what_has_no_effect_is_left_out() {
        let of = |cch: &str, stream: bool, rest: &[(&str, &str)]| {
            let line = format!("x-anthropic-billing-header: cc_version=2.1; cch={cch};\nYou are brief.");
            let rest = rest.iter().map(|(name, json)| ((*name).to_owned(), JsonText::parse(json).unwrap()));
            let identity = Identity { user: Some(cch.to_owned()), cache_key: None };
            let system = vec![BlockKind::text(line).into()];
            Conversation { system, identity, stream, rest: rest.collect(), ..Conversation::default() }
        };
        let one = asked(&of("a", false, &[("store", "true"), ("x", "1"), ("y", "2")]));
        assert_eq!(one, asked(&of("b", true, &[("y", "2"), ("x", "1")])));
        assert_ne!(one, asked(&of("a", false, &[("x", "1"), ("y", "3")])));
        assert_eq!(one.system[0].kind, BlockKind::text("You are brief."));
    }
}

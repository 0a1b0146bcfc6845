//! What stands in a request for one family of vendors alone, and must not reach another.

use super::{Conversation, Family};
use crate::BadRequest;

/// The line that Claude Code writes before its instructions; its hash changes with each request.
const BILLING_LINE: &str = "x-anthropic-billing-header:";

/// Fields of the Messages API without which a request would mean something else.
const ANTHROPIC_ONLY: [&str; 3] = ["container", "mcp_servers", "thread"];

/// Whether a text of the instructions is Claude Code's billing line and nothing else: it means nothing to another vendor
/// and ruins its prompt cache (J17), so that only Anthropic gets it.
pub fn is_billing_line(text: &str) -> bool {
    text.trim_start().starts_with(BILLING_LINE) && without_billing_line(text).is_empty()
}

/// The instructions without a billing line at their head.
pub fn without_billing_line(text: &str) -> &str {
    if !text.trim_start().starts_with(BILLING_LINE) {
        return text;
    }
    text.trim_start().split_once('\n').map_or("", |(_, rest)| rest.trim_start())
}

/// Refuses a request of the Messages API that only Anthropic can serve, for a vendor of another family.
///
/// # Errors
/// Where a field that cannot be left out has no counterpart; the message names it.
pub fn refuse_unportable(conversation: &Conversation) -> Result<(), BadRequest> {
    if conversation.rest_family != Some(Family::Anthropic) {
        return Ok(());
    }
    match conversation.rest.iter().find(|(name, _)| ANTHROPIC_ONLY.contains(&name.as_str())) {
        Some((name, _)) => {
            let message = format!("'{name}' is not supported by the provider of this model: leave it out.");
            Err(BadRequest::new(name.as_str(), message))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::JsonText;

    /// J17: the billing line is known in all the places where it stands.
    #[test]
    fn j17_the_billing_line_is_known() {
        let line = "x-anthropic-billing-header: cc_version=2.1.332.abc; cc_entrypoint=cli; cch=1a2b3;";
        assert!(is_billing_line(line) && is_billing_line(&format!("{line}\n")));
        assert!(!is_billing_line("You are Claude Code.") && !is_billing_line(&format!("{line}\nYou are.")));
        assert_eq!(without_billing_line(&format!("{line}\n\nYou are.")), "You are.");
        assert_eq!((without_billing_line(line), without_billing_line("x")), ("", "x"));
    }

    /// A thread that goes on at the vendor leaves its history out, so that no other vendor can answer.
    #[test]
    fn what_only_anthropic_can_serve_is_refused_elsewhere() {
        let raw = JsonText::parse(r#"{"type":"create"}"#).unwrap();
        let mut conversation = Conversation {
            rest: vec![("speed".to_owned(), raw.clone())],
            rest_family: Some(Family::Anthropic),
            ..Conversation::default()
        };
        assert_eq!(refuse_unportable(&conversation), Ok(()));
        conversation.rest.push(("thread".to_owned(), raw));
        assert_eq!(refuse_unportable(&conversation).unwrap_err().param.as_deref(), Some("thread"));
    }
}

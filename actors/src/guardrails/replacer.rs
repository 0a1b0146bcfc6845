//! What stands in the place of personal data.

use gateway_guard::pii::{self, PiiKind};
use gateway_guard::stream::Replacer;
use gateway_guard::tokens::Vault;

use super::policy::PiiActions;
use super::tally::Tally;

/// Puts what the policy wants in the place of personal data, and counts it.
pub(super) struct PolicyReplacer<'a> {
    pub actions: &'a PiiActions,
    pub tally: &'a mut Tally,
    /// What keeps the values that tokens stand for; none on the way back.
    pub vault: Option<&'a mut Vault>,
    /// Whether something was found that may not pass.
    pub is_denied: bool,
}

impl<'a> PolicyReplacer<'a> {
    pub fn new(actions: &'a PiiActions, tally: &'a mut Tally, vault: Option<&'a mut Vault>) -> Self {
        Self { actions, tally, vault, is_denied: false }
    }

    /// A whole text with what stands for its personal data; none where it has none. `cue` is the name of its field.
    pub fn replace_all(&mut self, text: &str, cue: &str) -> Option<String> {
        let escaped = self.vault.as_mut().map(|vault| {
            let mut out = String::with_capacity(text.len());
            vault.escape(text, &mut out);
            out
        });
        let text = escaped.as_deref().unwrap_or(text);
        let found = pii::find(text, self.actions.all, cue);
        if found.is_empty() {
            return escaped;
        }
        let (mut out, mut from) = (String::with_capacity(text.len()), 0);
        for finding in found {
            let (Some(before), Some(value)) = (text.get(from..finding.range.start), text.get(finding.range.clone()))
            else {
                continue;
            };
            out.push_str(before);
            self.replace(finding.kind, value, &mut out);
            from = finding.range.end;
        }
        out.push_str(text.get(from..).unwrap_or_default());
        Some(out)
    }
}

impl Replacer for PolicyReplacer<'_> {
    fn replace(&mut self, kind: PiiKind, value: &str, out: &mut String) {
        self.tally.saw(kind);
        if self.actions.deny.has(kind) {
            self.is_denied = true;
        } else if self.actions.redact.has(kind) {
            out.extend(["[", kind.as_str(), "_REDACTED]"]);
        } else if self.actions.tokenize.has(kind) {
            match &mut self.vault {
                Some(vault) => vault.replace(kind, value, out),
                None => out.extend(["[", kind.as_str(), "_REDACTED]"]),
            }
        } else {
            out.push_str(value);
        }
    }
}

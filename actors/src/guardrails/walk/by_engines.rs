//! Texts of a request as outside engines see them: what somebody says, without settings, numbers and names of fields.

use super::{Part, Place, Walk};
use crate::guardrails::Side;
use crate::guardrails::engines::{EngineText, Passed};

impl Walk<'_> {
    /// Has engines look at a text.
    pub(super) fn text_by_engines(&mut self, text: &mut String, name: &str, place: Place) {
        let Some(judging) = self.judging.as_deref_mut().filter(|_| place != Place::Words) else { return };
        let is_arguments = name == "arguments" && text.trim_start().starts_with(['{', '[']);
        let mut engines = EngineText {
            policy: self.policy,
            side: Side::Input,
            is_operators: self.part == Part::Operator,
            tally: &mut *self.tally,
            vault: self.vault.as_deref_mut(),
            judging,
        };
        if let Passed::Free(Some(told)) = engines.pass(text, is_arguments) {
            self.is_changed = true;
            *text = told;
        }
    }
}

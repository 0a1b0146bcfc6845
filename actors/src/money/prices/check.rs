//! What a row must be like before it may price anything.

use super::price::Price;

/// A field of a row that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct BadPrice {
    /// The field, as a path (`above[1].tokens`).
    pub field: String,
    /// What is wrong with it and what to write.
    pub problem: &'static str,
}

impl Price {
    /// Checks what the fields' types do not.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn validate(&self) -> Result<(), BadPrice> {
        let bad = |field: &str, problem| Err(BadPrice { field: field.to_owned(), problem });
        for (field, text) in [("provider", &self.provider), ("model", &self.model)] {
            if text.is_empty() || text.trim() != text {
                return bad(field, "must be a name without spaces around it");
            }
        }
        if self.provider.contains('*') {
            return bad("provider", "must be one provider: only `model` may be a pattern");
        }
        if self.source.trim().is_empty() {
            return bad("source", "must say where the figures are from");
        }
        if self.max_output_tokens == Some(0) {
            return bad("max_output_tokens", "must be at least 1; leave it out if it is not known");
        }
        let mut before = 0;
        for (at, above) in self.above.iter().enumerate() {
            if above.tokens <= before {
                return bad(&format!("above[{at}].tokens"), "must be above 0 and above the tier before it");
            }
            before = above.tokens;
        }
        Ok(())
    }
}

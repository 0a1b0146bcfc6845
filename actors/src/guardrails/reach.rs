//! What a check of requests reaches beside their usual texts: definitions of tools, and what is no text.

use serde_json::{Map, Value};

use super::rule::RuleError;
use super::{Check, Side};

/// What a check reaches beside the usual texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Whether what cannot be looked at, such as pictures, is denied.
    pub denies_media: bool,
    /// Whether definitions of tools are looked at.
    pub tools: bool,
}

impl Reach {
    /// The parameters that tell it.
    pub const PARAMETERS: [&'static str; 2] = ["media", "tools"];

    /// Reads the parameters of a check.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn read(parameters: &Map<String, Value>, side: Side) -> Result<Self, Vec<RuleError>> {
        let (mut reach, mut errors) = (Self::default(), Vec::new());
        match parameters.get("media").map(Value::as_str) {
            None | Some(Some("pass")) => {}
            Some(Some("deny")) => reach.denies_media = true,
            Some(_) => errors.push(RuleError::new("media", "must be 'deny' or 'pass'")),
        }
        match parameters.get("tools").map(Value::as_bool) {
            None => {}
            Some(Some(tools)) => reach.tools = tools,
            Some(None) => errors.push(RuleError::new("tools", "must be true or false")),
        }
        for name in Self::PARAMETERS.into_iter().filter(|name| side == Side::Output && parameters.contains_key(*name)) {
            errors.push(RuleError::new(name, "is for requests alone"));
        }
        if errors.is_empty() { Ok(reach) } else { Err(errors) }
    }

    /// Of a check that has been read.
    pub(super) fn of(check: &Check) -> Self {
        Self::read(&check.parameters, Side::Input).unwrap_or_default()
    }
}

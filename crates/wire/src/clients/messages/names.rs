//! The names of the client's tools, for those that a vendor knows under another.

use std::collections::HashMap;

use crate::common::tool_ids::{GEMINI_NAME, IdRule, TOOL_NAME};
use crate::common::{Conversation, ToolDefinition};

/// The client's names by the vendor's, as far as they differ.
#[derive(Debug, Default)]
pub(crate) struct Names(HashMap<String, String>);

impl Names {
    /// The names of a request's tools.
    pub fn of(conversation: &Conversation) -> Self {
        let mut names = HashMap::new();
        for tool in &conversation.tools {
            let ToolDefinition::Client { name, namespace, .. } = &tool.definition else { continue };
            let told = |rule: &IdRule| rule.name(namespace.as_deref(), name).into_owned();
            for told in [told(&TOOL_NAME), told(&GEMINI_NAME)] {
                if told != *name {
                    names.insert(told, name.clone());
                }
            }
        }
        Self(names)
    }

    /// The client's name of a tool.
    pub fn own<'a>(&'a self, told: &'a str) -> &'a str {
        self.0.get(told).map_or(told, String::as_str)
    }
}

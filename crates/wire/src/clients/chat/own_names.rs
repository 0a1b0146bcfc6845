//! The client's own names of tools, for those that a vendor knows by other names or as another kind.

use std::collections::HashMap;

use crate::common::tool_ids::{GEMINI_NAME, TOOL_NAME, flat_name};
use crate::common::{Conversation, ToolDefinition, ToolKind};

/// By the vendor's name.
#[derive(Debug, Default)]
pub(super) struct OwnNames(HashMap<String, (String, ToolKind)>);

impl OwnNames {
    /// Those of a request; most requests need none.
    pub fn of(conversation: &Conversation) -> Self {
        let mut names = HashMap::new();
        for tool in &conversation.tools {
            let ToolDefinition::Client { kind, name, namespace, .. } = &tool.definition else { continue };
            let namespace = namespace.as_deref();
            let told = [TOOL_NAME.name(namespace, name), GEMINI_NAME.name(namespace, name), flat_name(namespace, name)];
            for told in told {
                if *kind != ToolKind::Function || told != name.as_str() {
                    names.insert(told.into_owned(), (name.clone(), *kind));
                }
            }
        }
        Self(names)
    }

    /// The name and kind of the tool that a vendor called.
    pub fn find(&self, told: &str) -> Option<(&str, ToolKind)> {
        self.0.get(told).map(|(name, kind)| (name.as_str(), *kind))
    }
}

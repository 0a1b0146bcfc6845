//! The tools of a request, by the names under which vendors know them.

use std::collections::HashMap;

use crate::common::tool_ids::{GEMINI_NAME, TOOL_NAME, flat_name};
use crate::common::{Conversation, ToolDefinition, ToolKind, ToolUse};

/// A tool as the client knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Own {
    /// Its bare name.
    pub name: String,
    /// The namespace that it is in.
    pub namespace: Option<String>,
    /// The kind of its calls.
    pub kind: ToolKind,
}

/// Finds the client's tools by a vendor's names.
#[derive(Debug, Default)]
pub(super) struct Offered(HashMap<String, Own>);

impl Offered {
    /// The tools of a request.
    pub fn of(conversation: &Conversation) -> Self {
        let mut known = HashMap::with_capacity(conversation.tools.len());
        let tools = || conversation.tools.iter().filter_map(|tool| own(&tool.definition));
        for tool in tools() {
            known.entry(flat_name(tool.namespace.as_deref(), &tool.name).into_owned()).or_insert_with(|| tool.clone());
        }
        for tool in tools() {
            for rule in [TOOL_NAME, GEMINI_NAME] {
                let made = rule.name(tool.namespace.as_deref(), &tool.name).into_owned();
                known.entry(made).or_insert_with(|| tool.clone());
            }
        }
        Self(known)
    }

    /// The tool that a call means; the call's own words where the client offered no such tool.
    pub fn own(&self, call: &ToolUse) -> Own {
        let flat = flat_name(call.namespace.as_deref(), &call.name);
        let own = self.0.get(flat.as_ref()).cloned();
        own.unwrap_or_else(|| Own { name: call.name.clone(), namespace: call.namespace.clone(), kind: call.kind })
    }
}

fn own(definition: &ToolDefinition) -> Option<Own> {
    match definition {
        ToolDefinition::Client { kind, name, namespace, .. } => {
            Some(Own { name: name.clone(), namespace: namespace.clone(), kind: *kind })
        }
        ToolDefinition::Hosted { .. } => None,
    }
}

//! Requests as Codex sends them, by the family of the model's slug.

/// For slugs that it does not know.
pub(crate) const UNKNOWN_SLUG: &str = r#"{"model":"m","stream":true,"store":false,"include":["reasoning.encrypted_content"],
    "tool_choice":"auto","parallel_tool_calls":true,"prompt_cache_key":"t","client_metadata":{"x":"y"},
    "input":[{"type":"message","role":"developer","content":[{"type":"input_text","text":"rules"}]},
        {"type":"message","role":"user","content":[{"type":"input_text","text":"go"}]}],
    "tools":[{"type":"function","name":"exec_command","description":"runs","strict":false,
            "parameters":{"type":"object","properties":{"cmd":{"type":"string"}},"required":["cmd"]}},
        {"type":"namespace","name":"agents","description":"others","tools":[{"type":"function","name":"spawn",
            "description":"s","strict":false,"parameters":{"type":"object","properties":{}}}]},
        {"type":"web_search","external_web_access":false}]}"#;

/// For slugs of gpt-5.
pub(crate) const KNOWN_SLUG: &str = r#"{"model":"gpt-5.4","stream":true,"input":"go","text":{"verbosity":"low"},
    "reasoning":{"effort":"medium","summary":"auto"},
    "tools":[{"type":"custom","name":"apply_patch","description":"edits",
            "format":{"type":"grammar","syntax":"lark","definition":"start: x"}},
        {"type":"tool_search","execution":"client","description":"finds","parameters":{"type":"object","properties":{"query":{"type":"string"}}}},
        {"type":"local_shell"},{"type":"shell"},{"type":"apply_patch"}]}"#;

/// For the newest slugs.
pub(crate) const NEWEST_SLUG: &str = r#"{"model":"newest","stream":true,"parallel_tool_calls":false,
    "reasoning":{"effort":"high","context":"all_turns"},
    "input":[{"type":"additional_tools","role":"developer","tools":[
            {"type":"function","name":"exec_command","parameters":{"type":"object"},"strict":false},
            {"type":"custom","name":"apply_patch","format":{"type":"text"}},
            {"type":"namespace","name":"mcp__files__","description":"d","tools":[{"type":"function","name":"read","defer_loading":true}]}]},
        {"type":"message","role":"user","content":[{"type":"input_text","text":"go"}]}]}"#;

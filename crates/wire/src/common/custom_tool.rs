//! Tools that take any text, for vendors that only know functions: the text is a function's one argument.

use serde_json::{Map, Value, json};

use super::JsonText;

/// The one argument.
const INPUT: &str = "input";

/// The arguments of a function in whose place a call with this text stands.
pub fn custom_arguments(input: &str) -> String {
    json!({ INPUT: input }).to_string()
}

/// The text in the arguments that a model gave such a function. Models name the argument as they like, or give the bare
/// text.
pub fn custom_input(arguments: &str) -> String {
    let Ok(fields) = serde_json::from_str::<Map<String, Value>>(arguments) else { return arguments.to_owned() };
    let only = || fields.values().next().filter(|_| fields.len() == 1);
    let text = [INPUT, "patch"].iter().find_map(|name| fields.get(*name)).or_else(only).and_then(Value::as_str);
    text.map_or_else(|| if fields.is_empty() { String::new() } else { arguments.to_owned() }, str::to_owned)
}

/// The schema of such a function.
pub fn custom_schema() -> JsonText {
    json!({"type": "object", "properties": {INPUT: {"type": "string"}}, "required": [INPUT],
        "additionalProperties": false})
    .into()
}

/// The description of such a function; `format` is the tool's own, whose grammar is told in words.
pub fn custom_description(description: Option<&str>, format: Option<&JsonText>) -> Option<String> {
    let format = format.map(JsonText::value).unwrap_or_default();
    // Chat has the grammar's fields in an object of their own.
    let grammar = format.get("grammar").unwrap_or(&format);
    let Some(definition) = grammar.get("definition").and_then(Value::as_str) else {
        return description.map(str::to_owned);
    };
    let syntax = grammar.get("syntax").and_then(Value::as_str).unwrap_or("lark");
    let rule = format!("'{INPUT}' must follow this grammar ({syntax}):\n{definition}");
    Some(description.map_or_else(|| rule.clone(), |description| format!("{description}\n\n{rule}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// J10: the text of a custom tool survives the way through a function, whatever it holds.
    #[test]
    fn j10_texts_go_there_and_back() {
        for text in ["", "*** Begin Patch\n\"a\"\\", "{\"a\":1}", "ế😀"] {
            assert_eq!(custom_input(&custom_arguments(text)), text);
        }
        let cases = [
            (r#"{"patch":"p","explanation":"e"}"#, "p"),
            (r#"{"command":"c"}"#, "c"),
            ("*** Begin", "*** Begin"),
            (r#"{"a":"1","b":"2"}"#, r#"{"a":"1","b":"2"}"#),
            ("{}", ""),
            ("[1]", "[1]"),
        ];
        for (arguments, text) in cases {
            assert_eq!(custom_input(arguments), text, "{arguments}");
        }
    }

    #[test]
    fn j10_a_grammar_is_told_in_words() {
        let told = |format: Value| custom_description(Some("d"), Some(&format.into()));
        let grammar = json!({"syntax": "regex", "definition": "a+"});
        let words = Some("d\n\n'input' must follow this grammar (regex):\na+".to_owned());
        assert_eq!(told(json!({"type": "grammar", "syntax": "regex", "definition": "a+"})), words);
        assert_eq!(told(json!({"type": "grammar", "grammar": grammar})), words);
        assert_eq!(told(json!({"type": "text"})), Some("d".to_owned()));
        assert_eq!(custom_description(None, None), None);
    }
}

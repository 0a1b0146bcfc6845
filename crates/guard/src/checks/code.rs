//! `containsCode`: the text has a code block of a language.

use serde_json::json;

use super::params::{Params, bad};
use super::{BadCheck, Outcome};

/// Languages by the names that `format` has for them, with the words that open a code block.
const LANGUAGES: [(&str, &[&str]); 25] = [
    ("SQL", &["sql"]),
    ("Python", &["py", "python", "python3"]),
    ("TypeScript", &["ts", "typescript", "tsx"]),
    ("JavaScript", &["js", "javascript", "jsx"]),
    ("Java", &["java"]),
    ("C#", &["cs", "csharp", "c#"]),
    ("C++", &["cpp", "c++", "cxx"]),
    ("C", &["c"]),
    ("Ruby", &["rb", "ruby"]),
    ("PHP", &["php"]),
    ("Swift", &["swift"]),
    ("Kotlin", &["kt", "kotlin"]),
    ("Go", &["go", "golang"]),
    ("Rust", &["rs", "rust"]),
    ("Scala", &["scala"]),
    ("R", &["r"]),
    ("Perl", &["pl", "perl"]),
    ("Shell", &["sh", "shell", "bash", "zsh"]),
    ("HTML", &["html"]),
    ("CSS", &["css"]),
    ("XML", &["xml"]),
    ("JSON", &["json"]),
    ("YAML", &["yml", "yaml"]),
    ("Markdown", &["md", "markdown"]),
    ("Dockerfile", &["dockerfile"]),
];

pub(super) struct ContainsCode {
    format: &'static str,
    openers: &'static [&'static str],
}

impl ContainsCode {
    pub(super) fn read(params: &Params<'_>) -> Result<Self, BadCheck> {
        let wanted = params.required_text("format")?;
        let known = LANGUAGES.iter().find(|(format, _)| format.eq_ignore_ascii_case(wanted));
        let known = known.ok_or_else(|| {
            bad("format", format!("Must be one of: {}.", LANGUAGES.map(|(format, _)| format).join(", ")))
        });
        known.map(|(format, openers)| Self { format, openers })
    }

    pub(super) fn run(&self, text: &str) -> Outcome {
        let openers: Vec<String> = code_blocks(text).map(|(opener, _)| opener.to_ascii_lowercase()).collect();
        let found = openers.iter().filter(|opener| self.openers.contains(&opener.as_str())).count();
        let explanation =
            format!("The text has {found} code blocks in {}, of {} with a language.", self.format, openers.len());
        Outcome::new(found > 0, explanation, json!({"searchedFormat": self.format, "foundCount": found}))
    }
}

/// The closed code blocks that name a language: the language, and what stands inside.
pub(super) fn code_blocks(text: &str) -> impl Iterator<Item = (&str, &str)> {
    // Parts between fences: outside and inside take turns.
    let mut parts = text.split("```");
    parts.next();
    std::iter::from_fn(move || {
        let inside = parts.next()?;
        parts.next()?;
        Some(inside.split_once('\n').map(|(opener, inside)| (opener.trim(), inside)).unwrap_or(("", inside)))
    })
}

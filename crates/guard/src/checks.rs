//! Portkey's `default.*` checks that need no outside service.
//!
//! What a result tells never holds text of the user: it has counts, and what the configuration itself says.

mod code;
mod json;
mod open_start;
mod params;
mod patterns;
mod replace_guard;
mod request;
#[cfg(test)]
mod tests;
mod text;
mod transform;
mod urls;

use serde_json::{Map, Value, json};

pub use replace_guard::RegexReplaceGuard;
pub use transform::{AddPrefix, RegexReplace};

use params::Params;

/// A configuration that makes no check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadCheck {
    /// The parameter to blame, as a path below the parameters (`rules.metadata`); empty where it is the check's id.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// What a check looks at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// The text.
    pub text: &'a str,
    /// The model that was asked for.
    pub model: Option<&'a str>,
    /// The kind of request in Portkey's words (`chatComplete`, `embed`).
    pub request_type: Option<&'a str>,
    /// The request's metadata.
    pub metadata: Option<&'a Map<String, Value>>,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckResult {
    /// Whether it passed.
    pub verdict: bool,
    /// Why, for `hook_results`.
    pub data: Value,
    /// The text to use instead, where the check changed it.
    pub transformed: Option<String>,
    /// Why the check could not judge, in which case the verdict is false.
    pub error: Option<&'static str>,
}

/// A check with its parameters.
pub struct Check {
    id: &'static str,
    not: bool,
    kind: Kind,
}

enum Kind {
    RegexMatch(text::RegexMatch),
    Contains(text::Contains),
    Count(text::Count),
    Case(text::Case),
    EndsWith(text::EndsWith),
    NotNull,
    ContainsCode(code::ContainsCode),
    ValidUrls,
    JsonSchema(Box<json::JsonSchema>),
    JsonKeys(json::JsonKeys),
    Models(request::Models),
    RequestTypes(request::RequestTypes),
    MetadataKeys(request::MetadataKeys),
    RegexReplace(Box<RegexReplace>),
    AddPrefix(AddPrefix),
}

/// What a kind of check sees, before `not`.
struct Outcome {
    holds: Result<bool, &'static str>,
    /// One sentence.
    explanation: String,
    /// Further fields.
    details: Value,
    transformed: Option<String>,
}

impl Outcome {
    fn new(holds: bool, explanation: impl Into<String>, details: Value) -> Self {
        Self { holds: Ok(holds), explanation: explanation.into(), details, transformed: None }
    }

    fn error(message: &'static str) -> Self {
        Self { holds: Err(message), explanation: message.to_owned(), details: Value::Null, transformed: None }
    }
}

/// The ids of the checks, as Portkey spells them without `default.`.
pub const IDS: [&str; 19] = [
    "regexMatch",
    "contains",
    "wordCount",
    "sentenceCount",
    "characterCount",
    "alluppercase",
    "alllowercase",
    "endsWith",
    "notNull",
    "containsCode",
    "validUrls",
    "jsonSchema",
    "jsonKeys",
    "modelwhitelist",
    "modelRules",
    "allowedRequestTypes",
    "requiredMetadataKeys",
    "regexReplace",
    "addPrefix",
];

impl Check {
    /// Reads a check: `id` with or without `default.`, in any case; `parameters` as Portkey has them.
    pub fn from_json(id: &str, parameters: &Map<String, Value>) -> Result<Self, BadCheck> {
        let name = id.strip_prefix("default.").unwrap_or(id);
        let known = IDS.into_iter().find(|known| known.eq_ignore_ascii_case(name));
        let unknown = || {
            // A vector: LLVM takes 25 seconds over an array of so many strings.
            let ids: Vec<_> = IDS.iter().map(|id| format!("default.{id}")).collect();
            BadCheck { path: String::new(), message: format!("The check is unknown. Known are: {}.", ids.join(", ")) }
        };
        let id = known.ok_or_else(unknown)?;
        let params = Params::new(parameters);
        let kind = match id {
            "regexMatch" => Kind::RegexMatch(text::RegexMatch::read(&params)?),
            "contains" => Kind::Contains(text::Contains::read(&params)?),
            "wordCount" => Kind::Count(text::Count::read(text::Unit::Words, &params)?),
            "sentenceCount" => Kind::Count(text::Count::read(text::Unit::Sentences, &params)?),
            "characterCount" => Kind::Count(text::Count::read(text::Unit::Characters, &params)?),
            "alluppercase" => Kind::Case(text::Case::Upper),
            "alllowercase" => Kind::Case(text::Case::Lower),
            "endsWith" => Kind::EndsWith(text::EndsWith::read(&params)?),
            "notNull" => Kind::NotNull,
            "containsCode" => Kind::ContainsCode(code::ContainsCode::read(&params)?),
            "validUrls" => {
                params.flag("onlyDNS")?;
                Kind::ValidUrls
            }
            "jsonSchema" => Kind::JsonSchema(Box::new(json::JsonSchema::read(&params)?)),
            "jsonKeys" => Kind::JsonKeys(json::JsonKeys::read(&params)?),
            "modelwhitelist" => Kind::Models(request::Models::read_whitelist(&params)?),
            "modelRules" => Kind::Models(request::Models::read_rules(&params)?),
            "allowedRequestTypes" => Kind::RequestTypes(request::RequestTypes::read(&params)?),
            "requiredMetadataKeys" => Kind::MetadataKeys(request::MetadataKeys::read(&params)?),
            "regexReplace" => Kind::RegexReplace(Box::new(RegexReplace::read(&params)?)),
            "addPrefix" => Kind::AddPrefix(AddPrefix::read(&params)?),
            _ => return Err(unknown()),
        };
        Ok(Self { id, not: params.flag("not")?, kind })
    }

    /// The id without `default.`, as Portkey spells it.
    pub fn id(&self) -> &'static str {
        self.id
    }

    /// Runs the check.
    pub fn run(&self, subject: &Subject<'_>) -> CheckResult {
        let outcome = match &self.kind {
            Kind::RegexMatch(check) => check.run(subject.text),
            Kind::Contains(check) => check.run(subject.text),
            Kind::Count(check) => check.run(subject.text),
            Kind::Case(check) => check.run(subject.text),
            Kind::EndsWith(check) => check.run(subject.text),
            Kind::NotNull => text::not_null(subject.text),
            Kind::ContainsCode(check) => check.run(subject.text),
            Kind::ValidUrls => urls::run(subject.text),
            Kind::JsonSchema(check) => check.run(subject.text),
            Kind::JsonKeys(check) => check.run(subject.text),
            Kind::Models(check) => check.run(subject),
            Kind::RequestTypes(check) => check.run(subject),
            Kind::MetadataKeys(check) => check.run(subject),
            Kind::RegexReplace(check) => check.run(subject.text),
            Kind::AddPrefix(check) => check.run(subject.text),
        };
        let verdict = outcome.holds.is_ok_and(|holds| holds != self.not);
        let mut data = json!({"verdict": verdict, "not": self.not, "explanation": outcome.explanation});
        if let (Some(fields), Value::Object(details)) = (data.as_object_mut(), outcome.details) {
            fields.extend(details);
        }
        CheckResult { verdict, data, transformed: outcome.transformed, error: outcome.holds.err() }
    }

    /// Whether the check changes texts.
    pub fn is_transform(&self) -> bool {
        matches!(self.kind, Kind::RegexReplace(_) | Kind::AddPrefix(_))
    }

    /// Whether the check looks at the request alone and at no text.
    pub fn is_about_request(&self) -> bool {
        matches!(self.kind, Kind::Models(_) | Kind::RequestTypes(_) | Kind::MetadataKeys(_))
    }

    /// Whether it may change a stream: what it matches has at most [`RegexReplace::MAX_STREAM_MATCH_BYTES`]. True for
    /// checks that change nothing.
    pub fn is_bounded(&self) -> bool {
        match &self.kind {
            Kind::RegexReplace(replace) => replace.is_bounded(),
            Kind::AddPrefix(_) => false,
            _ => true,
        }
    }

    /// The replacement, of a `regexReplace`.
    pub fn regex_replace(&self) -> Option<&RegexReplace> {
        if let Kind::RegexReplace(replace) = &self.kind { Some(replace) } else { None }
    }

    /// The prefix, of an `addPrefix`.
    pub fn add_prefix(&self) -> Option<&AddPrefix> {
        if let Kind::AddPrefix(prefix) = &self.kind { Some(prefix) } else { None }
    }
}

impl std::fmt::Debug for Check {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Check").field("id", &self.id).field("not", &self.not).finish_non_exhaustive()
    }
}

//! Checks of what a text is.

use regex::Regex;
use serde_json::json;

use super::params::{Operator, Params, bad};
use super::{BadCheck, Outcome, patterns};

/// The highest count where the configuration gives none.
const DEFAULT_MAX_COUNT: u64 = 99_999;
const DEFAULT_MAX_CHARACTERS: u64 = 9_999_999;

/// `regexMatch`: the text matches a regular expression.
pub(super) struct RegexMatch {
    regex: Regex,
}

/// `contains`: the text contains any, all or none of some words.
pub(super) struct Contains {
    words: Vec<String>,
    operator: Operator,
}

/// What [`Count`] counts.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    Words,
    Sentences,
    Characters,
}

/// `wordCount`, `sentenceCount`, `characterCount`.
pub(super) struct Count {
    unit: Unit,
    min: u64,
    max: u64,
}

/// `alluppercase`, `alllowercase`.
#[derive(Clone, Copy)]
pub(super) enum Case {
    Upper,
    Lower,
}

/// `endsWith`: the text ends with a suffix, or with it and a full stop.
pub(super) struct EndsWith {
    suffix: String,
}

impl RegexMatch {
    pub(super) fn read(params: &Params<'_>) -> Result<Self, BadCheck> {
        Ok(Self { regex: patterns::compile(params.required_text("rule")?, "rule")? })
    }

    pub(super) fn run(&self, text: &str) -> Outcome {
        let holds = self.regex.is_match(text);
        let explanation = if holds { "The pattern matches the text." } else { "The pattern does not match the text." };
        Outcome::new(holds, explanation, json!({"regexPattern": self.regex.as_str()}))
    }
}

impl Contains {
    pub(super) fn read(params: &Params<'_>) -> Result<Self, BadCheck> {
        Ok(Self { words: params.required_texts("words")?, operator: params.operator()? })
    }

    pub(super) fn run(&self, text: &str) -> Outcome {
        let found = self.words.iter().filter(|word| text.contains(word.as_str())).count();
        let explanation = format!("The text contains {found} of {} words.", self.words.len());
        let details = json!({"operator": self.operator.as_str(), "foundCount": found});
        Outcome::new(self.operator.holds(found, self.words.len()), explanation, details)
    }
}

impl Unit {
    /// The noun, and the parameters with the bounds.
    fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Words => ("words", "minWords", "maxWords"),
            Self::Sentences => ("sentences", "minSentences", "maxSentences"),
            Self::Characters => ("characters", "minCharacters", "maxCharacters"),
        }
    }

    fn count(self, text: &str) -> usize {
        match self {
            Self::Words => text.split_whitespace().count(),
            Self::Sentences => text.bytes().filter(|byte| matches!(byte, b'.' | b'!' | b'?')).count(),
            Self::Characters => text.chars().count(),
        }
    }
}

impl Count {
    pub(super) fn read(unit: Unit, params: &Params<'_>) -> Result<Self, BadCheck> {
        let (_, min_name, max_name) = unit.names();
        let default_max = if matches!(unit, Unit::Characters) { DEFAULT_MAX_CHARACTERS } else { DEFAULT_MAX_COUNT };
        let (min, max) = (params.count(min_name, 0)?, params.count(max_name, default_max)?);
        if min > max {
            return Err(bad(min_name, format!("Must not be above `{max_name}`.")));
        }
        Ok(Self { unit, min, max })
    }

    pub(super) fn run(&self, text: &str) -> Outcome {
        let count = self.unit.count(text) as u64;
        let (noun, min_name, max_name) = self.unit.names();
        let holds = (self.min..=self.max).contains(&count);
        let place = if holds { "within" } else { "outside" };
        let explanation = format!("The text has {count} {noun}, which is {place} {} to {}.", self.min, self.max);
        Outcome::new(holds, explanation, json!({"count": count, min_name: self.min, max_name: self.max}))
    }
}

impl Case {
    pub(super) fn run(self, text: &str) -> Outcome {
        let (holds, name) = match self {
            Self::Upper => (text == text.to_uppercase(), "upper"),
            Self::Lower => (text == text.to_lowercase(), "lower"),
        };
        let is = if holds { "is" } else { "is not" };
        Outcome::new(holds, format!("The text {is} all in {name} case."), json!({}))
    }
}

impl EndsWith {
    pub(super) fn read(params: &Params<'_>) -> Result<Self, BadCheck> {
        Ok(Self { suffix: params.required_text("suffix")?.to_owned() })
    }

    pub(super) fn run(&self, text: &str) -> Outcome {
        let holds =
            text.ends_with(&self.suffix) || text.strip_suffix('.').is_some_and(|text| text.ends_with(&self.suffix));
        let ends = if holds { "ends" } else { "does not end" };
        Outcome::new(holds, format!("The text {ends} with the suffix."), json!({"suffix": self.suffix}))
    }
}

/// `notNull`: there is a text.
pub(super) fn not_null(text: &str) -> Outcome {
    let holds = !text.trim().is_empty();
    Outcome::new(holds, if holds { "There is a text." } else { "There is no text." }, json!({}))
}

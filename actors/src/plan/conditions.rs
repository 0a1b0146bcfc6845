//! Conditions on a request, in the manner of MongoDB's queries.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};

use super::choose::Context;
use super::fields::{Findings, join};

/// Bounds over all conditions of a config: each request that brings one has them compiled and evaluated.
const MOST_TERMS: usize = 256;
const MOST_REGEXES: usize = 32;

/// The most memory that one compiled regular expression may take, in bytes.
const LARGEST_REGEX: usize = 256 << 10;

/// The longest array or object of the body that is built to be compared; longer ones are compared as text.
const LARGEST_TREE: usize = 4096;

/// A condition, with its regular expressions compiled.
#[derive(Debug)]
pub(super) enum Condition {
    /// All of these hold.
    All(Vec<Condition>),
    /// One of these holds.
    Any(Vec<Condition>),
    /// A field passes all of these tests.
    Field(Field, Vec<Test>),
}

/// What is looked at.
#[derive(Debug)]
pub(super) enum Field {
    Metadata(String),
    Params(String),
    Pathname,
}

/// One test of a value.
#[derive(Debug)]
pub(super) enum Test {
    Equal(Value),
    NotEqual(Value),
    Greater(f64),
    GreaterOrEqual(f64),
    Less(f64),
    LessOrEqual(f64),
    In(Vec<Value>),
    NotIn(Vec<Value>),
    Matches(Regex),
}

impl Condition {
    /// Reads a query.
    pub fn read(query: &Value, path: &str, found: &mut Findings) -> Option<Self> {
        let Some(object) = query.as_object() else {
            found.error(path, "must be an object");
            return None;
        };
        let mut read = |(key, value): (&String, &Value)| {
            let path = join(path, key);
            match key.as_str() {
                "$and" => Self::read_list(value, &path, found).map(Self::All),
                "$or" => Self::read_list(value, &path, found).map(Self::Any),
                _ => {
                    let (field, tests) = (Field::read(key, &path, found), tests(value, &path, found));
                    Some(Self::Field(field?, tests?))
                }
            }
        };
        let all: Vec<Option<Self>> = object.iter().map(&mut read).collect();
        all.into_iter().collect::<Option<_>>().map(Self::All)
    }

    fn read_list(value: &Value, path: &str, found: &mut Findings) -> Option<Vec<Self>> {
        let Some(list) = value.as_array().filter(|list| !list.is_empty()) else {
            found.error(path, "must be an array of queries");
            return None;
        };
        let mut read = |(at, query)| Self::read(query, &format!("{path}[{at}]"), found);
        let queries: Vec<Option<Self>> = list.iter().enumerate().map(&mut read).collect();
        queries.into_iter().collect()
    }

    /// Whether the request fits.
    pub fn holds(&self, context: &Context<'_>) -> bool {
        match self {
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(context)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(context)),
            Self::Field(field, tests) => {
                let value = field.value(context);
                tests.iter().all(|test| test.passes(value.as_ref()))
            }
        }
    }
}

impl Field {
    fn read(key: &str, path: &str, found: &mut Findings) -> Option<Self> {
        match key.split_once('.') {
            Some(("metadata", name)) if !name.is_empty() => Some(Self::Metadata(name.to_owned())),
            Some(("params", name)) if !name.is_empty() => Some(Self::Params(name.to_owned())),
            Some(("url", "pathname")) => Some(Self::Pathname),
            _ => {
                found.error(path, "must be metadata.NAME, params.NAME, url.pathname, $and or $or");
                None
            }
        }
    }

    fn value(&self, context: &Context<'_>) -> Option<Value> {
        match self {
            Self::Metadata(name) => context.metadata.get(name).cloned(),
            Self::Params(name) => {
                let text = context.params.get(name).filter(|text| *text != "null")?;
                let is_long = text.len() > LARGEST_TREE && text.starts_with(['{', '[']);
                if is_long { Some(Value::from(text)) } else { serde_json::from_str(text).ok() }
            }
            Self::Pathname => Some(Value::from(context.pathname)),
        }
    }
}

fn tests(value: &Value, path: &str, found: &mut Findings) -> Option<Vec<Test>> {
    found.terms += 1;
    if found.terms > MOST_TERMS {
        found.error(path, format!("is one too many: a config may ask {MOST_TERMS} times for a field"));
        return None;
    }
    let operators: Option<&Map<String, Value>> =
        value.as_object().filter(|object| object.keys().any(|key| key.starts_with('$')));
    let Some(operators) = operators else { return Some(vec![Test::Equal(value.clone())]) };
    let tests: Vec<Option<Test>> =
        operators.iter().map(|(name, operand)| test(name, operand, &join(path, name), found)).collect();
    tests.into_iter().collect()
}

fn test(name: &str, operand: &Value, path: &str, found: &mut Findings) -> Option<Test> {
    let list = || operand.as_array().cloned();
    let (test, expected) = match name {
        "$eq" => (Some(Test::Equal(operand.clone())), ""),
        "$ne" => (Some(Test::NotEqual(operand.clone())), ""),
        "$gt" => (number(operand).map(Test::Greater), "a number"),
        "$gte" => (number(operand).map(Test::GreaterOrEqual), "a number"),
        "$lt" => (number(operand).map(Test::Less), "a number"),
        "$lte" => (number(operand).map(Test::LessOrEqual), "a number"),
        "$in" => (list().map(Test::In), "an array"),
        "$nin" => (list().map(Test::NotIn), "an array"),
        "$regex" => {
            found.regexes += 1;
            let compile = |text: &str| RegexBuilder::new(text).size_limit(LARGEST_REGEX).build().ok();
            let regex = operand.as_str().filter(|_| found.regexes <= MOST_REGEXES).and_then(compile);
            (
                regex.map(Test::Matches),
                "a small regular expression without look-around and back-references, of 32 at most",
            )
        }
        _ => (None, "one of $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $regex"),
    };
    if test.is_none() {
        found.error(path, format!("must be {expected}"));
    }
    test
}

impl Test {
    fn passes(&self, value: Option<&Value>) -> bool {
        let compare = |holds: &dyn Fn(f64) -> bool| value.and_then(number).is_some_and(holds);
        match self {
            Self::Equal(wanted) => is(value, wanted),
            Self::NotEqual(unwanted) => !is(value, unwanted),
            Self::Greater(bound) => compare(&|number| number > *bound),
            Self::GreaterOrEqual(bound) => compare(&|number| number >= *bound),
            Self::Less(bound) => compare(&|number| number < *bound),
            Self::LessOrEqual(bound) => compare(&|number| number <= *bound),
            Self::In(wanted) => wanted.iter().any(|wanted| is(value, wanted)),
            Self::NotIn(unwanted) => !unwanted.iter().any(|unwanted| is(value, unwanted)),
            Self::Matches(regex) => value.is_some_and(|value| regex.is_match(&scalar_text(value))),
        }
    }
}

/// Equality, where a number equals its text, since metadata carries numbers as text; an absent value equals null alone.
fn is(value: Option<&Value>, wanted: &Value) -> bool {
    let Some(value) = value else { return wanted.is_null() };
    if (value.is_number() || wanted.is_number())
        && let (Some(value), Some(wanted)) = (number(value), number(wanted))
    {
        return value == wanted;
    }
    value == wanted || scalar_text(value) == scalar_text(wanted)
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|number| number.is_finite())
}

/// A value as text, without the quotes of a string.
pub(super) fn scalar_text(value: &Value) -> Cow<'_, str> {
    value.as_str().map_or_else(|| Cow::Owned(value.to_string()), Cow::Borrowed)
}

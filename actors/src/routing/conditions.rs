//! Conditions on a request, in the manner of MongoDB's queries.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};

use super::choose::PlanContext;
use super::fields::{Findings, join};

/// Bounds over all conditions of a config: each request that brings one has them compiled and evaluated.
const MAX_TERMS: usize = 256;
const MAX_REGEXES: usize = 32;

/// Sizes that a compiled regular expression may have, in bytes: what does not fit the last one is refused.
const REGEX_SIZES: [usize; 4] = [8 << 10, 32 << 10, 128 << 10, 256 << 10];

/// The most memory that all compiled regular expressions of a config may take, in bytes.
const MAX_REGEX_BYTES: usize = 512 << 10;

/// The most memory that one of them may take for each thread that uses it, in bytes.
const MAX_DFA_BYTES: usize = 64 << 10;

/// The longest beginning of a text that a regular expression looks at, in bytes: of a longer text it sees its first 8 KiB
/// alone, where the text counts as ended. Matching runs on the thread that serves other requests.
const MAX_MATCHED: usize = 8 << 10;

/// The longest text that may be a number.
const MAX_NUMBER_BYTES: usize = 64;

/// The longest array or object of the body that is built to be compared; longer ones are compared as text.
const MAX_TREE_BYTES: usize = 4096;

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
    pub fn holds(&self, request: &Subjects<'_>) -> bool {
        match self {
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(request)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(request)),
            Self::Field(field, tests) => {
                let value = request.value(field);
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
}

/// What conditions look at in one request; each field of the body is read once, however often it is asked for.
pub(super) struct Subjects<'a> {
    context: &'a PlanContext<'a>,
    params: RefCell<HashMap<String, Option<Subject<'a>>>>,
}

/// A value; long arrays and objects of the body stay text.
#[derive(Clone)]
enum Subject<'a> {
    Tree(Rc<Value>),
    Text(&'a str),
}

impl<'a> Subjects<'a> {
    /// What this request has.
    pub fn new(context: &'a PlanContext<'a>) -> Self {
        Self { context, params: RefCell::default() }
    }

    /// The request itself.
    pub fn context(&self) -> &'a PlanContext<'a> {
        self.context
    }

    fn value(&self, field: &Field) -> Option<Subject<'a>> {
        match field {
            Field::Metadata(name) => self.context.metadata.get(name).cloned().map(Rc::new).map(Subject::Tree),
            Field::Pathname => Some(Subject::Text(self.context.pathname)),
            Field::Params(name) => {
                if let Some(known) = self.params.borrow().get(name) {
                    return known.clone();
                }
                let value = self.param(name);
                self.params.borrow_mut().insert(name.clone(), value.clone());
                value
            }
        }
    }

    fn param(&self, name: &str) -> Option<Subject<'a>> {
        let text = self.context.params.get(name).filter(|text| *text != "null")?;
        let is_long = text.len() > MAX_TREE_BYTES && text.starts_with(['{', '[']);
        if is_long {
            Some(Subject::Text(text))
        } else {
            serde_json::from_str(text).ok().map(Rc::new).map(Subject::Tree)
        }
    }
}

impl Subject<'_> {
    fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Tree(value) => scalar_text(value),
            Self::Text(text) => Cow::Borrowed(text),
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Tree(value) => number(value),
            Self::Text(text) => parsed(text),
        }
    }

    /// Equality, where a number equals its text, since metadata carries numbers as text.
    fn is(&self, wanted: &Value) -> bool {
        let is_number = matches!(self, Self::Tree(value) if value.is_number());
        if (is_number || wanted.is_number())
            && let (Some(value), Some(wanted)) = (self.number(), number(wanted))
        {
            return value == wanted;
        }
        matches!(self, Self::Tree(value) if **value == *wanted) || self.text() == scalar_text(wanted)
    }
}

fn tests(value: &Value, path: &str, found: &mut Findings) -> Option<Vec<Test>> {
    found.terms += 1;
    if found.terms > MAX_TERMS {
        found.error(path, format!("exceeds the limit: a config may test fields at most {MAX_TERMS} times"));
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
            let text = operand.as_str().filter(|_| found.regexes <= MAX_REGEXES);
            let regex = text.and_then(|text| compile(text, &mut found.regex_bytes));
            (
                regex.map(Test::Matches),
                "a small regular expression without look-around and back-references, of 32 at most, which together take \
                 512 KiB at most",
            )
        }
        _ => (None, "one of $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $regex"),
    };
    if test.is_none() {
        found.error(path, format!("must be {expected}"));
    }
    test
}

/// A regular expression. `taken` is what those of the config take so far, in bytes, rounded up to a size that it fits.
fn compile(text: &str, taken: &mut usize) -> Option<Regex> {
    let left = MAX_REGEX_BYTES.saturating_sub(*taken);
    let (size, regex) = REGEX_SIZES.into_iter().filter(|size| *size <= left).find_map(|size| {
        let built = RegexBuilder::new(text).size_limit(size).dfa_size_limit(MAX_DFA_BYTES).build();
        built.ok().map(|regex| (size, regex))
    })?;
    *taken += size;
    Some(regex)
}

impl Test {
    fn passes(&self, value: Option<&Subject<'_>>) -> bool {
        let compare = |holds: &dyn Fn(f64) -> bool| value.and_then(Subject::number).is_some_and(holds);
        match self {
            Self::Equal(wanted) => is(value, wanted),
            Self::NotEqual(unwanted) => !is(value, unwanted),
            Self::Greater(bound) => compare(&|number| number > *bound),
            Self::GreaterOrEqual(bound) => compare(&|number| number >= *bound),
            Self::Less(bound) => compare(&|number| number < *bound),
            Self::LessOrEqual(bound) => compare(&|number| number <= *bound),
            Self::In(wanted) => wanted.iter().any(|wanted| is(value, wanted)),
            Self::NotIn(unwanted) => !unwanted.iter().any(|unwanted| is(value, unwanted)),
            Self::Matches(regex) => value.is_some_and(|value| regex.is_match(beginning(&value.text()))),
        }
    }
}

/// An absent value equals null alone.
fn is(value: Option<&Subject<'_>>, wanted: &Value) -> bool {
    value.map_or_else(|| wanted.is_null(), |value| value.is(wanted))
}

/// As much of a text as a regular expression looks at.
fn beginning(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_MATCHED)).unwrap_or(text)
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| parsed(value.as_str()?)).filter(|number| number.is_finite())
}

/// No number is longer; a long text is not even trimmed.
fn parsed(text: &str) -> Option<f64> {
    if text.len() > MAX_NUMBER_BYTES {
        None
    } else {
        text.trim().parse().ok().filter(|number: &f64| number.is_finite())
    }
}

/// A value as text, without the quotes of a string.
pub(super) fn scalar_text(value: &Value) -> Cow<'_, str> {
    value.as_str().map_or_else(|| Cow::Owned(value.to_string()), Cow::Borrowed)
}

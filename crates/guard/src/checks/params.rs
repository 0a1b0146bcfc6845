//! Parameters of a check, read with a complaint that names the path.

use serde_json::{Map, Value};

use super::BadCheck;

/// Which of some things must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Any,
    All,
    None,
}

/// The parameters of a check.
pub(super) struct Params<'a>(&'a Map<String, Value>);

pub(super) fn bad(path: impl Into<String>, message: impl Into<String>) -> BadCheck {
    BadCheck { path: path.into(), message: message.into() }
}

impl<'a> Params<'a> {
    pub(super) fn new(parameters: &'a Map<String, Value>) -> Self {
        Self(parameters)
    }

    /// A parameter that is there and not null.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn required(&self, name: &str) -> Result<&'a Value, BadCheck> {
        self.get(name).ok_or_else(|| bad(name, "The parameter is missing."))
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, BadCheck> {
        self.flag_or(name, false)
    }

    pub(super) fn flag_or(&self, name: &str, default: bool) -> Result<bool, BadCheck> {
        self.get(name).map_or(Ok(default), |value| value.as_bool().ok_or_else(|| bad(name, "Must be true or false.")))
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, BadCheck> {
        self.get(name).map(|value| value.as_str().ok_or_else(|| bad(name, "Must be a string."))).transpose()
    }

    /// A string that is not empty.
    pub(super) fn required_text(&self, name: &str) -> Result<&'a str, BadCheck> {
        self.required(name)?;
        self.text(name)?.filter(|text| !text.is_empty()).ok_or_else(|| bad(name, "Must not be empty."))
    }

    /// A whole number.
    pub(super) fn count(&self, name: &str, default: u64) -> Result<u64, BadCheck> {
        let read = |value: &Value| {
            value.as_u64().or_else(|| value.as_f64().filter(|n| n.fract() == 0.0 && *n >= 0.0).map(|n| n as u64))
        };
        self.get(name)
            .map_or(Ok(default), |value| read(value).ok_or_else(|| bad(name, "Must be a whole number from 0 on.")))
    }

    /// A list of strings that is not empty.
    pub(super) fn required_texts(&self, name: &str) -> Result<Vec<String>, BadCheck> {
        texts(self.required(name)?, name)
    }

    pub(super) fn operator(&self) -> Result<Operator, BadCheck> {
        match self.required("operator")?.as_str() {
            Some("any") => Ok(Operator::Any),
            Some("all") => Ok(Operator::All),
            Some("none") => Ok(Operator::None),
            _ => Err(bad("operator", "Must be `any`, `all` or `none`.")),
        }
    }
}

impl Operator {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::All => "all",
            Self::None => "none",
        }
    }

    /// Whether `found` of `wanted` things are right.
    pub(super) fn holds(self, found: usize, wanted: usize) -> bool {
        match self {
            Self::Any => found > 0,
            Self::All => found == wanted,
            Self::None => found == 0,
        }
    }
}

/// A list of strings that is not empty.
pub(super) fn texts(value: &Value, path: &str) -> Result<Vec<String>, BadCheck> {
    let items = value.as_array().filter(|items| !items.is_empty());
    let items = items.ok_or_else(|| bad(path, "Must be a list of strings that is not empty."))?;
    let item = |(number, item): (usize, &Value)| {
        let text = item.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        text.ok_or_else(|| bad(format!("{path}[{number}]"), "Must be a string that is not empty."))
    };
    items.iter().enumerate().map(item).collect()
}

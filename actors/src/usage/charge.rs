//! Whose spend a request adds to.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::json_line::{JsonLine, key};
use crate::scope::Scope;

/// Where the cost of a request is added up: once for the key, its user and its team, limit or not.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Charge {
    /// Whose spend it is.
    pub scope: Scope,
    /// The name of the stretch of time that the request began in (B6).
    pub period: Arc<str>,
}

impl Charge {
    /// Adds it to a list, as its `Deserialize` reads it.
    pub(super) fn write(&self, line: &mut JsonLine) {
        line.begin("", '{');
        line.begin(key!("scope"), '{');
        line.word(key!("kind"), self.scope.kind.as_str());
        line.text(key!("id"), &self.scope.id);
        line.end('}');
        line.text(key!("period"), &self.period);
        line.end('}');
    }
}

//! Regular expressions of a configuration: of a linear-time engine, and of bounded size.

use regex::{Regex, RegexBuilder};

use super::BadCheck;
use super::params::bad;

/// The compiled size of an expression, and of its cache.
const MAX_COMPILED_BYTES: usize = 1 << 20;
/// Levels of groups.
const MAX_NESTING: u32 = 50;

pub(super) fn compile(rule: &str, path: &str) -> Result<Regex, BadCheck> {
    let mut builder = RegexBuilder::new(rule);
    builder.size_limit(MAX_COMPILED_BYTES).dfa_size_limit(MAX_COMPILED_BYTES).nest_limit(MAX_NESTING);
    builder.build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => bad(path, "The regular expression is too large: use smaller repetitions."),
        _ => bad(
            path,
            "Not a regular expression that runs in linear time: it has an error, a look-around or a back-reference.",
        ),
    })
}

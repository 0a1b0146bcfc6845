//! What names and ids may be: one check for every route, since what one takes another must be able to name.

use super::AdminError;

/// The most characters of a name or an id.
const MAX_CHARS: usize = 200;

/// The most characters of a remark, such as where a price was read.
const MAX_REMARK_CHARS: usize = 1_000;

/// Refuses what is no name: nothing, control characters, more than 200 characters.
pub(super) fn check_text(field: &str, text: &str) -> Result<(), AdminError> {
    check(field, text, MAX_CHARS)
}

/// As [`check_text`], for longer texts.
pub(super) fn check_remark(field: &str, text: &str) -> Result<(), AdminError> {
    check(field, text, MAX_REMARK_CHARS)
}

fn check(field: &str, text: &str, most: usize) -> Result<(), AdminError> {
    let problem = if text.trim().is_empty() {
        "must not be empty".to_owned()
    } else if text.chars().count() > most {
        format!("must not be longer than {most} characters")
    } else if text.chars().any(char::is_control) {
        "must not contain control characters".to_owned()
    } else {
        return Ok(());
    };
    Err(AdminError::bad_field(field, problem))
}

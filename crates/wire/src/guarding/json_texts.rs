//! The texts of a JSON value whose form nobody knows.

use serde_json::Value;

use super::{AnswerGuard, TextPlace};
use crate::ErrorBody;

/// Fields that hold no words.
const WORDLESS: [&str; 18] = [
    "call_id",
    "cache_control",
    "data",
    "encrypted_content",
    "encrypted_index",
    "expires_at",
    "file_id",
    "format",
    "id",
    "index",
    "media_type",
    "name",
    "role",
    "signature",
    "status",
    "tool_use_id",
    "type",
    "url",
];

/// Visits every text below a value, with the path of fields that leads to it.
pub(super) fn visit(
    value: &mut Value,
    path: &mut String,
    see: &mut dyn FnMut(&str, &mut String) -> Result<(), ErrorBody>,
) -> Result<(), ErrorBody> {
    match value {
        Value::String(text) => see(path, text),
        Value::Array(items) => items.iter_mut().try_for_each(|item| visit(item, path, see)),
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut().filter(|(name, _)| !WORDLESS.contains(&name.as_str())) {
                let length = path.len();
                path.push('.');
                path.push_str(name);
                let seen = visit(value, path, see);
                path.truncate(length);
                seen?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Guards every text below a value as a whole; gives whether any came out another.
pub(super) fn guard_all(value: &mut Value, guard: &mut dyn AnswerGuard, place: TextPlace) -> Result<bool, ErrorBody> {
    let mut is_altered = false;
    visit(value, &mut String::new(), &mut |_, text| {
        let told = super::whole(guard, place, text)?;
        is_altered |= told != *text;
        *text = told;
        Ok(())
    })?;
    Ok(is_altered)
}

//! The paths of `drop_params`: `logprobs`, `messages[*].name`, `metadata["a.b"]`.

use serde_json::Value;

/// A path as its names, indices and stars; `None` where it is none.
pub(crate) fn segments(path: &str) -> Option<Vec<String>> {
    let mut segments = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let (segment, after) = if let Some(inner) = rest.strip_prefix('[') {
            bracketed(inner)?
        } else {
            // A dot stands before every name but the first.
            let name = if segments.is_empty() { rest } else { rest.strip_prefix('.')? };
            name.split_at(name.find(['.', '[']).unwrap_or(name.len()))
        };
        if segment.is_empty() {
            return None;
        }
        segments.push(segment.to_owned());
        rest = after;
    }
    (!segments.is_empty()).then_some(segments)
}

/// What stands in brackets, and what follows them.
fn bracketed(inner: &str) -> Option<(&str, &str)> {
    for quote in ['"', '\''] {
        if let Some(quoted) = inner.strip_prefix(quote) {
            let (name, after) = quoted.split_once(quote)?;
            return Some((name, after.strip_prefix(']')?));
        }
    }
    inner.split_once(']')
}

/// Takes out what the path names; tells whether there was anything.
pub(super) fn remove(value: &mut Value, path: &[String]) -> bool {
    let Some((name, rest)) = path.split_first() else { return false };
    match value {
        Value::Object(object) if name == "*" => {
            if !rest.is_empty() {
                return remove_in_each(object.values_mut(), rest);
            }
            let any = !object.is_empty();
            object.clear();
            any
        }
        Value::Object(object) if rest.is_empty() => object.shift_remove(name).is_some(),
        Value::Object(object) => object.get_mut(name).is_some_and(|inner| remove(inner, rest)),
        Value::Array(items) if name == "*" => {
            if !rest.is_empty() {
                return remove_in_each(items.iter_mut(), rest);
            }
            let any = !items.is_empty();
            items.clear();
            any
        }
        Value::Array(items) => match name.parse::<usize>() {
            Ok(at) if at < items.len() && rest.is_empty() => {
                items.remove(at);
                true
            }
            Ok(at) => items.get_mut(at).is_some_and(|inner| remove(inner, rest)),
            Err(_) => false,
        },
        _ => false,
    }
}

fn remove_in_each<'a>(values: impl Iterator<Item = &'a mut Value>, path: &[String]) -> bool {
    let mut any = false;
    for value in values {
        any |= remove(value, path);
    }
    any
}

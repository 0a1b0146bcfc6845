//! Reading of fields, with complaints that name them.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::BadRequest;
use crate::json_object::JsonObject;

/// A field of a request; null counts as absent.
///
/// # Errors
/// Where it is not `what` it must be.
pub(super) fn field<'a, T: Deserialize<'a>>(
    body: &'a JsonObject,
    name: &str,
    what: &str,
) -> Result<Option<T>, BadRequest> {
    body.read(name).map_err(|_| BadRequest::new(name, format!("'{name}' must be {what}.")))
}

/// A field that is there and not null, as it stands.
pub(super) fn present<'a>(body: &'a JsonObject, name: &str) -> Option<&'a str> {
    body.get(name).filter(|text| *text != "null")
}

/// The values of a list.
///
/// # Errors
/// Where the text is no list.
pub(super) fn raw_list<'a>(text: &'a str, path: &str) -> Result<Vec<&'a RawValue>, BadRequest> {
    serde_json::from_str(text).map_err(|_| BadRequest::new(path, format!("'{path}' must be an array.")))
}

/// An object.
///
/// # Errors
/// Where the text is none, or has a field of another type.
pub(super) fn object<'a, T: Deserialize<'a>>(text: &'a str, path: &str) -> Result<T, BadRequest> {
    let is_object = text.trim_start().starts_with('{');
    let read =
        if is_object { serde_json::from_str(text).map_err(|error| error.to_string()) } else { Err(String::new()) };
    read.map_err(|error| {
        let about = if error.is_empty() { ".".to_owned() } else { format!(": {error}.") };
        BadRequest::new(path, format!("'{path}' is not an object of its kind{about}"))
    })
}

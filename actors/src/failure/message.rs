//! What a client is told of a failed attempt.

use std::time::Duration;

use gateway_wire::ErrorBody;
use serde_json::{Map, Value};

use crate::failure::FailureKind;
use crate::secret::Secret;

/// A provider's error without the credential that it got, which some repeat (H1), and with a message and a type.
pub fn redacted(mut error: ErrorBody, credential: Option<&Secret>) -> ErrorBody {
    if let Some(credential) = credential.map(Secret::expose).filter(|text| !text.is_empty()) {
        let hide = |text: &mut String| *text = text.replace(credential, "***");
        hide(&mut error.message);
        hide(&mut error.kind);
        error.code.as_mut().map(hide);
        error.param.as_mut().map(hide);
        if let Some(vendor_fields) = &mut error.vendor_fields {
            hide_in(&mut vendor_fields.fields, credential);
        }
    }
    if error.message.is_empty() {
        "The provider told an error without a message.".clone_into(&mut error.message);
    }
    if error.kind.is_empty() {
        error.kind = "api_error".to_owned();
    }
    error
}

fn hide_in(fields: &mut Map<String, Value>, credential: &str) {
    fields.retain(|name, _| !name.contains(credential));
    fields.values_mut().for_each(|value| hide_in_value(value, credential));
}

fn hide_in_value(value: &mut Value, credential: &str) {
    match value {
        Value::String(text) if text.contains(credential) => *text = text.replace(credential, "***"),
        Value::Array(items) => items.iter_mut().for_each(|item| hide_in_value(item, credential)),
        Value::Object(fields) => hide_in(fields, credential),
        _ => {}
    }
}

/// What a client is told of a failure that came without a message of the provider's.
pub fn explain(kind: FailureKind, provider: &str, request_timeout: Option<Duration>) -> ErrorBody {
    let row = kind.row();
    let limit = request_timeout.unwrap_or_default().as_millis();
    let message = row.message.replace("{limit}", &limit.to_string()).replace("{status}", &row.status.to_string());
    ErrorBody::new(row.error_type, row.code, message.replace("{provider}", provider))
}

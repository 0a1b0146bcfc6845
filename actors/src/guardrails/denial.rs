//! What a client is told of a request or an answer that guardrails refuse.

use gateway_wire::{ErrorBody, VendorErrorFields};
use serde_json::Value;

/// The class of the error, which is Portkey's.
pub const DENIED: &str = "hooks_failed";

const MESSAGE: &str = "The guardrail checks defined in the config failed. You can find more information in the \
                       `hook_results` object.";

/// The error, with the results in it; trying again changes nothing.
pub fn denial(hook_results: Value) -> ErrorBody {
    let mut told = VendorErrorFields { should_retry: Some(false), ..VendorErrorFields::default() };
    told.fields.insert("hook_results".to_owned(), hook_results);
    ErrorBody {
        message: MESSAGE.to_owned(),
        kind: DENIED.to_owned(),
        param: None,
        code: None,
        vendor_fields: Some(Box::new(told)),
    }
}

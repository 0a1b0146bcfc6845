//! Errors in OpenAI's shape, with what else a vendor tells of them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The inner object of an OpenAI error answer: `{"error": {…}}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct ErrorBody {
    /// What happened and what to do about it.
    pub message: String,
    /// The class of the error, such as `invalid_request_error`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The request field to blame.
    pub param: Option<String>,
    /// A word for programs, such as `model_not_found`.
    pub code: Option<String>,
    /// What else the vendor tells.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub vendor_fields: Option<Box<VendorErrorFields>>,
}

/// What a vendor tells of an error beside the fields of OpenAI's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct VendorErrorFields {
    /// Its other fields, such as Azure's `innererror`.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
    /// Its word on whether to try again (`x-should-retry`).
    #[serde(skip)]
    pub should_retry: Option<bool>,
}

impl ErrorBody {
    /// An error without a field to blame.
    pub fn new(kind: &str, code: &str, message: impl Into<String>) -> Self {
        let (kind, code) = (kind.to_owned(), Some(code.to_owned()));
        Self { message: message.into(), kind, param: None, code, vendor_fields: None }
    }
}

//! A chat request in the common form.

mod assistant;
mod messages;
mod parameters;
mod parts;
mod tools;

use std::borrow::Cow;

use super::fields::Fields;
use crate::BadRequest;
use crate::common::Conversation;
use crate::json_object::JsonObject;
use crate::surrogates::replace_lone;

pub(crate) use assistant::{arranged, reasoning_block, signature_in, thought_signature};
pub(crate) use parameters::TYPED;

/// Reads a request.
pub(super) fn read(body: &JsonObject) -> Result<Conversation, BadRequest> {
    let repaired;
    let body = match replace_lone(body.text()) {
        Cow::Borrowed(_) => body,
        Cow::Owned(text) => {
            repaired = JsonObject::parse(text.into()).map_err(|error| BadRequest {
                param: None,
                message: format!("The request body is not valid JSON: {error}."),
            })?;
            &repaired
        }
    };
    let fields = Fields::of_body(body);
    let mut conversation = Conversation { rest_family: Some(super::FAMILY), ..Conversation::default() };
    messages::read(&fields, &mut conversation)?;
    tools::read(&fields, &mut conversation)?;
    parameters::read(&fields, &mut conversation)?;
    Ok(conversation)
}

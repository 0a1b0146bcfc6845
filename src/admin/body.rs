//! Reads a JSON body field by field, so that every complaint names its field.

use std::collections::BTreeMap;

use actix_web::Error;
use actix_web::web::Bytes;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::{AdminError, MAX_BODY};

/// The whole body, if it came.
pub(super) fn whole(body: Result<Bytes, Error>) -> Result<Bytes, AdminError> {
    body.map_err(|e| match e.as_response_error().status_code().as_u16() {
        413 => AdminError::too_large(MAX_BODY),
        _ => AdminError::bad_json("The body could not be read whole."),
    })
}

/// The fields of a body that were not taken yet. The content type is not looked at: `curl -d` sends a form's.
pub(super) struct Fields(BTreeMap<String, Box<RawValue>>);

impl Fields {
    /// Reads the top level of an object.
    pub(super) fn parse(body: &Bytes) -> Result<Self, AdminError> {
        let fields = serde_json::from_slice(body).map_err(|e| {
            // Only the place: the parser's own words may repeat a credential.
            let place = format!("line {}, column {}", e.line(), e.column());
            AdminError::bad_json(format!("The body must be one JSON object: see {place}."))
        })?;
        Ok(Self(fields))
    }

    /// Takes one field as `T`: `None` where it is absent, `Some(None)` where it is null.
    pub(super) fn take<T: DeserializeOwned>(
        &mut self,
        name: &str,
        expected: &str,
    ) -> Result<Option<Option<T>>, AdminError> {
        let Some(raw) = self.0.remove(name) else {
            return Ok(None);
        };
        let value = serde_json::from_str(raw.get());
        value.map(Some).map_err(|_other_type| AdminError::bad_field(name, format!("must be {expected}")))
    }

    /// Takes one number as it is written.
    pub(super) fn take_number(&mut self, name: &str) -> Result<Option<Option<String>>, AdminError> {
        let text = self.0.get(name).map(|raw| raw.get().to_owned());
        let number = self.take::<serde_json::Number>(name, "a number or null")?;
        Ok(number.map(|number| number.and(text)))
    }

    /// Refuses what is left over.
    pub(super) fn finish(self, known: &[&str]) -> Result<(), AdminError> {
        match self.0.into_keys().next() {
            Some(name) => {
                let problem = format!("is not a known field; known are {}", known.join(", "));
                Err(AdminError::bad_field(&name, problem))
            }
            None => Ok(()),
        }
    }
}

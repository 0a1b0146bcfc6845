//! One stored response, and its sealed form.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::db::{At, StoredResponseRow};
use crate::keys::encryption::{MasterKey, SealingError};
use crate::secret::Secret;

/// A response as it was given; it never changes.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredResponse {
    /// The name by which the client knows it, such as `resp_…`.
    pub id: String,
    /// Who may read it: [`tenant`](crate::keys::virtual_key::VirtualKey::tenant) of the key that asked.
    pub tenant: String,
    /// The id of that key.
    pub virtual_key_id: String,
    /// The model that the client named.
    pub model: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// What was said.
    pub content: ResponseContent,
}

/// The conversation up to a response.
#[derive(Clone, PartialEq)]
pub struct ResponseContent {
    /// Every input item, those of former responses included.
    pub input: Vec<Value>,
    /// The output items as a following request needs them: with signatures that the response itself may not show.
    pub output: Vec<Value>,
    /// The response as the client got it.
    pub response: Value,
}

impl fmt::Debug for ResponseContent {
    /// Tells how much there is: what people said belongs in no log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (input, output) = (self.input.len(), self.output.len());
        f.debug_struct("ResponseContent").field("input", &input).field("output", &output).finish_non_exhaustive()
    }
}

impl ResponseContent {
    /// Three lines of JSON, and not one object: what was read at the greatest depth could not be read one level deeper.
    /// Output that the response shows as it is is there once.
    fn to_text(&self) -> Result<String, serde_json::Error> {
        let is_shown = self.response.get("output").and_then(Value::as_array) == Some(&self.output);
        let output = if is_shown { String::new() } else { serde_json::to_string(&self.output)? };
        Ok(format!("{}\n{output}\n{}", serde_json::to_string(&self.input)?, serde_json::to_string(&self.response)?))
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.splitn(3, '\n');
        let (input, output, response) = (lines.next()?, lines.next()?, lines.next()?);
        let response: Value = serde_json::from_str(response).ok()?;
        let output = match output {
            "" => response.get("output")?.as_array()?.clone(),
            output => serde_json::from_str(output).ok()?,
        };
        Some(Self { input: serde_json::from_str(input).ok()?, output, response })
    }
}

/// Why a response cannot be sealed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SealError {
    #[error("its content has {0} bytes")]
    TooLarge(usize),
    #[error("its content is no JSON")]
    NoJson(#[from] serde_json::Error),
    #[error("it cannot be sealed")]
    Sealing(#[from] SealingError),
}

/// Seals a response that expires after `keep`, unless its content is larger than `max_bytes`.
pub(super) fn seal(
    response: StoredResponse,
    key: &MasterKey,
    keep: TimeDelta,
    max_bytes: usize,
) -> Result<StoredResponseRow, SealError> {
    let StoredResponse { id, tenant, virtual_key_id, model, created_at, content } = response;
    let text = content.to_text()?;
    let bytes = text.len();
    if bytes > max_bytes {
        return Err(SealError::TooLarge(bytes));
    }
    let sealed = key.seal(&Secret::new(text), &associated_data(&tenant, &id))?;
    let expires_at = created_at.checked_add_signed(keep).unwrap_or(DateTime::<Utc>::MAX_UTC);
    Ok(StoredResponseRow {
        id,
        tenant,
        virtual_key_id,
        // A client may have written it, and PostgreSQL's texts hold no NUL.
        model: model.replace('\0', "\u{fffd}"),
        created_at: At::from(created_at),
        expires_at: At::from(expires_at),
        bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
        sealed,
    })
}

/// Opens what [`seal`] sealed.
pub(super) fn open(row: StoredResponseRow, key: &MasterKey) -> Result<StoredResponse, String> {
    let opened = key.open(&row.sealed, &associated_data(&row.tenant, &row.id));
    let text = opened.map_err(|_opaque| "column sealed: the master key is different, or the data is damaged")?;
    let content = ResponseContent::from_text(text.expose()).ok_or("column sealed holds no response")?;
    let created_at = row.created_at.time().ok_or("column created_at is no time")?;
    let StoredResponseRow { id, tenant, virtual_key_id, model, .. } = row;
    Ok(StoredResponse { id, tenant, virtual_key_id, model, created_at, content })
}

/// What a sealed content is bound to: it opens for this response of this tenant alone.
fn associated_data(tenant: &str, id: &str) -> Vec<u8> {
    ["stored_responses", tenant, id].join("\0").into_bytes()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(byte: u8) -> MasterKey {
        MasterKey::from_hex_or_base64(&format!("{byte:02x}").repeat(32)).unwrap()
    }

    fn response(content: ResponseContent) -> StoredResponse {
        StoredResponse {
            id: "resp_1".to_owned(),
            tenant: "team:red".to_owned(),
            virtual_key_id: "key".to_owned(),
            model: "model".to_owned(),
            created_at: DateTime::from_timestamp_micros(1_795_608_000_000_001).unwrap(),
            content,
        }
    }

    fn content() -> ResponseContent {
        let output = vec![json!({ "type": "message", "content": "two\nlines" })];
        ResponseContent { input: vec![json!("a")], response: json!({ "b": 1, "a": 2, "output": output }), output }
    }

    /// H1: a response opens for its own tenant and id alone, and its row tells nothing of what was said.
    #[test]
    fn a_sealed_response_opens_as_itself_alone() {
        let signed = ResponseContent { output: vec![json!({ "encrypted_content": "x" })], ..content() };
        for content in [content(), signed] {
            let response = response(content);
            let row = seal(response.clone(), &key(7), TimeDelta::days(30), 1_000).unwrap();
            assert!(!String::from_utf8_lossy(&row.sealed).contains("lines"));
            assert_eq!(row.expires_at.0 - row.created_at.0, 30 * 86_400 * 1_000_000);
            assert_eq!(open(row.clone(), &key(7)), Ok(response));
            assert!(open(row.clone(), &key(8)).is_err(), "another master key");
            assert!(open(StoredResponseRow { tenant: "team:blue".to_owned(), ..row.clone() }, &key(7)).is_err());
            assert!(open(StoredResponseRow { id: "resp_2".to_owned(), ..row }, &key(7)).is_err());
        }
    }

    #[test]
    fn output_that_the_response_shows_is_kept_once() {
        let size = |content| seal(response(content), &key(7), TimeDelta::days(1), 1_000).unwrap().bytes;
        let hidden = ResponseContent { output: vec![json!({})], ..content() };
        assert_eq!(size(hidden) - size(content()), "[{}]".len() as i64);
    }

    #[test]
    fn a_content_beyond_the_limit_is_not_sealed() {
        let bytes = seal(response(content()), &key(7), TimeDelta::days(1), 1_000).unwrap().bytes as usize;
        assert!(seal(response(content()), &key(7), TimeDelta::days(1), bytes).is_ok());
        let refused = seal(response(content()), &key(7), TimeDelta::days(1), bytes - 1);
        assert!(matches!(refused, Err(SealError::TooLarge(size)) if size == bytes));
    }

    /// What serde_json reads at its greatest depth comes back.
    #[test]
    fn the_deepest_body_comes_back() {
        let deep: Value = serde_json::from_str(&format!("{}{}", "[".repeat(127), "]".repeat(127))).unwrap();
        let content = ResponseContent { input: Vec::new(), output: Vec::new(), response: deep };
        let row = seal(response(content.clone()), &key(7), TimeDelta::days(1), 1_000).unwrap();
        assert_eq!(open(row, &key(7)).unwrap().content, content);
    }

    #[test]
    fn nothing_that_was_said_is_printed() {
        assert!(!format!("{:?}", response(content())).contains("lines"));
    }
}

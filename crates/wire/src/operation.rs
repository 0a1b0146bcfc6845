//! What a client asks for, whatever the format.

/// The kind of question that a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `/v1/chat/completions`.
    Chat,
    /// `/v1/embeddings`; `base64` is the client's `encoding_format`.
    Embeddings {
        /// Whether vectors are wanted as base64.
        base64: bool,
    },
    /// `/v1/moderations`.
    Moderations,
    /// `/v1/rerank`.
    Rerank,
}

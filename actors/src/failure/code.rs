//! The errors that the gateway answers by itself, before or without an attempt.

/// A gateway error by name; [`Code::row`] is its row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The body is not JSON.
    InvalidJson,
    /// A field of the request is wrong.
    InvalidRequest,
    /// The routing config is wrong.
    InvalidConfig,
    /// The routing config resolves to no target.
    NoTarget,
    /// The request asks for something that this gateway does not do.
    NotSupported,
    /// No key was sent.
    MissingKey,
    /// The key is unknown.
    InvalidKey,
    /// The key was revoked.
    RevokedKey,
    /// The key has expired.
    ExpiredKey,
    /// The key may not use this.
    Forbidden,
    /// There is no such model.
    ModelNotFound,
    /// There is no such stored response.
    ResponseNotFound,
    /// There is no stored response to go on from.
    PreviousResponseNotFound,
    /// There is no such route.
    NotFound,
    /// The route exists, with another method.
    MethodNotAllowed,
    /// Somebody else was first.
    Conflict,
    /// The body did not come in time.
    RequestTimeout,
    /// The body is too large.
    BodyTooLarge,
    /// The body has a coding that is not undone here.
    UnsupportedEncoding,
    /// The key's, or the address's, request limit is reached.
    RateLimited,
    /// Too many requests are under way.
    Overloaded,
    /// The store is away.
    StoreUnavailable,
    /// The gateway itself failed.
    Internal,
}

impl Code {
    /// Every one of them.
    pub const ALL: [Self; 23] = [
        Self::InvalidJson,
        Self::InvalidRequest,
        Self::InvalidConfig,
        Self::NoTarget,
        Self::NotSupported,
        Self::MissingKey,
        Self::InvalidKey,
        Self::RevokedKey,
        Self::ExpiredKey,
        Self::Forbidden,
        Self::ModelNotFound,
        Self::ResponseNotFound,
        Self::PreviousResponseNotFound,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::RequestTimeout,
        Self::BodyTooLarge,
        Self::UnsupportedEncoding,
        Self::RateLimited,
        Self::Overloaded,
        Self::StoreUnavailable,
        Self::Internal,
    ];
}

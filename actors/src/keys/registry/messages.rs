//! What the key registry can be asked.

use std::sync::Arc;

use actix::Message;
use chrono::TimeDelta;

use super::{CreatedKey, KeyError};
use crate::db::StoreError;
use crate::keys::virtual_key::{KeyChange, KeyRef, NewKey, VirtualKey};
use crate::limits::Limits;
use crate::scope::Scope;
use crate::secret::Secret;

/// Makes a virtual key.
pub struct CreateKey(pub NewKey);

impl Message for CreateKey {
    type Result = Result<CreatedKey, KeyError>;
}

/// Lists all virtual keys, the oldest first.
pub struct ListKeys;

impl Message for ListKeys {
    type Result = Vec<Arc<VirtualKey>>;
}

/// Looks one virtual key up.
pub struct GetKey(pub KeyRef);

impl Message for GetKey {
    type Result = Option<Arc<VirtualKey>>;
}

/// Changes a virtual key.
pub struct UpdateKey {
    /// Which key.
    pub key: KeyRef,
    /// What changes.
    pub change: KeyChange,
}

impl Message for UpdateKey {
    type Result = Result<Arc<VirtualKey>, KeyError>;
}

/// Revokes a virtual key; its record stays, so that its past use can still be told.
pub struct RevokeKey(pub KeyRef);

impl Message for RevokeKey {
    type Result = Result<Arc<VirtualKey>, KeyError>;
}

/// Replaces the provider credential behind a virtual key; requests under way keep the former one (H5).
pub struct RotateProviderKey {
    /// Which key.
    pub key: KeyRef,
    /// The new credential.
    pub credential: Secret,
}

impl Message for RotateProviderKey {
    type Result = Result<Arc<VirtualKey>, KeyError>;
}

/// Sets the limits of a user or team, replacing the former ones.
pub struct SetLimits {
    /// Whose limits.
    pub scope: Scope,
    /// The limits; none at all takes them away.
    pub limits: Limits,
}

impl Message for SetLimits {
    type Result = Result<(), StoreError>;
}

/// Gives a virtual key a new text; the record, its limits and its budget stay (H5).
pub struct ReissueKey {
    /// Which key.
    pub key: KeyRef,
    /// How long the text that it has works on.
    pub grace: TimeDelta,
}

impl Message for ReissueKey {
    type Result = Result<CreatedKey, KeyError>;
}

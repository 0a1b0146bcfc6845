//! The seals of compacted conversations.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gateway_wire::clients::Sealer;

use crate::keys::encryption::MasterKey;
use crate::secret::Secret;

/// Seals the summaries of one tenant with the master key.
pub(super) struct SummarySealer {
    master_key: MasterKey,
    /// What a seal is bound to.
    record: Vec<u8>,
}

impl SummarySealer {
    pub fn new(master_key: MasterKey, tenant: &str) -> Self {
        Self { master_key, record: ["compaction", tenant].join("\0").into_bytes() }
    }
}

impl fmt::Debug for SummarySealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SummarySealer").finish_non_exhaustive()
    }
}

impl Sealer for SummarySealer {
    fn seal(&self, summary: &str) -> Option<String> {
        let sealed = self.master_key.seal(&Secret::new(summary), &self.record);
        let sealed = sealed.inspect_err(|error| log::error!("a summary could not be sealed: {error}"));
        Some(URL_SAFE_NO_PAD.encode(sealed.ok()?))
    }

    fn open(&self, sealed: &str) -> Option<String> {
        let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        self.master_key.open(&sealed, &self.record).ok().map(|summary| summary.expose().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// J22: a seal is of use to its own tenant alone.
    #[test]
    fn j22_a_seal_is_its_tenants_own() {
        let key = MasterKey::from_hex_or_base64(&"07".repeat(32)).unwrap();
        let (red, blue) = (SummarySealer::new(key.clone(), "team:red"), SummarySealer::new(key, "team:blue"));
        let sealed = red.seal("the canary").unwrap();
        assert!(!sealed.contains("canary"));
        assert_eq!(red.open(&sealed).as_deref(), Some("the canary"));
        assert_eq!((blue.open(&sealed), red.open("%"), red.open("AAAA")), (None, None, None));
    }
}

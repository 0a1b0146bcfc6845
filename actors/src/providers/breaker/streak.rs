//! Failures in a row, and whose they were: what one key alone sees may be its own fault (J 3).

use std::time::{Duration, Instant};

use uuid::Uuid;

/// Keys that are remembered as having failed; the oldest makes room.
const MAX_KEYS: usize = 16;

/// A failure by the provider's fault, as far as can be seen.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The id of the key that asked.
    pub key: Uuid,
    /// Whether nobody could have been served, as without a connection.
    pub is_outage: bool,
}

/// Failures since the last success, and the keys that failed lately.
#[derive(Debug, Default)]
pub(super) struct Streak {
    consecutive: u32,
    outages: u32,
    first: Option<Uuid>,
    has_several_keys: bool,
    /// Keys that failed within a window before it opened, or as a probe since.
    failed: Vec<(Uuid, Instant)>,
    /// How often the cooldown doubled since the breaker was last closed.
    doublings: u32,
}

impl Streak {
    pub(super) fn failed(&mut self, fault: Fault, now: Instant, window: Duration) {
        self.consecutive = self.consecutive.saturating_add(1);
        self.outages = self.outages.saturating_add(u32::from(fault.is_outage));
        self.has_several_keys |= *self.first.get_or_insert(fault.key) != fault.key;
        self.failed.retain(|(_, at)| now.saturating_duration_since(*at) <= window);
        self.remember(fault.key, now);
    }

    /// A probe's failure doubles the cooldown, unless the key is one that fails anyway.
    pub(super) fn probe_failed(&mut self, fault: Fault, now: Instant) {
        let is_known = self.failed.iter().any(|(key, _)| *key == fault.key);
        if fault.is_outage || !is_known {
            self.doublings = self.doublings.saturating_add(1);
        }
        self.remember(fault.key, now);
    }

    /// Whether so many failures in a row are the provider's, and not what one key asks for.
    pub(super) fn blames_provider(&self, threshold: u32) -> bool {
        self.outages >= threshold || (self.consecutive >= threshold && self.has_several_keys)
    }

    /// Somebody was served, or the breaker has opened: the count begins again.
    pub(super) fn end(&mut self) {
        let (failed, doublings) = (std::mem::take(&mut self.failed), self.doublings);
        *self = Self { failed, doublings, ..Self::default() };
    }

    pub(super) fn doublings(&self) -> u32 {
        self.doublings
    }

    fn remember(&mut self, key: Uuid, now: Instant) {
        self.failed.retain(|(known, _)| *known != key);
        if self.failed.len() >= MAX_KEYS {
            self.failed.remove(0);
        }
        self.failed.push((key, now));
    }
}

//! `[responses]`: stored responses of `/v1/responses`.

use chrono::TimeDelta;
use gateway_actors::responses::handle::ResponseRules;
use serde::{Deserialize, Serialize};

/// The largest limit of a stored response: several of them may wait for the database in memory.
const MAX_STORED_BYTES: usize = 16 << 20;

/// The longest time that a response is kept, in days: ten years.
const MAX_STORE_DAYS: u32 = 3_650;

/// `[responses]`: stored responses of `/v1/responses`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResponseSettings {
    /// Days to keep a response and its conversation; 0 stores nothing.
    pub store_days: u32,
    /// Maximum size of a stored response with its conversation in bytes. A larger one is not stored.
    pub max_stored_bytes: usize,
}

impl Default for ResponseSettings {
    fn default() -> Self {
        Self { store_days: 30, max_stored_bytes: 4 << 20 }
    }
}

impl ResponseSettings {
    /// What the store is started with.
    pub fn rules(&self) -> ResponseRules {
        let keep = (self.store_days > 0).then(|| TimeDelta::days(i64::from(self.store_days)));
        ResponseRules { max_bytes: self.max_stored_bytes, keep }
    }
}

/// A response must have room, and memory must have room for several.
pub(super) fn check(responses: &ResponseSettings, wrong: &mut dyn FnMut(&str, String)) {
    if !(1..=MAX_STORED_BYTES).contains(&responses.max_stored_bytes) {
        let message = format!("must be from 1 to {MAX_STORED_BYTES}; store_days = 0 stores nothing");
        wrong("responses.max_stored_bytes", message);
    }
    if responses.store_days > MAX_STORE_DAYS {
        wrong("responses.store_days", format!("must be at most {MAX_STORE_DAYS}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_cannot_be_kept_are_refused() {
        let problems = |store_days, max_stored_bytes| {
            let mut paths = Vec::new();
            check(&ResponseSettings { store_days, max_stored_bytes }, &mut |path, _message| {
                paths.push(path.to_owned())
            });
            paths
        };
        assert!(problems(30, 4 << 20).is_empty() && problems(0, 1).is_empty() && problems(3_650, 16 << 20).is_empty());
        assert_eq!(problems(3_651, 0), ["responses.max_stored_bytes", "responses.store_days"]);
        assert_eq!(problems(1, (16 << 20) + 1), ["responses.max_stored_bytes"]);
    }

    #[test]
    fn no_days_store_nothing() {
        assert_eq!(ResponseSettings { store_days: 0, ..ResponseSettings::default() }.rules().keep, None);
        assert_eq!(ResponseSettings::default().rules().keep, Some(TimeDelta::days(30)));
    }
}

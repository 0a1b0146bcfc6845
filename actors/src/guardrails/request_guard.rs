//! A request on its way out: whatever leaves has passed its guardrails.

use std::time::Instant;

use gateway_guard::tokens::Vault;
use gateway_wire::json_object::JsonObject;
use serde_json::{Map, Value};

use super::body::{RequestFacts, guard_body};
use super::{GuardrailRules, Policy, Tally};

/// What is to be looked at; it owns all of it, so that any thread may do it.
pub struct RequestGuard {
    /// The body in the client's own format.
    pub body: JsonObject,
    /// What it is to pass.
    pub policy: Policy,
    /// The model that was asked for.
    pub model: String,
    /// The kind of request in Portkey's words.
    pub request_type: Option<&'static str>,
    /// The request's metadata.
    pub metadata: Map<String, Value>,
}

/// What came of it.
pub struct GuardedRequest {
    /// The body as it may leave, where it differs.
    pub changed: Option<JsonObject>,
    /// What was found.
    pub tally: Tally,
    /// The values that tokens stand for.
    pub vault: Option<Vault>,
    /// Whether nothing may leave.
    pub is_denied: bool,
}

impl RequestGuard {
    /// Looks at the request, on another thread where it is long. None where nobody has time for it.
    pub async fn run(self, rules: &GuardrailRules) -> Option<GuardedRequest> {
        let bytes = self.body.text().len();
        if bytes > rules.limit.max_bytes {
            let tally = Tally::over_limit();
            return Some(GuardedRequest { changed: None, tally, vault: None, is_denied: rules.limit.denies });
        }
        rules.pool.run(bytes, move || self.look()).await
    }

    fn look(self) -> GuardedRequest {
        let begun = Instant::now();
        let Self { body, policy, model, request_type, metadata } = self;
        let facts = RequestFacts { model: Some(&model), request_type, metadata: Some(&metadata) };
        let (mut tally, mut vault) = (Tally::default(), policy.tokenizes().then(Vault::new));
        let changed = guard_body(&body, (&policy, &facts), &mut tally, vault.as_mut());
        tally.spent = begun.elapsed();
        let is_denied = tally.denies(&policy);
        GuardedRequest { changed, tally, vault, is_denied }
    }
}

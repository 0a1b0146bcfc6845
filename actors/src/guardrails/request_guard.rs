//! A request on its way out: whatever leaves has passed its guardrails.

use std::time::Instant;

use gateway_guard::tokens::Vault;
use gateway_wire::BadRequest;
use serde_json::{Map, Value};

use super::body::{RequestFacts, RequestTexts, guard_texts};
use super::{GuardrailRules, Policy, Tally, media};

/// What is to be looked at; it owns all of it, so that any thread may do it.
pub struct RequestGuard {
    /// All that would leave.
    pub texts: RequestTexts,
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
    /// The texts as they may leave.
    pub texts: RequestTexts,
    /// Whether the body is another.
    pub is_changed: bool,
    /// What was found.
    pub tally: Tally,
    /// The values that tokens stand for.
    pub vault: Option<Vault>,
    /// Whether nothing may leave.
    pub is_denied: bool,
}

impl RequestGuard {
    /// Looks at the request, on another thread where it is long. None where nobody has time for it.
    ///
    /// # Errors
    /// Where a part of it cannot be read.
    pub async fn run(self, rules: &GuardrailRules) -> Result<Option<GuardedRequest>, BadRequest> {
        let bytes = self.texts.bytes();
        let denies_media = self.policy.reach.denies_media || rules.denies_media && !self.policy.is_empty();
        if bytes > rules.limit.max_bytes {
            let (tally, texts) = (Tally::over_limit(), self.texts);
            // What is not looked at may have some.
            let is_denied = rules.limit.denies && self.policy.changes() || denies_media;
            return Ok(Some(GuardedRequest { texts, is_changed: false, tally, vault: None, is_denied }));
        }
        rules.pool.run(bytes, move || self.look(denies_media)).await.transpose()
    }

    fn look(self, denies_media: bool) -> Result<GuardedRequest, BadRequest> {
        let begun = Instant::now();
        let Self { mut texts, policy, model, request_type, metadata } = self;
        let facts = RequestFacts { model: Some(&model), request_type, metadata: Some(&metadata) };
        let (mut tally, mut vault) = (Tally::default(), policy.tokenizes().then(Vault::new));
        let is_changed = guard_texts(&mut texts, (&policy, &facts), &mut tally, vault.as_mut())?;
        tally.media = if denies_media { media::count(&texts) } else { 0 };
        tally.spent = begun.elapsed();
        let is_denied = tally.media > 0 || tally.denies(&policy);
        Ok(GuardedRequest { texts, is_changed, tally, vault, is_denied })
    }
}

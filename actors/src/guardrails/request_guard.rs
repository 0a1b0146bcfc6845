//! A request on its way out: whatever leaves has passed its guardrails.

use std::time::{Duration, Instant};

use gateway_guard::tokens::Vault;
use gateway_wire::BadRequest;
use serde_json::{Map, Value};

use super::body::{RequestFacts, RequestTexts, guard_texts, judge_texts};
use super::engines::{Judging, Pending};
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
    /// What engines are to be asked beside the request, which does not wait for it.
    pub(crate) beside: Vec<Pending>,
    /// How long engines were waited for.
    pub waited: Duration,
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
            // What is not looked at may have some.
            let is_denied = rules.limit.denies && self.policy.changes() || denies_media;
            return Ok(Some(GuardedRequest {
                is_denied,
                ..GuardedRequest::new(self.texts, Tally::over_limit(), None)
            }));
        }
        let policy = self.policy.asks.then(|| self.policy.clone());
        let guarded = rules.pool.run(bytes, move || self.look(denies_media)).await.transpose()?;
        match (guarded, policy) {
            (Some(guarded), Some(policy)) if !guarded.is_denied => guarded.judged(policy, rules).await,
            (Some(mut guarded), Some(policy)) => {
                // What the built-in detectors deny, nobody else gets to see.
                guarded.tally.skip_engines(&policy);
                Ok(Some(guarded))
            }
            (guarded, _) => Ok(guarded),
        }
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
        Ok(GuardedRequest { is_changed, is_denied, ..GuardedRequest::new(texts, tally, vault) })
    }
}

impl GuardedRequest {
    fn new(texts: RequestTexts, tally: Tally, vault: Option<Vault>) -> Self {
        let (is_changed, is_denied, beside, waited) = (false, false, Vec::new(), Duration::ZERO);
        Self { texts, is_changed, tally, vault, is_denied, beside, waited }
    }

    /// Has outside engines look at what is left: again and again, until nothing waits for an answer.
    async fn judged(mut self, policy: Policy, rules: &GuardrailRules) -> Result<Option<Self>, BadRequest> {
        let mut judging = Judging::new(rules.engines.clone());
        loop {
            let (mut texts, mut tally, mut vault) = (self.texts.clone(), self.tally.clone(), self.vault.take());
            let bytes = texts.bytes();
            let known = policy.clone();
            let pass = move || {
                let begun = Instant::now();
                let is_changed = judge_texts(&mut texts, &known, &mut tally, vault.as_mut(), &mut judging)?;
                tally.spent += begun.elapsed();
                Ok((texts, tally, vault, judging, is_changed))
            };
            let Some(passed) = rules.pool.run(bytes, pass).await.transpose()? else { return Ok(None) };
            let (texts, tally, vault, left, is_changed) = passed;
            (judging, self.vault) = (left, vault);
            if !judging.waits() {
                self.is_denied = tally.denies(&policy);
                self.is_changed |= is_changed;
                (self.texts, self.tally, self.beside) = (texts, tally, judging.take_pending());
                if self.is_denied {
                    // Nobody waits for more verdicts.
                    self.beside.clear();
                    self.tally.skip_engines(&policy);
                }
                return Ok(Some(self));
            }
            let begun = Instant::now();
            judging.ask_what_holds().await;
            self.waited += begun.elapsed();
        }
    }
}

//! The account of one client request: one log line and its metrics, on every ending.

mod line;

use std::sync::Arc;
use std::time::Instant;

use gateway_wire::Usage;

use crate::keys::virtual_key::VirtualKey;
use crate::metrics::Metrics;
use crate::money::amount::PicoUsd;
use line::End;

/// The log target of request lines; their message is a JSON object without its opening brace.
pub const LOG_TARGET: &str = "request";

/// The status logged for a request whose client left before the end (nginx's word for it).
const CLIENT_LEFT: u16 = 499;

/// What is known of a request so far. Dropping it writes the log line and counts the request; if nothing called
/// [`RequestRecord::finish`], its client has left.
pub struct RequestRecord {
    metrics: Arc<Metrics>,
    log: bool,
    started: Instant,
    finished: Option<u16>,
    /// Microseconds the request spent waiting for providers.
    pub upstream_us: u64,
    /// Whether the price list names the model, so that it may have a label of its own once it was tried (G8).
    pub model_is_known: bool,
    /// Whether an answer proves that the model is real: the simulator answers for any.
    pub answers_prove: bool,
    /// When the first content of a stream went out.
    pub first_token: Option<Instant>,
    /// The fields of the log line.
    pub line: RequestLine,
}

/// The fields of a request's log line, named with their units; never a prompt, never a credential (H1).
#[derive(Default)]
pub struct RequestLine {
    /// The caller's trace id, or one made here.
    pub trace_id: String,
    /// The gateway's own id of this request.
    pub request_id: String,
    /// The route, such as `/v1/chat/completions`.
    pub path: &'static str,
    /// The virtual key's id.
    pub key_id: Option<String>,
    /// The key's user.
    pub user_id: Option<String>,
    /// The key's team.
    pub team_id: Option<String>,
    /// The provider that answered, or failed last.
    pub provider: Option<Arc<str>>,
    /// The model that answered, or failed last.
    pub model: Option<String>,
    /// The provider's own id of the last attempt, for a word with the vendor.
    pub provider_request_id: Option<String>,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// Attempts at providers.
    pub attempts: u32,
    /// `HIT` for an answer from the cache.
    pub cache: Option<&'static str>,
    /// What came of the guardrails, without anything that they found: `input pii_detection redacted`.
    pub guardrails: Option<String>,
    /// Input tokens.
    pub prompt_tokens: Option<u64>,
    /// Output tokens.
    pub completion_tokens: Option<u64>,
    /// The exact cost of all attempts in US dollars.
    pub cost_usd: Option<PicoUsd>,
    /// What went wrong with the newest attempt that failed, in one of the words of `llm_upstream_attempts_total`.
    pub cause: Option<&'static str>,
    /// The code of the error, if it ended in one.
    pub error: Option<String>,
}

impl RequestRecord {
    /// Opens the account of a request that arrived at `started`.
    pub fn open(metrics: Arc<Metrics>, log: bool, started: Instant, line: RequestLine) -> Self {
        Self {
            metrics,
            log,
            started,
            finished: None,
            upstream_us: 0,
            model_is_known: false,
            answers_prove: false,
            first_token: None,
            line,
        }
    }

    /// The metrics that this account writes to.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// When the request arrived.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Adds to the log line what an attempt consumed and cost.
    pub fn metered(&mut self, usage: &Usage, cost: Option<PicoUsd>) {
        let line = &mut self.line;
        line.prompt_tokens = Some(line.prompt_tokens.unwrap_or(0).saturating_add(usage.prompt_tokens));
        line.completion_tokens = Some(line.completion_tokens.unwrap_or(0).saturating_add(usage.completion_tokens));
        if let Some(cost) = cost {
            line.cost_usd = Some(line.cost_usd.unwrap_or_default().plus(cost));
        }
    }

    /// Notes whose request it is.
    pub fn identify(&mut self, key: &VirtualKey) {
        self.line.key_id = Some(key.id_text.as_ref().to_owned());
        self.line.user_id.clone_from(&key.user_id);
        self.line.team_id.clone_from(&key.team_id);
    }

    /// Notes the request's end: the status the client saw, and the code of the error if it was one.
    pub fn finish(&mut self, status: u16, error: Option<&str>) {
        self.finished = Some(status);
        self.line.error = error.map(str::to_owned);
    }

    /// Takes back an end that was noted in advance: the request goes on.
    pub fn reopen(&mut self) {
        self.finished = None;
        self.line.error = None;
    }

    /// Microseconds spent in the gateway itself, and waiting for providers.
    pub fn spent_us(&self) -> (u64, u64) {
        let elapsed = self.started.elapsed().as_micros() as u64;
        (elapsed.saturating_sub(self.upstream_us), self.upstream_us)
    }

    fn count(&self, status: u16, elapsed_us: u64) {
        let (Some(provider), Some(model)) = (&self.line.provider, &self.line.model) else { return };
        let success = status < 400 && self.line.error.is_none();
        let proven = (success && self.answers_prove) || (self.line.attempts > 0 && self.model_is_known);
        let target = self.metrics.target(provider, model, proven);
        match (success, self.finished) {
            (true, _) => target.success.inc(),
            (false, Some(_)) => target.error.inc(),
            (false, None) => target.cancelled.inc(),
        }
        target.duration.observe(elapsed_us as f64 / 1e6);
        if let Some(first_token) = self.first_token {
            target.first_token.observe(first_token.duration_since(self.started).as_secs_f64());
        }
        if self.upstream_us > 0 {
            self.metrics.overhead.observe(elapsed_us.saturating_sub(self.upstream_us) as f64);
        }
    }
}

impl Drop for RequestRecord {
    fn drop(&mut self) {
        if self.finished.is_none() && self.metrics.is_cutting() {
            self.finish(200, Some("gateway_stopping"));
        }
        let elapsed_us = self.started.elapsed().as_micros() as u64;
        let status = self.finished.unwrap_or(CLIENT_LEFT);
        self.count(status, elapsed_us);
        if !self.log {
            return;
        }
        let end = End {
            status,
            duration_us: elapsed_us,
            first_token_us: self.first_token.map(|at| at.duration_since(self.started).as_micros() as u64),
            overhead_us: elapsed_us.saturating_sub(self.upstream_us),
        };
        let level = match status {
            500.. => log::Level::Error,
            _ if self.line.error.is_some() && status < 400 => log::Level::Error,
            400..=498 => log::Level::Warn,
            _ => log::Level::Info,
        };
        let text = self.line.text(&end);
        log::log!(target: LOG_TARGET, level, "{}", text.get(1..).unwrap_or_default());
    }
}

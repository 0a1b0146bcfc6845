//! How an attempt at a provider can fail, in the words that retries, fallback and breaker decide by.

mod code;
mod connect_cause;
pub(crate) mod message;
mod table;

use std::time::Duration;

use gateway_wire::ErrorBody;

pub use code::Code;
pub use connect_cause::ConnectCause;
pub use table::{ATTEMPT_FAILURES, FailureRow};

/// What went wrong with one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The provider answered with this non-2xx status.
    Status(u16),
    /// No connection, or one that was closed before the head.
    Connect(ConnectCause),
    /// No connection within the connect timeout.
    ConnectTimeout,
    /// No first content event of a stream within the first-byte timeout.
    FirstByteTimeout,
    /// The request's own deadline passed (`request_timeout`, or the provider's total timeout).
    RequestTimeout,
    /// A whole answer was not complete within the provider's total timeout.
    TotalTimeout,
    /// The answer fell silent for longer than the idle timeout.
    IdleTimeout,
    /// The answer ended early, was not in the provider's format, or carried an error event inside a 200 stream.
    Broken,
    /// The provider's circuit breaker is open, so nothing was sent.
    CircuitOpen,
    /// The provider's `max_in_flight` is reached, so nothing was sent.
    Saturated,
    /// The provider cannot be used as it is configured, such as without a credential, so nothing was sent.
    NotReady,
    /// A guardrail denied the request, so that nothing was sent, or the answer.
    Denied,
    /// The attempt does not fit into a budget, so nothing was sent.
    OverBudget,
    /// The store that knows the budget is away and what was leased is used up, so nothing was sent.
    BudgetUnknown,
}

impl FailureKind {
    /// The status that a client sees when this failure is final, and that `on_status_codes` compares.
    pub fn status(self) -> u16 {
        self.row().status
    }

    /// Whether the provider is to blame, so that its breaker counts the failure (E1: client errors never do).
    pub fn counts_against_provider(self) -> bool {
        self.row().blames_provider
    }

    /// Whether nobody could have been served, so that no key's own questions can be the reason (J 3).
    pub fn is_outage(self) -> bool {
        self.row().is_outage
    }

    /// A bounded word for metric labels and log fields.
    pub fn as_str(self) -> &'static str {
        self.row().label
    }
}

/// Words of vendors for a quota or an account that is used up: waiting does not fill it.
const SPENT: [&str; 9] = [
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "billing_error",
    "insufficient_balance",
    "insufficient_credits",
    "insufficient_user_quota",
    "credit_balance_too_low",
    "account_deactivated",
];

/// The same in sentences, for vendors without such a word.
const SPENT_SENTENCES: [&str; 7] = [
    "credit balance is too low",
    "insufficient balance",
    "insufficient credits",
    "insufficient quota",
    "billing hard limit",
    "run out of credits",
    "check your plan and billing",
];

/// One failed attempt: what the chain decides by, and what the client is told if it was the last.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What went wrong.
    pub kind: FailureKind,
    /// The error in OpenAI's shape, without any credential in it.
    pub error: ErrorBody,
    /// How long the provider (or its breaker) asks to wait.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// The same with the provider's id of the request in its error.
    #[must_use]
    pub fn with_request_id(mut self, id: Option<&str>) -> Self {
        if let Some(id) = id {
            let vendor_fields = self.error.vendor_fields.get_or_insert_default();
            vendor_fields.fields.entry("request_id").or_insert_with(|| id.into());
        }
        self
    }

    /// Whether to try again, where that is known beyond the status: never with a quota that is used up, else as the
    /// vendor says (`x-should-retry`).
    pub fn should_retry(&self) -> Option<bool> {
        if self.is_spent_quota() {
            return Some(false);
        }
        self.error.vendor_fields.as_ref()?.should_retry
    }

    fn is_spent_quota(&self) -> bool {
        if !matches!(self.kind, FailureKind::Status(_) | FailureKind::Broken) {
            return false;
        }
        let ErrorBody { message, kind, code, .. } = &self.error;
        if SPENT.iter().any(|word| kind == word || code.as_deref() == Some(word)) {
            return true;
        }
        let message = message.to_ascii_lowercase();
        // Google's free tier says the same of a limit by the minute, and when to come back.
        let passes = self.retry_after.is_some() || message.contains("retry in");
        !passes && SPENT_SENTENCES.iter().any(|sentence| message.contains(sentence))
    }
}

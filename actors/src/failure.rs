//! How an attempt at a provider can fail, in the words that retries, fallback and breaker decide by.

use std::time::Duration;

use crate::upstream::ConnectCause;
use crate::wire::ErrorBody;

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
    /// The attempt does not fit into a budget, so nothing was sent.
    OverBudget,
    /// The store that knows the budget is away and what was leased is used up, so nothing was sent.
    BudgetUnknown,
}

impl FailureKind {
    /// The status that a client sees when this failure is final, and that `on_status_codes` compares.
    pub fn status(self) -> u16 {
        match self {
            Self::Status(status) => status,
            Self::RequestTimeout => 408,
            Self::OverBudget | Self::BudgetUnknown => 429,
            Self::Broken => 502,
            Self::Connect(_) | Self::CircuitOpen | Self::Saturated | Self::NotReady => 503,
            Self::ConnectTimeout | Self::FirstByteTimeout | Self::TotalTimeout | Self::IdleTimeout => 504,
        }
    }

    /// Whether the provider is to blame, so that its breaker counts the failure (E1: client errors never do).
    pub fn counts_against_provider(self) -> bool {
        match self {
            // A 429 speaks of one credential's quota, and a provider has many: its wait and retries are answer enough.
            Self::Status(status) => status >= 500,
            Self::Connect(cause) => !cause.is_own_fault(),
            Self::ConnectTimeout
            | Self::FirstByteTimeout
            | Self::TotalTimeout
            | Self::IdleTimeout
            | Self::Broken => true,
            // The deadline may be the client's own, and the others never reached the provider.
            Self::RequestTimeout
            | Self::CircuitOpen
            | Self::Saturated
            | Self::NotReady
            | Self::OverBudget
            | Self::BudgetUnknown => false,
        }
    }

    /// Whether nobody could have been served, so that no key's own questions can be the reason (J 3).
    pub fn is_outage(self) -> bool {
        match self {
            // A provider that falls over one key's question closes the connection too.
            Self::Connect(cause) => cause != ConnectCause::ClosedBeforeAnswer,
            _ => matches!(self, Self::ConnectTimeout | Self::FirstByteTimeout | Self::IdleTimeout),
        }
    }

    /// A bounded word for metric labels and log fields.
    pub fn label(self) -> &'static str {
        match self {
            Self::Status(429) => "rate_limit",
            Self::Status(status) if status >= 500 => "server_error",
            Self::Status(_) => "client_error",
            Self::Connect(cause) => cause.label(),
            Self::ConnectTimeout => "connect_timeout",
            Self::FirstByteTimeout => "first_byte_timeout",
            Self::RequestTimeout => "request_timeout",
            Self::TotalTimeout => "total_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::Broken => "broken",
            Self::CircuitOpen => "circuit_open",
            Self::Saturated => "saturated",
            Self::NotReady => "not_ready",
            Self::OverBudget => "over_budget",
            Self::BudgetUnknown => "budget_unknown",
        }
    }
}

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

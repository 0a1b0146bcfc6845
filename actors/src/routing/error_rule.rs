//! Which failures of a target lead on to the next one.

use serde_json::{Value, json};

use crate::failure::FailureKind;

/// A condition on a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorRule {
    /// Any failure but a 2xx, such as the 246 of a guardrail that only tells: what Portkey does where nothing is said.
    Any,
    /// These statuses (`on_status_codes`); an empty list never leads on.
    Statuses(Vec<u16>),
    /// Any of these words (`on_errors`).
    Words(Vec<ErrorWord>),
}

/// One item of `on_errors`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorWord {
    /// `*`: the same as if nothing was said.
    Any,
    /// `timeout`: 408, 504, and every time limit of the gateway.
    Timeout,
    /// `rate_limit`: 429.
    RateLimit,
    /// `connection`: DNS, refused, reset, TLS, and no connection in time.
    Connection,
    /// `"429"` or `429`.
    Status(u16),
    /// `5xx`, `4xx` and so on.
    Class(u16),
}

impl ErrorRule {
    /// Whether the failure leads on.
    pub fn matches(&self, kind: FailureKind) -> bool {
        match self {
            Self::Any => is_failure(kind),
            Self::Statuses(statuses) => statuses.contains(&kind.status()),
            Self::Words(words) => words.iter().any(|word| word.matches(kind)),
        }
    }
}

impl ErrorWord {
    /// Reads an item of `on_errors`; `None` where it is no known word.
    pub fn from_value(item: &Value) -> Option<Self> {
        if let Some(number) = item.as_u64() {
            return status(number);
        }
        match item.as_str()?.trim().to_ascii_lowercase().as_str() {
            "*" => Some(Self::Any),
            "timeout" => Some(Self::Timeout),
            "rate_limit" => Some(Self::RateLimit),
            "connection" => Some(Self::Connection),
            text => match text.strip_suffix("xx") {
                Some(class) => class.parse().ok().filter(|class| (1..=5).contains(class)).map(Self::Class),
                None => status(text.parse().ok()?),
            },
        }
    }

    fn matches(self, kind: FailureKind) -> bool {
        match self {
            Self::Any => is_failure(kind),
            Self::Timeout => matches!(kind.status(), 408 | 504),
            Self::RateLimit => kind.status() == 429,
            Self::Connection => matches!(kind, FailureKind::Connect(_) | FailureKind::ConnectTimeout),
            Self::Status(status) => kind.status() == status,
            Self::Class(class) => kind.status() / 100 == class,
        }
    }
}

impl ErrorWord {
    pub(super) fn to_json(self) -> Value {
        match self {
            Self::Any => json!("*"),
            Self::Timeout => json!("timeout"),
            Self::RateLimit => json!("rate_limit"),
            Self::Connection => json!("connection"),
            Self::Status(status) => json!(status),
            Self::Class(class) => json!(format!("{class}xx")),
        }
    }
}

fn is_failure(kind: FailureKind) -> bool {
    !(200..300).contains(&kind.status())
}

fn status(number: u64) -> Option<ErrorWord> {
    u16::try_from(number).ok().filter(|status| (100..600).contains(status)).map(ErrorWord::Status)
}

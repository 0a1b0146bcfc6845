//! What a vendor tells of an attempt, and which of it can be.
//!
//! Figures are believed as far as any model could have come to them. Each one that cannot be, and zero where something was
//! generated, is replaced by the gateway's own count; the row is then marked as estimated.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use gateway_wire::json_object::JsonObject;
use gateway_wire::{Endpoint, Usage, WholeAnswer};

use super::Metering;
use crate::cache::lookup::seconds;
use crate::money::amount::PicoUsd;
use crate::usage::estimate::{Estimate, ModelBounds};

/// The largest context window of any model, in tokens (Llama 4 Scout's).
const MAX_CONTEXT_TOKENS: u64 = 10_000_000;

/// Choices of one answer, at most (OpenAI's own bound).
const MAX_CHOICES: u64 = 128;

/// How often the log tells of figures that are not believed, in seconds.
const REPORT_INTERVAL_SECONDS: u64 = 60;

/// Why a figure is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    /// Nothing was counted although something was generated, or asked.
    Zero,
    /// One total is told, which does not tell input from output.
    Sum,
    /// No model can come to so many tokens for this request.
    Implausible,
}

impl Doubt {
    /// The metric's label.
    fn as_str(self) -> &'static str {
        match self {
            Self::Zero => "zero",
            Self::Sum => "sum",
            Self::Implausible => "implausible",
        }
    }
}

/// The most tokens that an attempt can come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bounds {
    input: u64,
    output: u64,
}

impl Bounds {
    /// The bounds of any request to a model that takes `window` tokens, where that is known: input that it shows is
    /// bounded by the window.
    fn for_window(window: Option<u64>) -> Self {
        let window = window.unwrap_or(MAX_CONTEXT_TOKENS);
        Self { input: window, output: window }
    }

    /// The same for this request: what it sends may be more than one window (a list of texts to embed), as may what the
    /// vendor's own tools read, and each choice may fill one.
    fn for_request(body: &Bytes, window: u64) -> Self {
        let most =
            ModelBounds { max_input: MAX_CONTEXT_TOKENS, max_output: None, default_output: 0, adds_input: false };
        let read =
            JsonObject::parse(body.clone()).ok().and_then(|body| Estimate::from_body(&body, Endpoint::Chat, most).ok());
        let Some(request) = read else { return Self::for_window(None) };
        let limit = request.output_tokens.min(MAX_CONTEXT_TOKENS);
        Self {
            input: window.max(request.input_tokens),
            output: window.max(limit).saturating_mul(request.choices.min(MAX_CHOICES)),
        }
    }
}

/// What is doubtful of the input, and of the output.
type Doubts = (Option<Doubt>, Option<Doubt>);

/// Which figures of `reported` cannot be: of the input, and of the output. `generated` tells whether there is an answer.
fn doubts(reported: &Usage, bounds: Bounds, generated: bool) -> Doubts {
    let cached = [reported.cached_tokens, reported.cache_write_tokens, reported.cache_write_1h_tokens];
    let inputs = [reported.prompt_tokens, reported.audio_prompt_tokens, reported.image_prompt_tokens];
    let outputs = [reported.completion_tokens, reported.reasoning_tokens, reported.audio_completion_tokens];
    let most_input = inputs.into_iter().fold(cached.into_iter().fold(0, u64::saturating_add), u64::max);
    let most_output = outputs.into_iter().fold(0, u64::max);
    let input = match reported {
        _ if most_input > bounds.input => Some(Doubt::Implausible),
        Usage { is_sum: true, .. } if generated => Some(Doubt::Sum),
        Usage { prompt_tokens: 0, .. } => Some(Doubt::Zero),
        _ => None,
    };
    let output = match reported {
        _ if most_output > bounds.output => Some(Doubt::Implausible),
        Usage { is_sum: true, .. } if generated => Some(Doubt::Sum),
        Usage { completion_tokens: 0, .. } if generated => Some(Doubt::Zero),
        _ => None,
    };
    (input, output)
}

/// The figures to book where some of `reported` are not believed; `own` is the gateway's count.
fn replaced(reported: &Usage, own: &Usage, (input, output): Doubts) -> Usage {
    let mut usage = Usage { is_sum: false, ..*reported };
    if output.is_some() {
        usage.completion_tokens = own.completion_tokens;
        (usage.reasoning_tokens, usage.audio_completion_tokens) = (0, 0);
    }
    match input {
        None => {}
        Some(Doubt::Sum) => usage.prompt_tokens = reported.prompt_tokens.saturating_sub(own.completion_tokens),
        Some(_) => {
            usage.prompt_tokens = own.prompt_tokens;
            (usage.cached_tokens, usage.cache_write_tokens, usage.cache_write_1h_tokens) = (0, 0, 0);
            (usage.audio_prompt_tokens, usage.image_prompt_tokens) = (0, 0);
        }
    }
    usage
}

impl Metering {
    /// Books what the vendor told, as far as it can be, and gives what is booked. `answer` is a whole answer, of which
    /// nothing was seen before.
    pub async fn settle_reported(
        &mut self,
        reported: &Usage,
        answer: Option<&WholeAnswer>,
        status: &'static str,
    ) -> (Usage, Option<PicoUsd>) {
        let (usage, is_estimated) = self.checked(reported, answer).await;
        (usage, self.book(&usage, status, is_estimated))
    }

    /// The figures to book, and whether some of them are the gateway's own.
    pub(super) async fn checked(&mut self, reported: &Usage, answer: Option<&WholeAnswer>) -> (Usage, bool) {
        let Some(draft) = &self.draft else { return (*reported, false) };
        let window = self.open.ledger().models.find(&draft.row.provider, &draft.row.model).max_input_tokens;
        let is_generated = match answer {
            _ if reported.completion_tokens > 0 && !reported.is_sum => true,
            Some(answer) => {
                self.generated.push_answer(answer);
                !self.generated.is_empty()
            }
            None => !self.generated.is_empty(),
        };
        let mut doubts = self::doubts(reported, Bounds::for_window(window), is_generated);
        if let (Some(draft), Some(window), (Some(Doubt::Implausible), _) | (_, Some(Doubt::Implausible))) =
            (&self.draft, window, doubts)
        {
            doubts = self::doubts(reported, Bounds::for_request(&draft.body, window), is_generated);
        }
        let Some(doubt) = doubts.0.or(doubts.1) else { return (*reported, false) };
        if let (true, Some(answer)) = (self.generated.is_empty(), answer) {
            self.generated.push_answer(answer);
        }
        self.tell(reported, doubt);
        match self.own_count().await {
            Some(own) => (replaced(reported, &own, doubts), true),
            None => (Usage { is_sum: false, ..*reported }, false),
        }
    }

    fn tell(&self, reported: &Usage, doubt: Doubt) {
        let Some(draft) = &self.draft else { return };
        let provider = &*draft.row.provider;
        self.open.ledger().metrics.usage_rejected(provider, doubt.as_str());
        let (now, last) = (seconds(), LAST_REPORT.load(Ordering::Relaxed));
        let is_due = now >= last.saturating_add(REPORT_INTERVAL_SECONDS);
        if is_due && LAST_REPORT.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            log::warn!(
                provider = provider, model = draft.row.model, reason = doubt.as_str(),
                prompt_tokens = reported.prompt_tokens, completion_tokens = reported.completion_tokens;
                "a provider reported implausible token counts: the gateway's own counts are recorded instead, as estimated"
            );
        }
    }
}

/// When the log last told of a figure that was not believed, in seconds since 1970.
static LAST_REPORT: AtomicU64 = AtomicU64::new(0);

#[cfg(test)]
mod tests {
    use super::*;

    fn reported(prompt_tokens: u64, completion_tokens: u64) -> Usage {
        Usage { prompt_tokens, completion_tokens, ..Usage::default() }
    }

    fn bounds(body: &str) -> Bounds {
        Bounds::for_request(&Bytes::from(body.to_owned()), 100)
    }

    /// J 25, M-5: each figure is doubted apart, and the parts of a figure with it.
    #[test]
    fn j25_m5_each_figure_is_doubted_apart() {
        let doubts = |usage: Usage, generated| doubts(&usage, Bounds { input: 100, output: 50 }, generated);
        let implausible = Some(Doubt::Implausible);
        assert_eq!(doubts(reported(100, 50), true), (None, None));
        assert_eq!(doubts(reported(101, 50), true), (implausible, None));
        assert_eq!(doubts(reported(100, u64::MAX), true), (None, implausible));
        assert_eq!(doubts(reported(0, 0), true), (Some(Doubt::Zero), Some(Doubt::Zero)));
        assert_eq!(doubts(reported(10, 0), false), (None, None), "nothing was generated");
        let cached = Usage { cached_tokens: u64::MAX, cache_write_tokens: u64::MAX, ..reported(10, 5) };
        assert_eq!(doubts(cached, true), (implausible, None));
        assert_eq!(doubts(Usage { reasoning_tokens: 51, ..reported(10, 5) }, true), (None, implausible));
    }

    /// J 25, B12: what is doubted is replaced with all its parts, and the rest stays as it was told.
    #[test]
    fn j25_b12_what_is_doubted_is_replaced() {
        let own = reported(7, 3);
        let usage = Usage { cached_tokens: 9, reasoning_tokens: 4, is_fast: Some(true), ..reported(40, 20) };
        let found = replaced(&usage, &own, (Some(Doubt::Implausible), None));
        assert_eq!(found, Usage { reasoning_tokens: 4, is_fast: Some(true), ..reported(7, 20) });
        let found = replaced(&usage, &own, (None, Some(Doubt::Zero)));
        assert_eq!(found, Usage { cached_tokens: 9, is_fast: Some(true), ..reported(40, 3) });
        let sum = Usage { is_sum: true, ..reported(60, 0) };
        assert_eq!(replaced(&sum, &own, (Some(Doubt::Sum), Some(Doubt::Sum))), reported(57, 3));
    }

    /// J 25: a request may rightly come to more than one window.
    #[test]
    fn j25_what_was_sent_bounds_what_is_believed() {
        assert_eq!(bounds(r#"{"n":3,"max_tokens":40}"#), Bounds { input: 100, output: 300 });
        assert_eq!(bounds(r#"{"max_tokens":400}"#).output, 400);
        let search = bounds(r#"{"tools":[{"type":"web_search"}]}"#);
        assert_eq!(search.input, MAX_CONTEXT_TOKENS);
        let long = format!(r#"{{"input":"{}"}}"#, "a".repeat(500));
        assert_eq!(bounds(&long).input, long.len() as u64);
        assert_eq!(Bounds::for_window(None), Bounds { input: MAX_CONTEXT_TOKENS, output: MAX_CONTEXT_TOKENS });
    }
}

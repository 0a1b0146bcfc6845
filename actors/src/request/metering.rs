//! The money of one attempt: reserved before it is sent, booked when it ends, on every ending.

mod row_start;
mod uncounted;
mod vendor_usage;

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use gateway_wire::json_object::JsonObject;
use gateway_wire::{Usage, WholeAnswer};

use crate::budgets::ledger::{OpenAttempt, SharedLedger};
use crate::budgets::output_limit::OutputLimit;
use crate::budgets::reservation::Reservation;
use crate::limits::admission::TokenHold;
use crate::money::amount::PicoUsd;
use crate::usage::journal::JournalPosition;
use crate::usage::row::UsageRow;
use crate::usage::token_count::{GeneratedText, Texts};
pub use row_start::{RowStart, unfinished};
use uncounted::UncountedAttempt;

/// What is known of an attempt before it is sent.
pub struct Draft {
    /// The row without what only the end tells.
    pub row: Box<UsageRow>,
    /// When the request began.
    pub begun: std::time::Instant,
    /// The body in OpenAI's form, for counting where the vendor does not tell.
    pub body: Bytes,
    /// Whether an answer lets the model have a label of its own.
    pub model_is_proven: bool,
    /// What the request took of limits of tokens.
    pub tokens: Option<Arc<TokenHold>>,
    /// The output tokens that are reserved.
    pub most_output: Option<u64>,
    /// The model that the client asked for, where another is to serve it.
    pub requested: Option<RequestedTarget>,
}

/// What a request would have gone to without a routing config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedTarget {
    /// The provider.
    pub provider: String,
    /// Its model.
    pub model: String,
}

/// One attempt's money. Dropped without a verdict while the attempt was under way, it books what can be counted: the
/// client left, and the vendor charges for what it did (C5).
pub struct Metering {
    open: OpenAttempt,
    draft: Option<Box<Draft>>,
    reservation: Option<Reservation>,
    generated: GeneratedText,
    limit: Option<OutputLimit>,
    is_together: bool,
    priced_at: DateTime<Utc>,
}

impl Metering {
    /// The money of an attempt that is about to be sent.
    pub fn new(ledger: &SharedLedger, draft: Draft, reservation: Option<Reservation>, now: DateTime<Utc>) -> Self {
        let limit = draft.most_output.map(OutputLimit::new);
        Self {
            open: OpenAttempt::new(ledger),
            limit,
            draft: Some(Box::new(draft)),
            reservation,
            generated: GeneratedText::default(),
            is_together: false,
            priced_at: now,
        }
    }

    /// The attempt came to nothing that the vendor told a charge for.
    pub fn release(mut self) {
        self.draft = None;
    }

    /// The row is to be written together with others: whoever waits for it holds a
    /// [`WrittenTogether`](crate::budgets::ledger::WrittenTogether).
    pub fn write_together(&mut self) {
        self.is_together = true;
    }

    /// Takes in a whole answer.
    pub fn saw(&mut self, answer: &WholeAnswer) {
        self.generated.push_answer(answer);
    }

    /// Takes in a frame of a stream, and tells whether the output that is reserved for it is used up. `text` is what was
    /// generated in it; where that is not known, it stands in the frame, which is a chat chunk.
    pub async fn is_used_up_by(&mut self, frame: &[u8], text: Option<&str>) -> bool {
        let bytes = match text {
            Some(text) => self.generated.push_text(text),
            None => self.generated.push(frame),
        };
        let Some(limit) = self.limit.as_mut().filter(|_| self.draft.is_some()) else { return false };
        if !limit.needs_count(bytes) {
            return false;
        }
        let text = self.generated.take_uncounted();
        limit.is_passed(self.open.ledger().counter.count_output(&text).await)
    }

    /// The choices that the request asks for.
    pub fn choices(&self) -> u64 {
        let body = self.draft.as_ref().and_then(|draft| JsonObject::parse(draft.body.clone()).ok());
        body.and_then(|body| body.read("n").ok().flatten()).unwrap_or(1)
    }

    /// Whether the answer has begun.
    pub fn first_token(&mut self) {
        if let Some(draft) = &mut self.draft {
            draft.row.time_to_first_token_ms = Some(millis(draft.begun));
        }
    }

    /// Books what the vendor counted of an answer that broke off, or more output where more came than it had counted.
    pub async fn settle_at_least(&mut self, reported: &Usage, status: &'static str) -> (Usage, Option<PicoUsd>) {
        let came = self.open.ledger().counter.count_output(&self.generated).await;
        let (reported, is_estimated) = self.checked(reported, None).await;
        let usage = Usage { completion_tokens: reported.completion_tokens.max(came), ..reported };
        (usage, self.book(&usage, status, is_estimated || came > reported.completion_tokens))
    }

    /// Books what the gateway counts itself of a stream that is over. Its client does not wait for the count: `end` comes
    /// as soon as a row, by an estimate where the count takes its time, is in the journal.
    pub async fn settle_ended(&mut self, status: &'static str, end: impl FnOnce()) -> Option<(Usage, Option<PicoUsd>)> {
        let (mut uncounted, texts, small) = self.uncounted(status)?;
        let usage = match small {
            Some(usage) => usage,
            None => {
                let estimate = uncounted.note();
                end();
                self.open.ledger().counter.count(texts).await.unwrap_or(estimate)
            }
        };
        Some((usage, uncounted.settle(usage)))
    }

    /// Books what the gateway counts itself, without waiting for it; the vendor told nothing.
    pub fn settle_by_count(&mut self, status: &'static str) {
        let Some((mut uncounted, texts, small)) = self.uncounted(status) else { return };
        // Dropped with a count, it books it.
        if small.is_none() {
            uncounted.note();
            self.open.ledger().counter.count_later(texts, move |usage| {
                uncounted.settle(usage);
            });
        }
    }

    /// What is still to be booked, by its count where that is a matter of microseconds, else by an estimate; with the texts,
    /// and that count.
    fn uncounted(&mut self, status: &'static str) -> Option<(UncountedAttempt, Texts, Option<Usage>)> {
        let draft = self.draft.take()?;
        let texts = Texts { body: draft.body.clone(), generated: std::mem::take(&mut self.generated) };
        let small = self.open.ledger().counter.count_small(&texts);
        let estimate = small.unwrap_or_else(|| texts.estimate());
        let open = OpenAttempt::new(self.open.ledger());
        let uncounted = UncountedAttempt::new(open, draft, self.priced_at, status, estimate, self.reservation.take());
        Some((uncounted, texts, small))
    }

    /// Books what the gateway counts itself, and waits for it a little: an estimate where it takes too long.
    pub async fn settle_counted(&mut self, status: &'static str) -> Option<(Usage, Option<PicoUsd>)> {
        let usage = self.own_count().await?;
        Some((usage, self.book(&usage, status, true)))
    }

    /// What the gateway counts itself, or estimates where that takes too long.
    async fn own_count(&self) -> Option<Usage> {
        let texts = Texts { body: self.draft.as_ref()?.body.clone(), generated: self.generated.clone() };
        let estimate = texts.estimate();
        Some(self.open.ledger().counter.count(texts).await.unwrap_or(estimate))
    }

    fn book(&mut self, usage: &Usage, status: &'static str, estimated: bool) -> Option<PicoUsd> {
        let draft = self.draft.take()?;
        let held = AttemptHolds { reservation: self.reservation.take(), noted: None, is_together: self.is_together };
        book(self.open.ledger(), *draft, usage, self.priced_at, status, estimated, held)
    }
}

impl Drop for Metering {
    fn drop(&mut self) {
        self.settle_by_count("cancelled");
    }
}

/// What an attempt holds until it is booked.
struct AttemptHolds {
    reservation: Option<Reservation>,
    /// The provisional line in the journal.
    noted: Option<JournalPosition>,
    /// Whether its row is written together with others.
    is_together: bool,
}

/// Books some usage, and gives what it costs: by the model's own price, else by the ceiling, where one is set (C1).
fn book(
    ledger: &SharedLedger,
    mut draft: Draft,
    usage: &Usage,
    now: DateTime<Utc>,
    status: &'static str,
    estimated: bool,
    AttemptHolds { reservation, noted, is_together }: AttemptHolds,
) -> Option<PicoUsd> {
    let (cost, is_priced) = fill(ledger, &mut draft, usage, now, status, estimated);
    ledger.metrics.price_lookup(is_priced);
    let Draft { row, model_is_proven, tokens, .. } = draft;
    if let Some(tokens) = tokens {
        tokens.used(usage.total_tokens());
    }
    let target = ledger.metrics.target(&row.provider, &row.model, model_is_proven);
    target.prompt_tokens.inc_by(usage.prompt_tokens);
    target.completion_tokens.inc_by(usage.completion_tokens);
    target.cost.inc_by(cost.unwrap_or_default().as_f64());
    // First the journal: what is settled is never forgotten.
    match ledger.log_unbudgeted || reservation.is_some() {
        true if is_together => ledger.book_together(row),
        true => ledger.book_instead(row, noted),
        false => ledger.rows.put_back(vec![row]),
    }
    if let Some(reservation) = reservation {
        reservation.settle(cost.unwrap_or_default());
    }
    cost
}

/// Completes a row; gives what the usage costs, and whether the model has a price of its own.
fn fill(
    ledger: &SharedLedger,
    draft: &mut Draft,
    usage: &Usage,
    now: DateTime<Utc>,
    status: &'static str,
    estimated: bool,
) -> (Option<PicoUsd>, bool) {
    let row = &mut draft.row;
    // What the answer does not tell of the vendor's options is as it was asked for.
    let usage = &Usage {
        is_fast: usage.is_fast.or(row.usage.is_fast),
        is_in_us: usage.is_in_us.or(row.usage.is_in_us),
        ..*usage
    };
    let prices = ledger.prices.load();
    let own = prices.find(&row.provider, &row.model, usage.service_tier, now);
    let factor = ledger.models.factor(&row.provider, &row.model, usage);
    let cost = own.or(ledger.ceiling.as_ref()).map(|price| factor.of(price.cost(usage)));
    let requested = draft.requested.as_ref().filter(|_| status == "success");
    let baseline = requested.and_then(|requested| prices.cost(&requested.provider, &requested.model, usage, now));
    row.usage = *usage;
    row.cost = cost.map(picos);
    row.baseline_cost = baseline.map(picos);
    row.estimated = estimated;
    row.status = status.into();
    row.duration_ms = millis(draft.begun);
    (cost, own.is_some())
}

fn picos(cost: PicoUsd) -> i64 {
    i64::try_from(cost.picos()).unwrap_or(i64::MAX)
}

fn millis(since: std::time::Instant) -> i64 {
    i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX)
}

//! What an attempt may cost: reserved in every budget of its key before anything is sent (B1, B4).

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use gateway_wire::json_object::JsonObject;
use gateway_wire::{BadRequest, Endpoint, ErrorBody, ServiceTier};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::budgets::ledger::SharedLedger;
use crate::budgets::ledger_actor::{BudgetLedger, Fund};
use crate::budgets::reservation::{BudgetExceeded, Claim, Reservation};
use crate::failure::message::explain;
use crate::failure::{Failure, FailureKind};
use crate::keys::virtual_key::VirtualKey;
use crate::money::amount::PicoUsd;
use crate::money::prices::{ModelFacts, Price, PriceTable};
use crate::money::usd::Usd;
use crate::providers::settings::OutputLimitField;
use crate::runtime::mailbox::Mailbox;
use crate::usage::estimate::{Estimate, LIMIT_FIELDS, LimitedBy, ModelBounds};
use crate::usage::options::Options;

/// Service tiers that one request may be billed with, at most.
const MAX_TIERS: usize = 3;

/// Query timeouts that a request waits through, at most, while the store answers others.
const MAX_WAITS: u32 = 5;

/// How budgets are applied.
#[derive(Clone, Debug)]
pub struct BudgetRules {
    /// Output tokens of an answer whose request sets no limit, at most.
    pub default_output_tokens: u64,
    /// Whether an answer may be made shorter where the budget does not allow a whole one.
    pub shorten_answers: bool,
    /// The shortest answer that is worth sending a request for.
    pub min_output_tokens: u64,
    /// How long a request waits for a store that answers nobody; five times that where it answers others.
    pub query_timeout: Duration,
    /// What becomes of a request to which the vendor adds input of its own.
    pub hidden_input: HiddenInput,
    /// The input tokens that such a request counts as; the most that the model takes where absent.
    pub hidden_input_tokens: Option<u64>,
}

/// What becomes of a request with a budget to which the vendor adds input that the request does not show, such as the
/// results of its own searches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HiddenInput {
    /// All the input that the model takes is reserved.
    #[default]
    Reserve,
    /// It is refused.
    Refuse,
}

/// The most input of a model of which nothing is known.
const UNKNOWN_MAX_INPUT: u64 = 1_000_000;

/// The budgets of the process, as the router uses them.
pub struct Budgets {
    /// Accounts, prices and the journal.
    pub ledger: SharedLedger,
    /// The actor that leases.
    pub mailbox: Mailbox<BudgetLedger>,
    /// How budgets are applied.
    pub rules: BudgetRules,
}

/// One attempt as the budget sees it.
pub struct BudgetRequest<'a> {
    /// Who asks.
    pub key: &'a VirtualKey,
    /// The provider.
    pub provider: &'a str,
    /// The model.
    pub model: &'a str,
    /// The body in OpenAI's shape.
    pub body: &'a JsonObject,
    /// The kind of question.
    pub endpoint: Endpoint,
    /// The field that the provider surely heeds as a limit of the answer.
    pub limit_field: OutputLimitField,
    /// When the request began.
    pub now: DateTime<Utc>,
}

/// Money for an attempt.
#[derive(Debug, Default)]
pub struct AttemptBudget {
    /// What is held; none for a key without budgets.
    pub reservation: Option<Reservation>,
    /// The body with its answer limited to what is held, where it was not limited so already.
    pub body: Option<JsonObject>,
    /// The limit, where the budget made it lower than the request asks.
    pub shortened_to: Option<u64>,
    /// The output tokens of all choices that are paid by what is held; none where they are not limited so.
    pub most_output: Option<u64>,
    /// The options of the vendor that the request asks for.
    pub options: Options,
}

impl Budgets {
    /// Reserves what the attempt may cost at most. Near the limit the answer is made shorter, or nothing is sent.
    ///
    /// # Errors
    /// Over budget (429), a model or an option without a price (400), input that the vendor adds where that is refused (400),
    /// a malformed limit (400), or a store that is away (429).
    pub async fn reserve(&self, wanted: BudgetRequest<'_>) -> Result<AttemptBudget, Failure> {
        let claims = self.ledger.accounts.claims(wanted.key, wanted.now);
        let options = Options::from_body(wanted.body);
        if claims.is_empty() {
            return Ok(AttemptBudget { options, ..AttemptBudget::default() });
        }
        let attempt_budget = self.reserve_claims(&wanted, claims, options).await?;
        Ok(AttemptBudget { options, ..attempt_budget })
    }

    /// Reserves in the budgets of a key that has some.
    async fn reserve_claims(
        &self,
        wanted: &BudgetRequest<'_>,
        claims: Vec<Claim>,
        options: Options,
    ) -> Result<AttemptBudget, Failure> {
        let table = self.ledger.prices.load_full();
        let prices = prices(&table, self.ledger.ceiling.as_ref(), wanted, options);
        let facts = self.ledger.models.find(wanted.provider, wanted.model);
        let estimate = self.estimate(wanted, &table, prices.iter().flatten().next().copied(), options, facts)?;
        let factor = options.factor(&facts.multipliers);
        let cost = |output: u64| {
            let output = output.saturating_add(estimate.rejected_tokens).saturating_mul(estimate.choices);
            let each = prices.iter().flatten().map(|price| price.estimate(estimate.input_tokens, output));
            factor.of(each.max().unwrap_or_default())
        };
        let full = cost(estimate.output_tokens);
        let least = match wanted.endpoint {
            Endpoint::Chat if self.rules.shorten_answers => {
                cost(self.rules.min_output_tokens.min(estimate.output_tokens))
            }
            _ => full,
        };
        let refusal = match self.reserve_or_lease(claims.clone(), full).await? {
            Ok(reservation) => return Ok(with_limit(wanted, &estimate, reservation, estimate.output_tokens, false)),
            Err(refusal) => refusal,
        };
        if least < full && least <= refusal.shortage.free {
            let output = most_output(&cost, refusal.shortage.free, estimate.output_tokens);
            if let Ok(reservation) = self.ledger.reserve(claims, cost(output)) {
                return Ok(with_limit(wanted, &estimate, reservation, output, true));
            }
        }
        Err(over_budget(&refusal.claim))
    }

    /// What the request can come to, where everything that it asks for has a price.
    fn estimate(
        &self,
        wanted: &BudgetRequest<'_>,
        table: &PriceTable,
        price: Option<&Price>,
        options: Options,
        facts: ModelFacts,
    ) -> Result<Estimate, Failure> {
        let Some(price) = price else {
            self.ledger.metrics.price_lookup(false);
            return Err(unpriced(wanted));
        };
        let own = table.find(wanted.provider, wanted.model, ServiceTier::Priority, wanted.now);
        let has_priority = own.is_none_or(|own| own.service_tier == ServiceTier::Priority);
        let checked = options.check(wanted.body, price, has_priority, &facts.multipliers);
        checked.map_err(|bad| refused(bad, "option_not_priced"))?;
        let bounds = self.bounds(wanted, facts, price.max_output_tokens);
        let estimate =
            Estimate::from_body(wanted.body, wanted.endpoint, bounds).map_err(|bad| refused(bad, "invalid_request"))?;
        match &estimate.added_by {
            Some(field) if self.rules.hidden_input == HiddenInput::Refuse && !price.is_free() => {
                Err(refused(adds_input(field), "hidden_input_refused"))
            }
            _ => Ok(estimate),
        }
    }

    /// What the model can come to.
    fn bounds(&self, wanted: &BudgetRequest<'_>, facts: ModelFacts, max_output: Option<u64>) -> ModelBounds {
        let max_input = self.rules.hidden_input_tokens.or(facts.max_input_tokens);
        ModelBounds {
            max_input: max_input.unwrap_or(UNKNOWN_MAX_INPUT),
            max_output,
            default_output: self.rules.default_output_tokens,
            adds_input: self.ledger.models.adds_input(wanted.model),
        }
    }

    /// Reserves from the slice of this process, and leases more where that does not do.
    async fn reserve_or_lease(
        &self,
        claims: Vec<Claim>,
        full: PicoUsd,
    ) -> Result<Result<Reservation, Box<BudgetExceeded>>, Failure> {
        // One lease for each budget of the request.
        for _ in 0..3 {
            let refusal = match self.ledger.reserve(claims.clone(), full) {
                Ok(reservation) => return Ok(Ok(reservation)),
                Err(refusal) => refusal,
            };
            if !refusal.shortage.ask_store {
                return Ok(Err(refusal));
            }
            let fund = Fund { claim: refusal.claim, amount: full };
            if !self.is_funded(fund).await {
                return Err(failure(FailureKind::BudgetUnknown));
            }
        }
        Ok(self.ledger.reserve(claims, full))
    }

    /// Asks for a slice, and waits a little longer while the store answers others. One that is silent is remembered as
    /// failing, so that the requests after this one do not wait at all; what it grants later is there for them.
    async fn is_funded(&self, fund: Fund) -> bool {
        let store = &self.ledger.store;
        if store.fails() {
            return false;
        }
        // Boxed: it is rare, and each request would carry room for it along.
        let mut asked = Box::pin(self.mailbox.ask(fund));
        for _ in 0..MAX_WAITS {
            let since = Instant::now();
            if let Ok(answer) = timeout(self.rules.query_timeout, &mut asked).await {
                return matches!(answer, Ok(Ok(())));
            }
            if !store.has_answered_since(since) {
                if store.failed() {
                    log::warn!("the store is unavailable: no query was answered within {:?}", self.rules.query_timeout);
                }
                break;
            }
        }
        false
    }
}

/// The prices that an attempt may be charged by: the plain one, and those of the service tiers that it asks for.
fn prices<'a>(
    table: &'a PriceTable,
    ceiling: Option<&'a Price>,
    wanted: &BudgetRequest<'_>,
    options: Options,
) -> [Option<&'a Price>; MAX_TIERS] {
    let mut prices = [None; MAX_TIERS];
    for (price, tier) in prices.iter_mut().zip(options.tier.candidates()) {
        *price = table.find(wanted.provider, wanted.model, *tier, wanted.now).or(ceiling);
    }
    prices
}

/// The longest answer, in tokens, that costs at most `money`.
fn most_output(cost: &dyn Fn(u64) -> PicoUsd, money: PicoUsd, most: u64) -> u64 {
    let (mut fits, mut does_not) = (0, most);
    while does_not - fits > 1 {
        let middle = fits + (does_not - fits) / 2;
        if cost(middle) <= money { fits = middle } else { does_not = middle }
    }
    fits
}

/// Holds the vendor to what is reserved: the limit goes into the body in the one field that the vendor surely heeds.
fn with_limit(
    wanted: &BudgetRequest<'_>,
    estimate: &Estimate,
    held: Reservation,
    output: u64,
    shortened: bool,
) -> AttemptBudget {
    let heeded = wanted.limit_field.as_str();
    // Who heeds the newer name heeds the older one too: an older model may know that alone.
    let is_held = match estimate.limited_by {
        LimitedBy::One(field) => field == heeded || wanted.limit_field == OutputLimitField::MaxCompletionTokens,
        LimitedBy::Nothing | LimitedBy::Both => false,
    };
    let field = match estimate.limited_by {
        LimitedBy::One(field) if is_held => field,
        _ => heeded,
    };
    let other: Vec<&str> = LIMIT_FIELDS.into_iter().filter(|name| *name != field).collect();
    let limit = output.to_string();
    let set = output > 0 && wanted.endpoint == Endpoint::Chat && (shortened || !is_held);
    let body = set.then(|| wanted.body.with(&[(field, limit.as_str())], &other));
    let most_output = (wanted.endpoint == Endpoint::Chat).then(|| output.saturating_mul(estimate.choices));
    let shortened_to = shortened.then_some(output);
    AttemptBudget { reservation: Some(held), body, shortened_to, most_output, options: Options::default() }
}

fn failure(kind: FailureKind) -> Failure {
    Failure { kind, error: explain(kind, "", None), retry_after: None }
}

/// 429 in the words of the budget's period and limit.
fn over_budget(claim: &Claim) -> Failure {
    let nanos = i64::try_from(claim.budget.limit.picos() / 1_000).unwrap_or(i64::MAX);
    let message = format!("{} budget limit ${} exceeded", claim.budget.period.adjective(), Usd::from_nanos(nanos));
    let error = ErrorBody::new("insufficient_quota", "budget_exceeded", message);
    Failure { kind: FailureKind::OverBudget, error, retry_after: None }
}

/// C1: a model without a price is never free.
fn unpriced(wanted: &BudgetRequest<'_>) -> Failure {
    let message = format!(
        "The model '{}' of '{}' has no price, so it cannot be used with a budget: add it to the pricing, or \
         have a ceiling price set.",
        wanted.model, wanted.provider
    );
    let error = ErrorBody::new("invalid_request_error", "model_not_priced", message);
    let error = ErrorBody { param: Some("model".to_owned()), ..error };
    Failure { kind: FailureKind::Status(400), error, retry_after: None }
}

/// Why a request is refused to which the vendor adds input of its own.
fn adds_input(field: &str) -> BadRequest {
    BadRequest::new(
        field,
        format!(
            "Because of '{field}' the vendor adds input that the request does not show, which this gateway does not allow \
             with a budget: leave it out, or use a key without a budget."
        ),
    )
}

fn refused(bad: BadRequest, code: &str) -> Failure {
    let error = ErrorBody::new("invalid_request_error", code, bad.message);
    let error = ErrorBody { param: bad.param, ..error };
    Failure { kind: FailureKind::Status(400), error, retry_after: None }
}

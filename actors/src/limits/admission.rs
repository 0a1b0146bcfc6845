//! Takes a request's places in all limits that it counts in, at once, and gives them back on every ending.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::limit_table::ScopeLimits;
use super::minute::{Minute, NotTaken, RemainingLimit, Ticket};
use super::parallel::NoPlace;
use super::redis_limiter::{Fetch, RedisLimiter};
use super::{Counters, LimitKind, Limits, now};
use crate::runtime::mailbox::Mailbox;
use crate::scope::ScopeKind;

/// How long a request waits for its places in all limits together, while Redis answers.
const ADMISSION_TIMEOUT: Duration = Duration::from_millis(600);

/// How long until a refused place is asked for again.
const RETRY_INTERVAL: Duration = Duration::from_millis(60);

/// What a request waits where its place cannot be known, or depends on when others end.
const UNKNOWN_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Lets requests through.
#[derive(Debug, Default)]
pub struct RateLimiter {
    /// Who asks Redis; without Redis each process counts by itself.
    pub redis_limiter: Option<Mailbox<RedisLimiter>>,
    /// Whether requests are refused while Redis is away; otherwise each process counts by itself meanwhile.
    pub refuse_when_away: bool,
}

/// A request over a limit; it cost nothing (E5).
#[derive(Debug)]
pub struct OverLimit {
    /// Whose limit.
    pub scope: ScopeKind,
    /// Which limit.
    pub kind: LimitKind,
    /// The limit itself.
    pub limit: u64,
    /// Whether the limit is reached; otherwise Redis is away, and nobody knows.
    pub is_known: bool,
    /// When it is worth another try.
    pub retry_after: Duration,
    /// What is left of the limits.
    pub remaining: RemainingLimits,
}

impl fmt::Display for OverLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (limit, scope) = (self.limit, self.scope.as_str());
        if !self.is_known {
            return write!(f, "Rate limits of this {scope} are temporarily unavailable: try again shortly.");
        }
        match self.kind {
            LimitKind::Requests => write!(f, "Rate limit of {limit} requests per minute reached for this {scope}."),
            LimitKind::Tokens => write!(f, "Rate limit of {limit} tokens per minute reached for this {scope}."),
            LimitKind::Parallel => write!(f, "Limit of {limit} requests at once reached for this {scope}."),
        }
    }
}

/// What is left of the tightest limits that a request counts in.
#[derive(Clone, Copy, Debug, Default)]
pub struct RemainingLimits {
    /// Of requests.
    pub requests: Option<RemainingLimit>,
    /// Of tokens.
    pub tokens: Option<RemainingLimit>,
}

/// The places of one request; dropping them ends its being under way.
#[derive(Debug, Default)]
pub struct Admission {
    held: Vec<CounterHold>,
    /// The tokens that it took, to be settled by who learns what was used.
    pub tokens: Option<Arc<TokenHold>>,
    /// What is left.
    pub remaining: RemainingLimits,
}

#[derive(Debug)]
struct CounterHold {
    counters: Arc<Counters>,
    limits: Limits,
    request: Option<Ticket>,
    place: bool,
}

/// Tokens taken by estimate. Its last owner settles them: what was not used goes back, what was used beyond counts.
#[derive(Debug, Default)]
pub struct TokenHold {
    held: Vec<(Arc<Counters>, Ticket)>,
    used: AtomicU64,
}

impl TokenHold {
    /// Counts tokens that an attempt used.
    pub fn used(&self, tokens: u64) {
        self.used.fetch_add(tokens, Ordering::Relaxed);
    }
}

impl Drop for TokenHold {
    fn drop(&mut self) {
        let used = self.used.load(Ordering::Relaxed);
        for (counters, ticket) in &self.held {
            counters.tokens.settle(ticket, used, now());
        }
    }
}

impl Admission {
    /// The request was not worth counting after all.
    pub fn undo(mut self) {
        for held in &mut self.held {
            if let Some(ticket) = held.request.take() {
                held.counters.requests.settle(&ticket, 0, now());
            }
        }
    }
}

/// When a request that waits for the fleet is refused; it begins with the first wait.
struct AdmissionWait(Option<Instant>);

impl AdmissionWait {
    fn lasts(&mut self) -> bool {
        let now = Instant::now();
        now < *self.0.get_or_insert(now + ADMISSION_TIMEOUT)
    }
}

/// What a request has taken so far: given back unless the request is counted, also when the client leaves meanwhile (E5).
#[derive(Debug, Default)]
pub struct Pending(Option<Admission>);

impl Pending {
    /// Whether a limit of tokens is among those that the request counts in.
    pub fn counts_tokens(&self) -> bool {
        let held = self.0.iter().flat_map(|admission| &admission.held);
        held.into_iter().any(|held| held.limits.tokens_per_minute.is_some())
    }

    /// What the limits leave.
    pub fn remaining(&self) -> RemainingLimits {
        self.0.as_ref().map(|admission| admission.remaining).unwrap_or_default()
    }

    /// The request is worth counting.
    pub fn count(mut self) -> Admission {
        self.0.take().unwrap_or_default()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(admission) = self.0.take() {
            admission.undo();
        }
    }
}

impl Drop for CounterHold {
    fn drop(&mut self) {
        if self.place {
            self.counters.parallel.release();
        }
    }
}

/// Why a place was not taken; the scope and the limit are added by who asked.
enum LimitRejection {
    Full(Duration),
    Unknown,
}

impl RateLimiter {
    /// Takes one request's places and counts it, before its body is read: who is over a limit of requests costs no more
    /// than the head of the request. Its tokens are taken by [`RateLimiter::take_tokens`].
    ///
    /// # Errors
    /// Which limit is reached. Nothing is then taken of any.
    pub async fn admit(&self, limited: Vec<ScopeLimits>) -> Result<Pending, Box<OverLimit>> {
        let mut patience = AdmissionWait(None);
        let mut pending = Pending(Some(Admission::default()));
        for ScopeLimits { limits, counters } in limited {
            let Some(admission) = &mut pending.0 else { break };
            admission.held.push(CounterHold { counters: counters.clone(), limits, request: None, place: false });
            let taken = async {
                let Some(held) = admission.held.last_mut() else { return Ok(()) };
                if let Some(limit) = limits.max_parallel {
                    self.place(&counters, u64::from(limit), &mut patience)
                        .await
                        .map_err(over(LimitKind::Parallel, limit))?;
                    held.place = true;
                }
                if let Some(limit) = limits.requests_per_minute {
                    let ticket = self.take(&counters, LimitKind::Requests, u64::from(limit), 1, &mut patience).await;
                    held.request = Some(ticket.map_err(over(LimitKind::Requests, limit))?);
                    tighten(&mut admission.remaining.requests, self.remaining(&counters.requests, limit));
                }
                Ok(())
            };
            if let Err(refusal) = taken.await {
                return Err(over_limit(&counters, refusal, pending.remaining()));
            }
        }
        Ok(pending)
    }

    /// Takes the tokens that an admitted request will probably use.
    ///
    /// # Errors
    /// Whose limit of tokens is reached; none are then taken.
    pub async fn take_tokens(&self, pending: &mut Pending, tokens: u64) -> Result<(), Box<OverLimit>> {
        let Some(admission) = &mut pending.0 else { return Ok(()) };
        let mut patience = AdmissionWait(None);
        let mut hold = TokenHold::default();
        for held in &admission.held {
            let Some(limit) = held.limits.tokens_per_minute else { continue };
            let counters = &held.counters;
            let ticket = self.take(counters, LimitKind::Tokens, u64::from(limit), tokens, &mut patience).await;
            match ticket {
                Ok(ticket) => hold.held.push((counters.clone(), ticket)),
                Err(refusal) => {
                    return Err(over_limit(counters, (LimitKind::Tokens, limit, refusal), admission.remaining));
                }
            }
            tighten(&mut admission.remaining.tokens, self.remaining(&counters.tokens, limit));
        }
        admission.tokens = (!hold.held.is_empty()).then(|| Arc::new(hold));
        Ok(())
    }

    async fn take(
        &self,
        counters: &Arc<Counters>,
        kind: LimitKind,
        limit: u64,
        amount: u64,
        patience: &mut AdmissionWait,
    ) -> Result<Ticket, LimitRejection> {
        let minute = if kind == LimitKind::Requests { &counters.requests } else { &counters.tokens };
        let here = || match minute.take_here(limit, amount, now()) {
            Err(NotTaken::Full(wait)) => Err(LimitRejection::Full(wait)),
            Err(NotTaken::Short) => Err(LimitRejection::Full(UNKNOWN_RETRY_AFTER)),
            Ok(ticket) => Ok(ticket),
        };
        let Some(redis_limiter) = &self.redis_limiter else { return here() };
        while patience.lasts() {
            match minute.take_granted(limit, amount, now()) {
                Ok(ticket) => {
                    if minute.is_low() {
                        let ahead = Fetch { counters: counters.clone(), kind, limit, amount: 0 };
                        // Where it is not sent, the next request asks for itself.
                        let _sent = redis_limiter.tell(ahead);
                    }
                    return Ok(ticket);
                }
                Err(NotTaken::Full(wait)) => return Err(LimitRejection::Full(wait)),
                Err(NotTaken::Short) => {}
            }
            let fetch = Fetch { counters: counters.clone(), kind, limit, amount };
            if !self.is_answered(redis_limiter, fetch).await? {
                return here();
            }
        }
        // Others took each time what was granted.
        Err(LimitRejection::Full(UNKNOWN_RETRY_AFTER))
    }

    /// Takes a place. One that another process has given up a moment ago comes free shortly, so a refusal is looked at
    /// again for as long as the request's patience lasts.
    async fn place(
        &self,
        counters: &Arc<Counters>,
        limit: u64,
        patience: &mut AdmissionWait,
    ) -> Result<(), LimitRejection> {
        let parallel = &counters.parallel;
        let here = || parallel.take_here(limit).map_err(|_full| LimitRejection::Full(UNKNOWN_RETRY_AFTER));
        let Some(redis_limiter) = &self.redis_limiter else { return here() };
        while patience.lasts() {
            match parallel.take_granted(limit, now()) {
                Ok(()) => return Ok(()),
                Err(NoPlace::Full) if parallel.is_full_here(limit) => {
                    return Err(LimitRejection::Full(UNKNOWN_RETRY_AFTER));
                }
                Err(NoPlace::Full) => {
                    tokio::time::sleep(RETRY_INTERVAL).await;
                    continue;
                }
                Err(NoPlace::Short) => {}
            }
            let fetch = Fetch { counters: counters.clone(), kind: LimitKind::Parallel, limit, amount: 1 };
            if !self.is_answered(redis_limiter, fetch).await? {
                return here();
            }
        }
        Err(LimitRejection::Full(UNKNOWN_RETRY_AFTER))
    }

    /// Asks the fleet; false where each process is to count by itself.
    async fn is_answered(&self, redis_limiter: &Mailbox<RedisLimiter>, fetch: Fetch) -> Result<bool, LimitRejection> {
        match redis_limiter.ask(fetch).await {
            Ok(true) => Ok(true),
            Ok(false) if !self.refuse_when_away => Ok(false),
            // A keeper that is behind with its work says nothing of Redis.
            Ok(false) | Err(_) => Err(LimitRejection::Unknown),
        }
    }

    fn remaining(&self, minute: &Minute, limit: u32) -> RemainingLimit {
        match self.redis_limiter {
            Some(_) => minute.left_granted(u64::from(limit), now()),
            None => minute.left_here(u64::from(limit), now()),
        }
    }
}

/// The refusal in words, with what is left.
fn over_limit(
    counters: &Counters,
    refused: (LimitKind, u32, LimitRejection),
    mut remaining: RemainingLimits,
) -> Box<OverLimit> {
    let (kind, limit, refusal) = refused;
    let (is_known, retry_after) = match refusal {
        LimitRejection::Full(wait) => (true, wait),
        LimitRejection::Unknown => (false, UNKNOWN_RETRY_AFTER),
    };
    let limit = u64::from(limit);
    let none = RemainingLimit { limit, remaining: 0, reset: retry_after };
    match kind {
        LimitKind::Requests => remaining.requests = Some(none),
        LimitKind::Tokens => remaining.tokens = Some(none),
        LimitKind::Parallel => {}
    }
    let scope = counters.scope().kind;
    Box::new(OverLimit { scope, kind, limit, is_known, retry_after, remaining })
}

fn over(kind: LimitKind, limit: u32) -> impl FnOnce(LimitRejection) -> (LimitKind, u32, LimitRejection) {
    move |refusal| (kind, limit, refusal)
}

/// Keeps the limit that leaves less.
fn tighten(tightest: &mut Option<RemainingLimit>, remaining: RemainingLimit) {
    if tightest.is_none_or(|tightest| remaining.remaining < tightest.remaining) {
        *tightest = Some(remaining);
    }
}

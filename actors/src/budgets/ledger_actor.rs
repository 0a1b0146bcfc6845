//! `BudgetLedger`: the only writer of prices, budgets, leases and the usage log.

mod alert_webhook;
mod flush;
mod funding;
mod housekeeping;
mod leases;
mod messages;
mod refresh;

#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use actix::{Actor, Addr, AsyncContext, Context, Handler, ResponseFuture, WrapFuture};

use super::ledger::SharedLedger;
use crate::clock::Moment;
use crate::db::{BudgetFigures, Mark, Store, StoreError};
use crate::fleet::announce::{Announcer, Refresh};
use crate::money::amount::PicoUsd;
use crate::runtime::mailbox::takes_parcels;
use crate::runtime::stats::ActorStats;
use crate::scope::{BudgetName, Scope};

use alert_webhook::AlertSender;

pub use alert_webhook::Webhook;
pub use messages::{Close, Fund, LimitOf, ListBudgets, SetLimit, SetPrice};

/// What the ledger is configured with.
#[derive(Clone, Debug)]
pub struct LedgerSettings {
    /// Where the usage journal is.
    pub journal: PathBuf,
    /// How often waiting rows are written to the store.
    pub flush: Duration,
    /// How often limits, prices and the journals of processes that are gone are looked at.
    pub refresh: Duration,
    /// How long nobody may use a slice before it goes back to the store.
    pub lease_idle: Duration,
    /// How long a lease stands without being renewed.
    pub lease: Duration,
    /// After how long what a process leased counts as spent that is gone, and whose journal is not found.
    pub orphan_lease: Duration,
    /// Parts of a limit, in hundredths, that are alerted when spent.
    pub alert_percent: Vec<u32>,
    /// How long rows of the usage log are kept; for ever where absent.
    pub keep_usage: Option<Duration>,
    /// Where alerts are posted to, if anywhere.
    pub webhook: Option<Webhook>,
}

impl LedgerSettings {
    /// How long a slice may be spent after the store was last asked. After `lease` and `orphan_lease` an operator may give it to
    /// others; half of the latter is left for requests under way to end.
    fn good_for(&self) -> Duration {
        self.lease + self.orphan_lease / 2
    }
}

/// What the actor works with; shared with the futures of its messages.
struct LedgerState {
    ledger: SharedLedger,
    store: Rc<Store>,
    settings: LedgerSettings,
    stats: Arc<ActorStats>,
    /// Only one flush at a time: rows reach the store in the order they were booked.
    flushing: tokio::sync::Mutex<()>,
    /// Only one look after the house at a time.
    housekeeping: tokio::sync::Mutex<()>,
    /// Budgets, periods and thresholds that were told.
    alerted: RefCell<HashSet<(Scope, Arc<str>, u32)>>,
    /// Whether the store may not have taken an alert.
    alerts_due: Cell<bool>,
    /// Budgets and periods of which the store may believe that more is leased than is.
    doubts: RefCell<HashSet<BudgetName>>,
    /// When the leases were renewed last.
    renewed: Cell<Option<Moment>>,
    /// Processes that are gone with their journals and were told.
    abandoned: RefCell<HashSet<String>>,
    /// Processes that left rows which the store refuses; the next start tries them again.
    refused: RefCell<HashSet<String>>,
    alert_sender: Option<AlertSender>,
    /// Up to where changes of limits and prices were read; locked while they are.
    seen: tokio::sync::Mutex<Option<Mark>>,
    /// The same when old rows were last removed.
    seen_before: RefCell<Option<Mark>>,
    /// What was told last of what goes wrong, by the work that does.
    told: RefCell<HashMap<String, String>>,
    announcer: Announcer,
}

/// The actor. Its messages run beside each other; what they must not do at once, the store orders.
pub struct BudgetLedger {
    state: Rc<LedgerState>,
}

impl BudgetLedger {
    /// Takes up what gone processes left, reads limits and prices, and starts the actor on the current thread.
    ///
    /// # Errors
    /// Where the store fails; what one left journal is refused for is noted.
    pub async fn start_here(
        ledger: SharedLedger,
        store: Rc<Store>,
        settings: LedgerSettings,
        announcer: Announcer,
        stats: Arc<ActorStats>,
    ) -> Result<Addr<Self>, StoreError> {
        let state = Rc::new(LedgerState {
            ledger,
            store,
            alert_sender: settings.webhook.clone().map(AlertSender::new),
            settings,
            stats,
            flushing: tokio::sync::Mutex::default(),
            housekeeping: tokio::sync::Mutex::default(),
            alerted: RefCell::default(),
            alerts_due: Cell::default(),
            doubts: RefCell::default(),
            renewed: Cell::default(),
            abandoned: RefCell::default(),
            refused: RefCell::default(),
            seen: tokio::sync::Mutex::default(),
            seen_before: RefCell::default(),
            told: RefCell::default(),
            announcer,
        });
        state.seed_prices().await?;
        match state.take_up_orphans().await {
            Err(error) if error.is_away() => return Err(error),
            taken => state.note("left journals", taken),
        }
        state.refresh().await?;
        Ok(Self { state }.start())
    }
}

/// How often old spend, and old rows of the usage log, are looked for.
const PRUNE_INTERVAL: Duration = Duration::from_secs(3_600);

impl Actor for BudgetLedger {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let state = self.state.clone();
        ctx.run_interval(self.state.settings.flush, move |_, _| {
            let state = state.clone();
            actix::spawn(async move { state.note("usage rows", state.flush().await) });
        });
        let state = self.state.clone();
        let batches = async move {
            loop {
                state.ledger.batch().await;
                state.note("usage rows", state.flush().await);
            }
        };
        ctx.spawn(batches.into_actor(self));
        let prune = |state: &Rc<LedgerState>| {
            let state = state.clone();
            actix::spawn(async move {
                state.note("old rows", state.prune(SystemTime::now()).await);
                state.note("old changes", state.forget_changes().await);
            });
        };
        prune(&self.state);
        ctx.run_interval(PRUNE_INTERVAL, move |ledger, _| prune(&ledger.state));
        if self.state.alert_sender.is_some() {
            let state = self.state.clone();
            ctx.run_interval(alert_webhook::POLL_INTERVAL, move |_, _| {
                let state = state.clone();
                // Spawned, so that a receiver that is slow holds nothing up.
                actix::spawn(async move {
                    if let Some(alert_sender) = &state.alert_sender {
                        state.deliver_alerts(alert_sender).await;
                    }
                });
            });
        }
        let state = self.state.clone();
        ctx.run_interval(self.state.settings.refresh, move |_, _| {
            let state = state.clone();
            actix::spawn(async move { state.keep_house().await });
        });
    }
}

takes_parcels!(BudgetLedger);

impl Handler<Refresh> for BudgetLedger {
    type Result = ();

    fn handle(&mut self, Refresh: Refresh, _: &mut Context<Self>) {
        let state = self.state.clone();
        actix::spawn(async move { state.note("limits and prices", state.refresh().await) });
    }
}

impl LedgerState {
    /// Shows a failure in `GET /admin/actors`, and once in the log; that the store is away it tells by itself.
    fn note<T>(&self, work: &str, result: Result<T, StoreError>) {
        let mut told = self.told.borrow_mut();
        let Err(error) = result else { return drop(told.remove(work)) };
        let text = error.to_string();
        self.stats.fail(&text);
        if !error.is_away() && told.get(work) != Some(&text) {
            log::warn!("budget ledger: {work}: {text}");
            told.insert(work.to_owned(), text);
        }
    }
}

/// A message whose work is one function of the book.
macro_rules! handle {
    ($message:ty => $result:ty, |$state:ident, $name:ident| $work:expr) => {
        impl Handler<$message> for BudgetLedger {
            type Result = ResponseFuture<$result>;

            fn handle(&mut self, $name: $message, _: &mut Context<Self>) -> Self::Result {
                let $state = self.state.clone();
                Box::pin(async move {
                    let handling = $state.stats.handling();
                    let result: $result = $work.await;
                    if let Err(error) = &result {
                        handling.fail(&error.to_string());
                    }
                    result
                })
            }
        }
    };
}

handle!(Fund => Result<(), StoreError>, |state, fund| state.fund(fund));
handle!(SetLimit => Result<(), StoreError>, |state, set| state.set_limit(set));
handle!(ListBudgets => Result<Vec<BudgetFigures>, StoreError>, |state, _list| state.store.budget_figures(state.settings.orphan_lease));
handle!(SetPrice => Result<(), StoreError>, |state, set| state.set_price(set));
handle!(Close => Result<(), StoreError>, |state, _close| state.close());

/// Money as the store keeps it: whole pico-dollars of one limit.
fn part(limit: PicoUsd, percent: u32) -> PicoUsd {
    PicoUsd::from_picos(limit.picos() / 100 * i128::from(percent))
}
